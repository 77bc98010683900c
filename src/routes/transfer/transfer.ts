import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { callerOf } from '../../auth/caller.ts'
import { checkScope } from '../../auth/scopes.ts'
import { Semaphore } from '../../limits/semaphore.ts'
import type { Database } from '../../storage/storage.ts'
import { checkRegistration, RegistrationSchema } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { decodeFile } from '../../transfer/decode.ts'
import { EXPORT_FORMATS, type ExportFormat, exportStreams } from '../../transfer/export.ts'
import type { ForeignOptions } from '../../transfer/foreign/format.ts'
import { type ImportOptions, importLines } from '../../transfer/import.ts'
import type { LineOutcome } from '../../transfer/item.ts'
import { FORMATS, formatOf, readImportLines } from '../../transfer/lines.ts'
import type { OpenApiOptions } from '../../transfer/openapi/operations.ts'
import { answer, jsonOrLines } from '../answers/answer.ts'
import { ExportedStream, ImportProgress, ImportReport } from '../answers/transfer.ts'
import { describe } from '../http/describe.ts'
import { invalid, readBytes } from '../http/input.ts'
import {
  choice,
  each,
  flag,
  otherwise,
  parameters,
  readAs,
  type readQuery,
  text,
  whole,
} from '../http/query.ts'
import { streamed } from '../http/streamed.ts'
import { NDJSON, progressOf, reportOf } from './import-report.ts'

export interface TransferRoutesDeps {
  db: Database
  streams: Streams
  warn(message: string, error: unknown): void
}

/** Maximum size of an import file, in bytes. */
export const MAX_IMPORT_BYTES = 33_554_432
/** Timeout for an upload, in seconds: it occupies one of the few import slots. */
export const UPLOAD_SECONDS = 240
/** Maximum number of concurrent imports per process; each holds its file in memory. More are rejected. */
const MAX_IMPORTS = 4
/** Of these, for one key, so that others always have room. */
const MAX_IMPORTS_EACH = 2
/** The same for exports; each holds a page of streams in memory. */
const MAX_EXPORTS = 8
const CONTENT_TYPES: Record<ExportFormat, string> = {
  json: 'application/json',
  ndjson: NDJSON,
  csv: 'text/csv; charset=utf-8',
}
export const ImportQuery = parameters({
  format: choice(FORMATS, 'Default: detected from Content-Type or the content'),
  dryRun: otherwise(
    flag('`true`: reports what would change without changing anything or detecting kinds'),
    false,
  ),
  tag: text('Tag to add to every stream that is new or has an `id`'),
  start: flag('Default `start` for new streams'),
  intervalMs: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }, 'Default `intervalMs` for new streams'),
  header: pairs(
    { separator: ':', example: 'Name: value' },
    'Header as `Name: value`; repeatable. OpenAPI and Postman: sent with every request; other formats: the value of a header ' +
      'that is hidden in the file',
  ),
  param: pairs(
    { separator: '=', example: 'name=value' },
    'Value of a parameter or server variable of an OpenAPI document, or of a variable of a Postman collection, as ' +
      '`name=value`; repeatable',
  ),
  cookies: otherwise(flag('`true`: send the cookies that a HAR recorded'), false),
  server: readAs(
    'Base URL to use instead of the `servers` of an OpenAPI document; relative servers are resolved against it',
    webUrl,
  ),
})
const ExportQuery = parameters({
  format: otherwise(choice(EXPORT_FORMATS), 'json'),
  tag: text('Only streams with this tag'),
  secrets: otherwise(
    flag(
      '`true`: include header values; requires the scope `admin`. Protect the file like the secrets in it',
    ),
    false,
  ),
})

/** Imports files; shared by the API and the page, so that the limits apply to both together. */
export interface Importer {
  /**
   * Reserves an import slot before the file is read.
   * @returns a function that releases it
   * @throws Problem `too_many`
   */
  enter(request: Request): Promise<() => void>
  /** @throws Problem `invalid_field`, and what reading a file throws: nothing is imported then */
  run(asked: Asked): Promise<RunningImport>
}

export interface Asked {
  /** Options given in addition to the file. */
  options: Options
  text: string
  contentType: string | null
}

/** An import in progress: it advances as its outcomes are consumed. */
export interface RunningImport {
  dryRun: boolean
  outcomes: AsyncGenerator<LineOutcome[]>
}

export function importer({ db, streams }: Pick<TransferRoutesDeps, 'db' | 'streams'>): Importer {
  const places = new Semaphore({ what: 'imports', atOnce: MAX_IMPORTS, atOnceEach: MAX_IMPORTS_EACH })
  return {
    enter: (request) => places.enter(keyOf(request)),
    async run({ options, text, contentType }) {
      const lines = await readImportLines(text, options.format ?? formatOf(text, contentType), options)
      return { dryRun: options.dryRun, outcomes: importLines({ db, streams }, lines, options) }
    },
  }
}

/** The key of a request; undefined for the admin token. */
function keyOf(request: Request): string | undefined {
  const { id } = callerOf(request) ?? {}
  return id?.startsWith('key:') ? id : undefined
}

