import { and, asc, eq, gt, ilike, or, type SQL, sql } from 'drizzle-orm'
import { rollups, states, streams } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import { SEVERITY_ARRAY, type Status } from '../../core/sets/statuses.ts'
import { MINUTE_MS } from '../../core/time.ts'
import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { hostOf } from '../ingest/host.ts'
import type { Stream } from '../ingest/run.ts'
import { receivedOf } from '../measures/by-kind.ts'
import { changesKey, sortedChanges } from '../measures/day-changes.ts'
import { type Cursor, readCursor, writeCursor } from './cursor.ts'
import { noStream } from './no-stream.ts'
import { visibleTo } from './visibility.ts'

/** Sort keys of lists; by default, lists are ordered by registration. */
export const SORTS = [
  'name',
  'status',
  'availability',
  'lastEvent',
  'perMinute',
  'bytes',
  'change',
  'created',
] as const
export type Sort = (typeof SORTS)[number]
export const ORDERS = ['asc', 'desc'] as const
export type Order = (typeof ORDERS)[number]

/** The default direction of a sort: names from A, everything else with the worst, highest or latest first. */
export function firstOrder(sort: Sort): Order {
  return sort === 'name' || sort === 'availability' ? 'asc' : 'desc'
}

/** Which streams; an omitted field matches all. */
export interface Filter {
  /** Part of the name or URL. */
  q?: string
  tag?: string
  /** Host of the URL, with its port. */
  host?: string
  status?: Status
  kind?: Stream['kind']
}

export interface ListQuery extends Filter {
  sort?: Sort
  /** Default: {@link firstOrder}. */
  order?: Order
  /** `next` of the page before. */
  after?: string
  limit: number
  /** The caller who lists them; if omitted, streams that everyone sees. */
  caller?: Caller | undefined
}

/** Rates are sorted by this many complete minutes, which don't change from page to page. */
const RATE_MINUTES = 5
/** The last millisecond of the year 9999, which everything that parses times accepts. */
const LAST_MS = 253_402_300_799_999
/** Sorts streams without a value last in either order: no value lies beyond it. */
const NOTHING = { asc: 1e300, desc: -1 } as const

/**
 * A page of streams, and the cursor of the next. Pages continue after the last stream's position, whatever was added
 * or removed since: every stream that keeps its position appears once. Rates are as of the first page; a status or
 * last event that changes meanwhile can move its stream past the cursor.
 * @throws Problem `invalid_field` for a cursor of another order
 */
export async function listStreams(
  db: Database,
  query: ListQuery,
  now: number,
): Promise<{ items: Stream[]; next: string | undefined }> {
  const { sort, limit } = query
  return sort === undefined ? listRegistered(db, query) : listSorted(db, { ...query, sort, limit }, now)
}

/** Number of matching streams visible to a caller; if omitted, visible to everyone. */
export async function countStreams(db: Database, filter: Filter, caller?: Caller): Promise<number> {
  const [row] = await db
    .select({ count: sql`count(*)`.mapWith(Number) })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .where(and(matching(filter), visibleTo(caller)))
  return row?.count ?? 0
}

/** IDs of the matching streams visible to a caller, ordered by registration, at most `limit`. */
export async function matchingIds(
  db: Database,
  filter: Filter,
  limit: number,
  caller: Caller | undefined,
): Promise<string[]> {
  const rows = await db
    .select({ id: streams.id })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .where(and(matching(filter), visibleTo(caller)))
    .orderBy(asc(streams.id))
    .limit(limit)
  return rows.map(({ id }) => id)
}

export function hasTag(tag: string): SQL {
  return sql`${streams.tags} @> ARRAY[${tag}]::text[]`
}

async function listRegistered(db: Database, { limit, after, order, caller, ...filter }: ListQuery) {
  if (order !== undefined) throw new Problem('invalid_field', 'order: requires `sort`.', 'order')
  if (after !== undefined && !isUuid(after)) throw noStream(after)
  const rows = await db
    .select({ stream: streams })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .where(and(matching(filter), visibleTo(caller), after === undefined ? undefined : gt(streams.id, after)))
    .orderBy(asc(streams.id))
    .limit(limit + 1)
  const items = rows.slice(0, limit).map((row) => row.stream)
  return { items, next: rows.length > limit ? items.at(-1)?.id : undefined }
}

async function listSorted(db: Database, query: ListQuery & { sort: Sort }, now: number) {
  const { sort, order = firstOrder(sort), after, limit, caller, ...filter } = query
  const cursor = after === undefined ? undefined : readCursor(after, { sort, order })
  const at = cursor?.at ?? Math.floor(now / MINUTE_MS) * MINUTE_MS
  const key = SORT_KEYS[sort](order, at)
  const direction = sql.raw(order)
  const rated = RATED[sort]
  // Full rows are read for the page only: sorting them all takes twice as long.
  const keys = db
    .select({ id: streams.id, key: key.as('sort_key') })
    .from(streams)
    .$dynamic()
  if (filter.status !== undefined || STATED.has(sort)) keys.innerJoin(states, eq(states.streamId, streams.id))
  if (sort === 'change') keys.leftJoin(sortedChanges(at), sql`rate.stream_id = ${streams.id}`)
  if (rated !== undefined) keys.leftJoin(rates(at, rated), sql`rate.stream_id = ${streams.id}`)
  const page = keys
    .where(and(matching(filter), visibleTo(caller), cursor && beyond(cursor, key)))
    .orderBy(sql`sort_key ${direction}, ${streams.id} ${direction}`)
    .limit(limit + 1)
    .as('page')
  const rows = await db
    .select({ stream: streams, key: page.key })
    .from(page)
    .innerJoin(streams, eq(streams.id, page.id))
    .orderBy(sql`${page.key} ${direction}, ${streams.id} ${direction}`)
  const last = rows.length > limit ? rows[limit - 1] : undefined
  const next = last && writeCursor({ sort, order, at, key: last.key, id: last.stream.id })
  return { items: rows.slice(0, limit).map((row) => row.stream), next }
}

