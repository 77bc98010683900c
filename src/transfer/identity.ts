import { and, inArray, isNull, sql } from 'drizzle-orm'
import { entries, streams } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import { newStream } from '../streams/new-stream.ts'
import type { Registration } from '../streams/registration.ts'
import type { Stream } from '../streams/run.ts'

/** A stream as an import compares it. */
export type Known = Stream & {
  /** Whether it is followed through the proxy as well. */
  hasTwin: boolean
}

/** The streams of these ids that there are. */
export async function knownById(db: Database, ids: readonly string[]): Promise<Map<string, Known>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .select()
    .from(streams)
    .where(inArray(streams.id, [...ids]))
  const twins = await db
    .select({ of: streams.twinOf })
    .from(streams)
    .where(inArray(streams.twinOf, [...ids]))
  const doubled = new Set(twins.map((twin) => twin.of))
  return new Map(rows.map((stream) => [stream.id, { ...stream, hasTwin: doubled.has(stream.id) }]))
}

/** Ids, of these, under which a removed stream has left entries: a new stream's would get into their way. */
export async function withEntries(db: Database, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const { rows } = (await db.execute(sql`
    SELECT id FROM json_array_elements_text(${JSON.stringify(ids)}::json) AS id
    WHERE EXISTS (SELECT FROM ${entries} WHERE ${entries.streamId} = id::uuid)`)) as unknown as Rows
  return new Set(rows.map(({ id }) => id))
}

interface Rows {
  rows: { id: string }[]
}

/** Finds the stream that a registration without an id is: the one that asks the same API for the same. */
export class Equals {
  readonly #known = new Map<string, { id: string | undefined; kind: Stream['kind'] | undefined }[]>()

  /** Gets to know the streams that there are at these URLs. */
  async load(db: Database, urls: readonly string[]): Promise<void> {
    if (urls.length === 0) return
    const rows = await db
      .select()
      .from(streams)
      .where(and(inArray(streams.url, [...new Set(urls)]), isNull(streams.proxyKey), isNull(streams.twinOf)))
    for (const stream of rows) this.add(stream, stream.id)
  }

  add(stream: Comparable, id: string | undefined): void {
    const key = keyOf(stream)
    const same = this.#known.get(key) ?? []
    this.#known.set(key, [...same, { id, kind: stream.kind }])
  }

  /** @returns the equal stream; without an id when it is only planned */
  find(stream: Comparable): { id: string | undefined } | undefined {
    const { kind } = stream
    return this.#known
      .get(keyOf(stream))
      ?.find((each) => kind === undefined || each.kind === undefined || each.kind === kind)
  }
}

/** What makes a stream what it is. A `kind` that is left open equals either. */
type Comparable = Pick<Stream, 'url' | 'name' | 'method' | 'headers' | 'body' | 'payloadPointer'> & {
  kind: Stream['kind'] | undefined
}

/** A registration as it would be stored, for comparison. */
export function comparable({ start: _start, twin: _twin, ...said }: Registration): Comparable {
  const { kind } = said
  return { ...newStream({ ...said, url: new URL(said.url).href, kind: kind ?? 'poll' }), kind }
}

/** Of headers the names alone: their values may be hidden. */
function keyOf({ url, name, method, headers, body, payloadPointer }: Comparable): string {
  const names = Object.keys(headers).map((each) => each.toLowerCase())
  return JSON.stringify([url, name, method, body || null, payloadPointer, names.sort()])
}