/** Import and export of many streams. */
export function transferRoutes(deps: TransferRoutesDeps & { imports: Importer }) {
  const { db, imports } = deps
  const exports = new Semaphore({ what: 'exports', atOnce: MAX_EXPORTS })
  return new Elysia({ detail: { tags: ['Streams'] } })
    .post(
      '/api/streams/import',
      async ({ query, request, server }) => {
        const leave = await imports.enter(request)
        let isHandedOn = false
        try {
          const options = optionsOf(query)
          server?.timeout(request, UPLOAD_SECONDS)
          const text = decodeFile(await readBytes(request, MAX_IMPORT_BYTES))
          // It may request many APIs to detect their kind before the response starts.
          server?.timeout(request, 0)
          const contentType = request.headers.get('content-type')
          const running = await imports.run({ options, text, contentType })
          if (!request.headers.get('accept')?.includes(NDJSON)) return await reportOf(running, request.signal)
          isHandedOn = true
          return progressOf(running, { warn: deps.warn, done: leave })
        } finally {
          if (!isHandedOn) leave()
        }
      },
      {
        query: ImportQuery,
        response: jsonOrLines(ImportReport, ImportProgress),
        detail: {
          ...describe('Import streams', IMPORT, {
            problems: ['bad_request', 'invalid_json', 'body_too_large', 'too_large', 'too_many'],
          }),
          // Read in the handler, once there is room for a file in memory.
          requestBody: IMPORT_BODY,
        },
      },
    )
    .get(
      '/api/streams/export',
      async ({ query, request }) => {
        if (query.secrets) checkScope(callerOf(request), 'admin')
        return download(exportStreams(db, query), query.format, await exports.enter())
      },
      {
        query: ExportQuery,
        response: EXPORTED,
        detail: describe('Export streams', EXPORT, { problems: ['too_many'] }),
      },
    )
}

type Options = ImportOptions &
  OpenApiOptions &
  ForeignOptions & { format: (typeof FORMATS)[number] | undefined }

type ImportAsked = ReturnType<typeof readQuery<(typeof ImportQuery)['parameters']>>

/** The options in a query. @throws Problem `invalid_field` for values that are invalid in lines, too */
export function optionsOf({
  format,
  dryRun,
  tag,
  start,
  intervalMs,
  header,
  param,
  server,
  cookies,
}: ImportAsked): Options {
  const defaults: Options['defaults'] = {}
  if (start !== undefined) defaults.start = start
  if (intervalMs !== undefined) defaults.intervalMs = intervalMs
  const headers = Object.fromEntries(header)
  checkRegistration({ url: 'http://localhost', ...defaults, headers, tags: tag === undefined ? [] : [tag] })
  return { format, dryRun, tag, defaults, headers, params: new Map(param), server, cookies }
}

function webUrl(name: string, text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text
  throw invalid(name, `${name}: expected a URL such as https://api.example.com/v1.`)
}

/** A parameter that may be repeated, each a name and a value. */
function pairs({ separator, example }: { separator: string; example: string }, description: string) {
  return each(description, (name, text): [string, string] => {
    const at = text.indexOf(separator)
    if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
    throw invalid(name, `${name}: expected "${example}".`)
  })
}

/** A file download; the first part is produced before the response starts, so that an error status is still possible. */
async function download(
  parts: AsyncGenerator<string>,
  format: ExportFormat,
  ended: () => void,
): Promise<Response> {
  let first: IteratorResult<string>
  try {
    first = await parts.next()
  } catch (error) {
    ended()
    throw error
  }
  const body = streamed(after(first, parts), ended)
  return new Response(body, {
    headers: {
      'Content-Type': CONTENT_TYPES[format],
      'Content-Disposition': `attachment; filename="weir-streams.${format}"`,
      'Cache-Control': 'no-store',
    },
  })
}

async function* after(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (!first.done) yield first.value
  yield* rest
}

const IMPORT =
  'Accepts a JSON array of registrations or `{"streams": […]}`, NDJSON, CSV with a header row, a list of URLs, an ' +
  'OpenAPI 3 or Swagger 2 document in JSON or YAML, whose GET operations become streams, a Postman collection, a HAR, a ' +
  'backup of Uptime Kuma, or an export of changedetection.io. Valid lines are imported even if others fail; the response ' +
  'reports each line, in order, as `created`, `unchanged`, `updated`, `skipped` (what no stream can follow, with its ' +
  '`reason`) or `failed`; with ' +
  `\`Accept: ${NDJSON}\`, as the import progresses. A line with the \`id\` of a stream updates that stream; a line without ` +
  'an ID that matches a stream (URL, method, body, header names, payload pointer, kind and name) leaves it unchanged. ' +
  'Importing an export, or the same file twice, changes nothing.'
const IMPORT_BODY = {
  required: true,
  content: {
    'application/json': {
      schema: Type.Array(RegistrationSchema) as object,
      example: [{ url: 'https://api.example.com/prices' }],
    },
    ...Object.fromEntries([NDJSON, 'text/csv', 'application/yaml'].map((type) => [type, { schema: {} }])),
  },
}
const EXPORT =
  'All registered streams in a format that `POST /api/streams/import` accepts; a twin is the field `twin` of its polled ' +
  'stream. Header values are hidden.'
const EXPORTED = exported()

function exported() {
  const csv = { 'text/csv': { schema: Type.String({ description: 'CSV with a header row' }) } }
  const list = jsonOrLines(Type.Array(ExportedStream), ExportedStream)[200].documented
  const content = { ...list.content, ...csv }
  return { 200: answer<unknown>({ description: 'Streams, as a file download', content }) }
}