function beyond({ sort, key: value, id, order }: Cursor, key: SQL): SQL {
  const type = sql.raw(typeof value === 'number' ? 'float8' : 'text')
  const place = sort === 'created' ? instant(value) : sql`${value}::${type}`
  return sql`(${key}, ${streams.id}) ${sql.raw(order === 'asc' ? '>' : '<')} (${place}, ${id}::uuid)`
}

/** A number from outside may be no valid date for `Date` or Postgres: it is clamped to their range. */
function instant(ms: string | number): SQL {
  return timestamp(Math.min(Math.max(Number(ms), 0), LAST_MS))
}

/** The same for availability, which is a share. */
const UNKNOWN = { asc: sql.raw('2'), desc: sql.raw('-1') } as const

type Key = (order: Order, at: number) => SQL<string | number>

const SORT_KEYS: Record<Sort, Key> = {
  // By bytes, whatever the database's collation: language collations may change with an upgrade.
  name: () => sql<string>`lower(${streams.name}) COLLATE "C"`,
  // Written as in its index, without parameters.
  status: () => number(sql`array_position(${sql.raw(`'${SEVERITY_ARRAY}'`)}::text[], ${states.status})`),
  // In ascending order as in its index.
  availability: (order) => sql<number>`coalesce(${states.availability}, ${UNKNOWN[order]})`.mapWith(Number),
  lastEvent: (order) => number(sql`(${states.evidence} ->> 'lastEventAt')::float8`, order),
  perMinute: (_order, at) =>
    number(
      sql`coalesce(${receivedOf(streams.kind, { events: sql`rate.events`, polls: sql`rate.polls` })}, 0) / ${age(at)}`,
    ),
  bytes: (_order, at) => number(sql`coalesce(rate.wire_bytes, 0) / ${age(at)}`),
  change: (order, at) => number(changesKey(at), order),
  created: () => sql<number>`${streams.createdAt}`.mapWith((at) => new Date(at).getTime()),
}
/** Sort keys that come from {@link states}. */
const STATED: ReadonlySet<Sort> = new Set(['status', 'availability', 'lastEvent'])
/** The sums that each sort by rate needs: every further one makes it slower. */
const RATED: Partial<Record<Sort, readonly (keyof typeof RATES)[]>> = {
  perMinute: ['events', 'polls'],
  bytes: ['wire_bytes'],
}
const RATES = {
  events: rollups.events,
  polls: rollups.polls,
  wire_bytes: rollups.wireBytes,
}

/** @param order set if there may be no value: such streams come last */
function number(value: SQL, order?: Order): SQL<number> {
  const known = order === undefined ? value : sql`coalesce(${value}, ${NOTHING[order]})`
  return sql<number>`(${known})::float8`.mapWith(Number)
}

/** Age of a stream within the window, in minutes, at least one. */
function age(at: number): SQL {
  return sql`least(${RATE_MINUTES}, greatest(1, (${at}::float8 - extract(epoch FROM ${streams.createdAt}) * 1000) / ${MINUTE_MS}))`
}

function rates(at: number, names: readonly (keyof typeof RATES)[]): SQL {
  const [from, to] = [at - RATE_MINUTES * MINUTE_MS, at].map((each) => new Date(each).toISOString())
  const sums = names.map((name) => sql`, sum(${RATES[name]}::float8) AS ${sql.raw(name)}`)
  return sql`(
    SELECT ${rollups.streamId} AS stream_id${sql.join(sums)}
    FROM ${rollups}
    WHERE ${rollups.minute} >= ${from}::timestamptz AND ${rollups.minute} < ${to}::timestamptz
    GROUP BY ${rollups.streamId}) AS rate`
}

function matching({ q, tag, host, status, kind }: Filter): SQL | undefined {
  // Postgres text can't contain NUL, so nothing can match.
  if ([q, tag, host].some((text) => text?.includes('\0'))) return sql`false`
  const conditions: (SQL | undefined)[] = []
  if (q !== undefined) {
    const part = `%${q.replace(/[\\%_]/g, '\\$&')}%`
    conditions.push(or(ilike(streams.name, part), ilike(streams.url, part)))
  }
  if (tag !== undefined) conditions.push(hasTag(tag))
  if (host !== undefined) conditions.push(eq(hostOf(streams.url), host.toLowerCase()))
  if (status !== undefined) conditions.push(eq(states.status, status))
  if (kind !== undefined) conditions.push(eq(streams.kind, kind))
  return and(...conditions)
}
