import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { callerOf } from '../../auth/caller.ts'
import { checkScope } from '../../auth/scopes.ts'
import { Problem } from '../../errors.ts'
import { Places } from '../../limits/places.ts'
import type { Database } from '../../storage/storage.ts'
import { checkRegistration, RegistrationSchema } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { EXPORT_FORMATS, type ExportFormat, exportStreams } from '../../transfer/export.ts'
import { type ImportOptions, importLines } from '../../transfer/import.ts'
import type { Outcome } from '../../transfer/item.ts'
import { FORMATS, formatOf, readLines } from '../../transfer/lines.ts'
import type { OpenApiOptions } from '../../transfer/openapi/operations.ts'
import { type Answers, jsonOrLines } from '../answers/answer.ts'
import { ExportedStream, ImportProgress, ImportReport } from '../answers/transfer.ts'
import { integerOf, oneOf, query, readText } from '../http/input.ts'
import { type OperationOptions, operation } from '../http/operation.ts'
import { type Parameter, oneOf as words } from '../http/parameters.ts'
import { streamed } from '../http/streamed.ts'
import { NDJSON, progressOf, reportOf } from './import-report.ts'

export interface TransferRoutesDeps {
  db: Database
  streams: Streams
  warn(message: string, error: unknown): void
}

/** Largest file that can be imported, in bytes. */
export const MAX_IMPORT_BYTES = 33_554_432
/** A file that takes longer to arrive is given up, in seconds: it has a place among the few. */
export const UPLOAD_SECONDS = 240
/** Imports under way in this process; each holds its file in memory. More are refused. */
const MAX_IMPORTS = 4
/** Of them, those of one key: the others have room, whatever it does. */
const MAX_IMPORTS_EACH = 2
/** Likewise of exports, each a page of streams in memory. */
const MAX_EXPORTS = 8
const BOOLEANS = ['true', 'false'] as const
const SWITCH = words(BOOLEANS)
const CONTENT_TYPES: Record<ExportFormat, string> = {
  json: 'application/json',
  ndjson: NDJSON,
  csv: 'text/csv; charset=utf-8',
}
const IMPORT_PARAMETERS = [
  'format',
  'dryRun',
  'tag',
  'start',
  'intervalMs',
  'header',
  'param',
  'server',
] as const
const EXPORT_PARAMETERS = ['format', 'tag', 'secrets'] as const

/** Imports files; there is one for the API and the page, so that its bounds hold for both together. */
export interface Importer {
  /**
   * Takes a place among the few imports that may be under way, before a file is read.
   * @returns what gives it back
   * @throws Problem `too_many`
   */
  enter(request: Request): Promise<() => void>
  /** @throws Problem `invalid_field`, and what reading a file throws: nothing is imported then */
  run(asked: Asked): Promise<Running>
}

export interface Asked {
  /** What the caller says beside the file. */
  options: Options
  text: string
  contentType: string | null
}

/** An import under way: it goes on as its outcomes are taken. */
export interface Running {
  dryRun: boolean
  outcomes: AsyncGenerator<Outcome[]>
}

export function importer({ db, streams }: Pick<TransferRoutesDeps, 'db' | 'streams'>): Importer {
  const places = new Places({ what: 'imports', atOnce: MAX_IMPORTS, atOnceEach: MAX_IMPORTS_EACH })
  return {
    enter: (request) => places.enter(keyOf(request)),
    async run({ options, text, contentType }) {
      const lines = await readLines(text, options.format ?? formatOf(text, contentType), options)
      return { dryRun: options.dryRun, outcomes: importLines({ db, streams }, lines, options) }
    },
  }
}

/** The key that a request comes with; the owner's requests are no one's in particular. */
function keyOf(request: Request): string | undefined {
  const { id } = callerOf(request) ?? {}
  return id?.startsWith('key:') ? id : undefined
}

