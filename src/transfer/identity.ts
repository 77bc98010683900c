import { and, inArray, isNull, sql } from 'drizzle-orm'
import { entries, streams } from '../../drizzle/schema.ts'
import { OTHERWISE } from '../core/sets/stream-kinds.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { unique } from '../streams/registry/from-registration.ts'
import { newStream } from '../streams/registry/new-stream.ts'
import type { Registration } from '../streams/registry/registration.ts'

/** A stream as an import compares it. */
export type Known = Stream & {
  /** Whether it has a twin. */
  hasTwin: boolean
}

/** The existing streams with these IDs. */
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

/** The IDs among these under which a removed stream has left entries, which a new stream would conflict with. */
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

/** Finds the stream that equals a registration without an ID: one with the same request and payload. */
export class Equals {
  readonly #known = new Map<string, { id: string | undefined; kind: Stream['kind'] | undefined }[]>()
  /** Pairs of URL and name that are loaded. */
  readonly #loaded = new Set<string>()

  /** Loads the existing streams with these URLs and names. */
  async load(db: Database, registrations: readonly Pick<Stream, 'url' | 'name'>[]): Promise<void> {
    const fresh = registrations.filter(({ url, name }) => !this.#loaded.has(placeOf(url, name)))
    if (fresh.length === 0) return
    const rows = await db
      .select(LOADED)
      .from(streams)
      .where(
        and(
          inArray(streams.url, unique(fresh.map(({ url }) => url))),
          inArray(streams.name, unique(fresh.map(({ name }) => name))),
          isNull(streams.proxyKey),
          isNull(streams.twinOf),
        ),
      )
    for (const { id, kind, ...stream } of rows) {
      if (!this.#loaded.has(placeOf(stream.url, stream.name))) this.#add(keyOf(stream), id, kind)
    }
    for (const { url, name } of fresh) this.#loaded.add(placeOf(url, name))
  }

  add(stream: Comparable, id: string | undefined): void {
    this.#add(keyOf(identifying(stream)), id, stream.kind)
  }

  /** @returns the equal stream, without an ID if it is only planned */
  find(stream: Comparable): { id: string | undefined } | undefined {
    const { kind } = stream
    return this.#known
      .get(keyOf(identifying(stream)))
      ?.find((each) => kind === undefined || each.kind === undefined || each.kind === kind)
  }

  #add(key: string, id: string | undefined, kind: Stream['kind'] | undefined): void {
    const same = this.#known.get(key)
    if (same === undefined) this.#known.set(key, [{ id, kind }])
    else same.push({ id, kind })
  }
}

/** What identifies a stream. An omitted `kind` equals either. */
type Comparable = Pick<
  Stream,
  'url' | 'name' | 'method' | 'headers' | 'body' | 'payloadPointer' | 'select'
> & {
  kind: Stream['kind'] | undefined
}

/** A registration as it would be stored, for comparison. */
export function comparable({
  url,
  name,
  method,
  headers,
  body,
  payloadPointer,
  kind,
}: Registration): Comparable {
  const said = {
    ...(name !== undefined && { name }),
    ...(method !== undefined && { method }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && { body }),
    ...(payloadPointer !== undefined && { payloadPointer }),
  }
  return { ...newStream({ ...said, url: new URL(url).href, kind: kind ?? OTHERWISE }), kind }
}

/** What distinguishes streams: header names without values, because those may be hidden, and the hash of the body. */
type Identifying = Pick<Stream, 'url' | 'name' | 'method' | 'payloadPointer' | 'select'> & {
  bodyHash: string | null
  headerNames: string[]
}

/** Without bodies and headers, which could fill the memory. */
const LOADED = {
  ...{ id: streams.id, kind: streams.kind, url: streams.url, name: streams.name },
  ...{ method: streams.method, payloadPointer: streams.payloadPointer, select: streams.select },
  bodyHash: sql<string | null>`md5(nullif(${streams.body}, ''))`,
  headerNames: sql<string[]>`ARRAY(SELECT jsonb_object_keys(${streams.headers}))`,
}

function identifying({ url, name, method, headers, body, payloadPointer, select }: Comparable): Identifying {
  const bodyHash = body ? new Bun.CryptoHasher('md5').update(body).digest('hex') : null
  return { url, name, method, payloadPointer, select, bodyHash, headerNames: Object.keys(headers) }
}

function keyOf({ url, name, method, bodyHash, payloadPointer, select, headerNames }: Identifying): string {
  const names = headerNames.map((each) => each.toLowerCase())
  return JSON.stringify([url, name, method, bodyHash, payloadPointer, select, names.sort()])
}

function placeOf(url: string, name: string): string {
  return `${url} ${name}`
}
