import { and, asc, gt, isNull, type SQL, sql } from 'drizzle-orm'
import { streams } from '../../drizzle/schema.ts'
import { HIDDEN } from '../core/hidden.ts'
import { plainOf } from '../core/sets/stream-fields.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { shownMessages } from '../streams/registry/messages.ts'
import { shownPush } from '../streams/registry/push-settings.ts'
import { registeredOptions } from '../streams/registry/request-options.ts'
import { csvHead, csvRow, MAX_HEADER_COLUMNS } from './csv.ts'
import type { JsonObject } from './fields.ts'
import { knownById } from './identity.ts'
import { portions } from './portions.ts'

/** Streams read at a time. */
const PAGE = 500

export const EXPORT_FORMATS = ['json', 'ndjson', 'csv'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportOptions {
  format: ExportFormat
  /** Omitted: all. */
  tag: string | undefined
  /** Whether to include header values. */
  secrets: boolean
}

/**
 * Every registered stream as text, in order of registration: importing it changes nothing. Streams created by the
 * proxy are left out; a twin is a field of its stream.
 * @throws Problem `invalid_field` for CSV with too many columns
 */
export async function* exportStreams(db: Database, options: ExportOptions): AsyncGenerator<string> {
  const { begin, row, between, end } = await writerOf(db, options)
  yield begin
  let isFirst = true
  for await (const page of pagesOf(db, options)) {
    yield (isFirst ? '' : between) + page.map(row).join(between)
    isFirst = false
  }
  yield end
}

interface Writer {
  begin: string
  row(fields: JsonObject): string
  between: string
  end: string
}

async function writerOf(db: Database, options: ExportOptions): Promise<Writer> {
  if (options.format === 'json') return { begin: '[\n', row: JSON.stringify, between: ',\n', end: '\n]\n' }
  if (options.format === 'ndjson') {
    return { begin: '', row: (fields) => `${JSON.stringify(fields)}\n`, between: '', end: '' }
  }
  const names = await headerNames(db, options)
  return { begin: csvHead(names), row: (fields) => csvRow(fields, names), between: '', end: '' }
}

async function* pagesOf(db: Database, { tag, secrets }: ExportOptions): AsyncGenerator<JsonObject[]> {
  let after: string | undefined
  for (;;) {
    const page = await db
      .select({ id: streams.id })
      .from(streams)
      .where(and(registered(tag), after === undefined ? undefined : gt(streams.id, after)))
      .orderBy(asc(streams.id))
      .limit(PAGE)
    const ids = page.map((row) => row.id)
    for (const portion of await portions(db, ids)) {
      const known = [...(await knownById(db, portion)).values()].sort((a, b) => (a.id < b.id ? -1 : 1))
      if (known.length > 0) yield known.map(({ hasTwin, ...stream }) => fieldsOf(stream, hasTwin, secrets))
    }
    if (page.length < PAGE) return
    after = ids.at(-1)
  }
}

/** A stream as its registration. */
function fieldsOf(stream: Stream, hasTwin: boolean, secrets: boolean): JsonObject {
  const { id, name, url, kind, intervalMs, silenceMs, deadAfterFailures, deadAfterMs } = stream
  const { resumes, method, headers, body, desired } = stream
  const hidden = Object.fromEntries(Object.keys(headers).map((header) => [header, HIDDEN]))
  return {
    ...{ id, name, url, kind, intervalMs, silenceMs, deadAfterFailures, deadAfterMs, resumes, method },
    headers: secrets ? headers : hidden,
    ...(body !== null && { body }),
    ...registeredOptions(stream, secrets),
    ...(stream.messages && { messages: secrets ? stream.messages : shownMessages(stream.messages) }),
    ...plainOf(stream),
    ...(stream.push !== null && { push: secrets ? stream.push : shownPush(stream.push) }),
    retention: stream.retention,
    start: desired === 'running',
    ...(hasTwin && { twin: true }),
  }
}

async function headerNames(db: Database, { tag }: ExportOptions): Promise<string[]> {
  const name = sql<string>`jsonb_object_keys(${streams.headers})`
  const rows = await db
    .selectDistinct({ name })
    .from(streams)
    .where(registered(tag))
    .limit(MAX_HEADER_COLUMNS + 1)
  if (rows.length <= MAX_HEADER_COLUMNS) return rows.map((row) => row.name).sort()
  throw new Problem(
    'invalid_field',
    `More than ${MAX_HEADER_COLUMNS} different headers. Use the format ndjson instead.`,
    'format',
  )
}

function registered(tag: string | undefined): SQL | undefined {
  const tagged = tag === undefined ? undefined : sql`${streams.tags} @> ARRAY[${tag}]::text[]`
  return and(isNull(streams.proxyKey), isNull(streams.twinOf), tagged)
}