/** Moving many streams in and out at once. */
export function transferRoutes(deps: TransferRoutesDeps & { imports: Importer }) {
  const { db, imports } = deps
  const exports = new Places({ what: 'exports', atOnce: MAX_EXPORTS })
  return new Elysia({ detail: { tags: ['Streams'] } })
    .post(
      '/api/streams/import',
      async ({ request, server }) => {
        const leave = await imports.enter(request)
        let isHandedOn = false
        try {
          const options = optionsOf(request)
          server?.timeout(request, UPLOAD_SECONDS)
          const text = await readText(request, MAX_IMPORT_BYTES)
          // It may ask many APIs for their kind before there is anything to say.
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
        parse: 'none',
        detail: { ...operation('Import streams', IMPORT, IMPORT_OPTIONS), requestBody: IMPORT_BODY },
      },
    )
    .get(
      '/api/streams/export',
      async ({ request }) => {
        const { format: asked, tag, secrets } = query(request, ...EXPORT_PARAMETERS)
        const format = oneOf('format', asked, EXPORT_FORMATS) ?? 'json'
        const options = { format, tag, secrets: oneOf('secrets', secrets, BOOLEANS) === 'true' }
        if (options.secrets) checkScope(callerOf(request), 'admin')
        return download(exportStreams(db, options), format, await exports.enter())
      },
      { detail: operation('Export streams', EXPORT, EXPORT_OPTIONS) },
    )
}

type Options = ImportOptions & OpenApiOptions & { format: (typeof FORMATS)[number] | undefined }

/** What a request says in its query. @throws Problem `invalid_field` for what no line could say either */
export function optionsOf(request: Request): Options {
  const { format, dryRun, tag, start, intervalMs, server } = query(request, ...IMPORT_PARAMETERS)
  const { searchParams } = new URL(request.url)
  const defaults: Options['defaults'] = {}
  const isStarted = oneOf('start', start, BOOLEANS)
  if (isStarted !== undefined) defaults.start = isStarted === 'true'
  const interval = integerOf('intervalMs', intervalMs, 0, Number.MAX_SAFE_INTEGER)
  if (interval !== undefined) defaults.intervalMs = interval
  const headers = Object.fromEntries(searchParams.getAll('header').map((each) => pairOf('header', each, ':')))
  checkRegistration({ url: 'http://localhost', ...defaults, headers, tags: tag === undefined ? [] : [tag] })
  if (server !== undefined) checkServer(server)
  return {
    format: oneOf('format', format, FORMATS),
    dryRun: oneOf('dryRun', dryRun, BOOLEANS) === 'true',
    tag,
    defaults,
    headers,
    params: new Map(searchParams.getAll('param').map((each) => pairOf('param', each, '='))),
    server,
  }
}

function checkServer(server: string): void {
  if (/^https?:$/.test(URL.parse(server)?.protocol ?? '')) return
  throw new Problem('invalid_field', 'server: expected a URL such as https://api.example.com/v1.', 'server')
}

function pairOf(field: string, text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  const example = separator === ':' ? 'Name: value' : 'name=value'
  throw new Problem('invalid_field', `${field}: expected "${example}".`, field)
}

/** A file; its first part is made before the answer begins, so that a refusal can still be one. */
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
  'A JSON array of registrations or `{"streams": […]}`, NDJSON, CSV with field names in its first line, or an ' +
  'OpenAPI 3 document in JSON or YAML, whose GET operations become streams. Good lines go in whatever the others ' +
  'are; the answer says of each line, in order, whether it was `created`, `unchanged`, `updated` or `failed`, and ' +
  `with \`Accept: ${NDJSON}\` it says so as they are done. A line with the \`id\` of a stream changes that stream ` +
  'where it differs; one without an id that equals a stream (URL, method, body, header names, payload pointer, ' +
  'kind and name) leaves it as it is. Importing an export, or the same file twice, changes nothing.'
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
const IMPORT_DOCS: Record<(typeof IMPORT_PARAMETERS)[number], Omit<Parameter, 'name'>> = {
  format: {
    description: 'Left out: what Content-Type says or the content looks like',
    schema: words(FORMATS),
  },
  dryRun: { description: 'true: only says what would be done, and asks no API for its kind', schema: SWITCH },
  tag: { description: 'Added to the tags of every stream that is new or named by its id' },
  start: { description: 'For new streams that do not say it', schema: SWITCH },
  intervalMs: {
    description: 'For new streams that do not say it',
    schema: { type: 'integer', minimum: 0 },
  },
  header: {
    description:
      '`Name: value`, once for each header: sent with every operation of an OpenAPI document; elsewhere, the value of ' +
      'headers that the file hides',
  },
  param: {
    description: '`name=value`, once for each parameter or server variable of an OpenAPI document',
  },
  server: {
    description:
      'Where the API of an OpenAPI document is, instead of its servers; relative ones are resolved against it',
  },
}
const IMPORT_OPTIONS: OperationOptions = {
  parameters: parametersOf(IMPORT_DOCS),
  answers: jsonOrLines(ImportReport, ImportProgress),
  problems: ['bad_request', 'invalid_json', 'body_too_large', 'too_large', 'too_many'],
}
const EXPORT =
  'Every registered stream as `POST /api/streams/import` takes it; a twin is the field `twin` of its polled stream. ' +
  'Values of headers are hidden.'
const EXPORT_DOCS: Record<(typeof EXPORT_PARAMETERS)[number], Omit<Parameter, 'name'>> = {
  format: { schema: { ...words(EXPORT_FORMATS), default: 'json' } },
  tag: { description: 'Only streams that have it' },
  secrets: {
    description:
      'true: with the values of headers, for who has the scope `admin`. Keep such a file as you keep the secrets',
    schema: SWITCH,
  },
}
const EXPORT_OPTIONS: OperationOptions = {
  parameters: parametersOf(EXPORT_DOCS),
  answers: exported(),
  problems: ['too_many'],
}

function exported(): Answers {
  const csv = { 'text/csv': { schema: Type.String({ description: 'Field names in its first line' }) } }
  const list = jsonOrLines(Type.Array(ExportedStream), ExportedStream)[200]
  return { 200: { description: 'The streams, as a file', content: { ...list?.content, ...csv } } }
}

function parametersOf(described: Record<string, Omit<Parameter, 'name'>>): Parameter[] {
  return Object.entries(described).map(([name, parameter]) => ({ name, ...parameter }))
}
