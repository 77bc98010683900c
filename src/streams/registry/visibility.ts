import { and, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import { streams } from '../../../drizzle/schema.ts'
import { type Caller, covers } from '../../auth/caller.ts'
import { batched } from '../../core/batch.ts'
import { isUuid } from '../../core/uuid.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import { noStream } from './no-stream.ts'

/** Maximum number of lookups in one statement; further ones wait for the next. */
const MAX_JOINS = 1_000

/**
 * Streams that are visible to every caller: all except private ones, which the proxy made for requests with headers or
 * credentials of their own. The responses to those belong to their sender. What is made once for all readers (topology,
 * incidents, metrics, sums by tag) includes shared streams only.
 */
export const IS_SHARED: SQL = or(
  isNull(streams.proxyKey),
  sql`(${streams.headers} = '{}'::jsonb AND ${streams.auth} IS NULL AND ${streams.tls} IS NULL)`,
) as SQL

/** {@link IS_SHARED} for a stream in memory. */
export function isShared({
  proxyKey,
  headers,
  auth,
  tls,
}: Pick<Stream, 'proxyKey' | 'headers' | 'auth' | 'tls'>): boolean {
  return proxyKey === null || (Object.keys(headers).length === 0 && auth === null && tls === null)
}

/** {@link IS_SHARED} for a statement with its own alias of `weir.streams`. */
export function isSharedAs(name: 's' | 'stream' | 'streams'): SQL {
  return sql.raw(
    `(${name}.proxy_key IS NULL OR (${name}.headers = '{}'::jsonb AND ${name}.auth IS NULL AND ${name}.tls IS NULL))`,
  )
}

/**
 * Streams that are visible to a caller: the shared ones and its own, or with scope `admin` all of them. Without a
 * caller: the shared ones. A private stream without a known owner is visible to admins only.
 */
export function visibleTo(caller: Caller | undefined): SQL | undefined {
  if (caller === undefined) return IS_SHARED
  return seesAll(caller)
    ? undefined
    : or(IS_SHARED, sql`${streams.owner} IS NOT DISTINCT FROM ${caller.id}::text`)
}

export function seesAll(caller: Caller | undefined): boolean {
  return caller !== undefined && covers(caller.scope, 'admin')
}

/** Those of the streams that are visible to a caller, in the same order. */
export async function visibleAmong(
  db: Database,
  ids: readonly string[],
  caller: Caller | undefined,
): Promise<string[]> {
  if (ids.length === 0 || seesAll(caller)) return [...ids]
  const hidden = and(inArray(streams.id, [...ids]), not(visibleTo(caller) as SQL))
  const rows = await db.select({ id: streams.id }).from(streams).where(hidden)
  const gone = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !gone.has(id.toLowerCase()))
}

/** Decides whether a stream exists for a caller. */
export class Visibility {
  readonly #ownerOf: (id: string) => Promise<{ owner: string | null } | undefined>

  constructor(db: Database) {
    this.#ownerOf = batched(async (ids) => {
      const rows = await db
        .select({ id: streams.id, owner: streams.owner })
        .from(streams)
        .where(and(inArray(streams.id, [...ids]), not(IS_SHARED)))
      const owners = new Map(rows.map(({ id, owner }) => [id, { owner }]))
      return ids.map((id) => owners.get(id))
    }, MAX_JOINS)
  }

  /** @throws Problem `not_found` for a stream that isn't visible to the caller, as for one that doesn't exist */
  async check(caller: Caller | undefined, id: string): Promise<void> {
    if (seesAll(caller) || !isUuid(id)) return
    const restricted = await this.#ownerOf(id.toLowerCase())
    if (restricted === undefined) return
    if (caller === undefined || restricted.owner !== caller.id) throw noStream(id)
  }
}
