import { and, asc, eq, gt, ilike, or, type SQL, sql } from 'drizzle-orm'
import { rollups, states, streams } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { hostOf } from '../ingest/host.ts'
import type { Stream } from '../ingest/run.ts'
import { type Cursor, readCursor, writeCursor } from './cursor.ts'
import { isUuid, noStream } from './uuid.ts'
import { visibleTo } from './visibility.ts'

/** What lists can be sorted by; left out, they have the order of registration. */
export const SORTS = ['name', 'verdict', 'lastEvent', 'perMinute', 'bytes', 'change', 'created'] as const
export type Sort = (typeof SORTS)[number]
export const ORDERS = ['asc', 'desc'] as const
export type Order = (typeof ORDERS)[number]

/** The order that is asked for first: names from A, all else with what is worst, most or latest in front. */
export function firstOrder(sort: Sort): Order {
  return sort === 'name' ? 'asc' : 'desc'
}

/** Which streams; what is left out doesn't narrow. */
export interface Filter {
  /** Part of name or URL. */
  q?: string
  tag?: string
  /** Of the URL, with its port. */
  host?: string
  /** A verdict. */
  state?: Verdict
  kind?: Stream['kind']
}

export interface ListQuery extends Filter {
  sort?: Sort
  /** Left out: {@link firstOrder}. */
  order?: Order
  /** `next` of the page before. */
  after?: string
  limit: number
  /** Who lists them. Left out: the streams that all see. */
  caller?: Caller | undefined
}

/** The verdicts, the better in front: from stopped to dead. */
const SEVERITY = ['stopped', 'live', 'quiet', 'backing-off', 'stalled', 'dead'] as const satisfies Verdict[]
/** Rates are sorted by the sums of this many whole minutes: those that are over don't change from page to page. */
const RATE_MINUTES = 5
const MINUTE_MS = 60_000
/** The last millisecond of the year 9999, which all who read times understand. */
const LAST_MS = 253_402_300_799_999
/** Stands for "nothing yet" at the end of either order: no value lies beyond it. */
const NOTHING = { asc: 1e300, desc: -1 } as const

/**
 * A page of streams and the cursor of the next. Pages go on from the last stream's place, whatever came or went since:
 * each stream that stays where it is comes once. Rates are those of the first page's moment; a verdict or a last event
 * that changes meanwhile can move its stream past the cursor.
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

/** How many streams match that a caller sees; left out: that all see. */
export async function countStreams(db: Database, filter: Filter, caller?: Caller): Promise<number> {
  const [row] = await db
    .select({ count: sql`count(*)`.mapWith(Number) })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .where(and(matching(filter), visibleTo(caller)))
  return row?.count ?? 0
}

/** The ids of all streams that match and that a caller sees, in the order of registration, at most `limit`. */
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
  if (order !== undefined) throw new Problem('invalid_field', 'order: say what to sort by.', 'order')
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
  // Whole streams are read of the page alone: to sort all of them takes twice as long.
  const keys = db
    .select({ id: streams.id, key: key.as('sort_key') })
    .from(streams)
    .$dynamic()
  if (filter.state !== undefined || STATED.has(sort)) keys.innerJoin(states, eq(states.streamId, streams.id))
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

/** A number from outside may be none that a `Date` or Postgres knows: it is as far away as those go. */
function instant(ms: string | number): SQL {
  const known = Math.min(Math.max(Number(ms), 0), LAST_MS)
  return sql`${new Date(known).toISOString()}::timestamptz`
}

type Key = (order: Order, at: number) => SQL<string | number>

const SORT_KEYS: Record<Sort, Key> = {
  // By the byte, whatever the database's own order is: an order of languages may change with an upgrade.
  name: () => sql<string>`lower(${streams.name}) COLLATE "C"`,
  // As its index has it: no parameter.
  verdict: () =>
    number(sql`array_position(${sql.raw(`'{${SEVERITY.join(',')}}'`)}::text[], ${states.verdict})`),
  lastEvent: (order) => number(sql`(${states.evidence} ->> 'lastEventAt')::float8`, order),
  perMinute: (_order, at) =>
    number(
      sql`coalesce(CASE ${streams.kind} WHEN 'sse' THEN rate.events ELSE rate.polls END, 0) / ${age(at)}`,
    ),
  bytes: (_order, at) => number(sql`coalesce(rate.wire_bytes, 0) / ${age(at)}`),
  change: (order) => number(sql`rate.changed / nullif(rate.compared, 0)`, order),
  created: () => sql<number>`${streams.createdAt}`.mapWith((at) => new Date(at).getTime()),
}
/** Sorts by what is in {@link states}. */
const STATED: ReadonlySet<Sort> = new Set(['verdict', 'lastEvent'])
/** The sums that a sort by rates takes: each more makes it slower. */
const RATED: Partial<Record<Sort, readonly (keyof typeof RATES)[]>> = {
  perMinute: ['events', 'polls'],
  bytes: ['wire_bytes'],
  change: ['compared', 'changed'],
}
const RATES = {
  events: rollups.events,
  polls: rollups.polls,
  wire_bytes: rollups.wireBytes,
  compared: rollups.compared,
  changed: rollups.changed,
}

/** @param order given where there may be no value: such streams come last */
function number(value: SQL, order?: Order): SQL<number> {
  const known = order === undefined ? value : sql`coalesce(${value}, ${NOTHING[order]})`
  return sql<number>`(${known})::float8`.mapWith(Number)
}

/** Minutes that a stream was there for its sums, at least one. */
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

function matching({ q, tag, host, state, kind }: Filter): SQL | undefined {
  // Postgres has no text with NUL in it, so nothing can match one.
  if ([q, tag, host].some((text) => text?.includes('\0'))) return sql`false`
  const conditions: (SQL | undefined)[] = []
  if (q !== undefined) {
    const part = `%${q.replace(/[\\%_]/g, '\\$&')}%`
    conditions.push(or(ilike(streams.name, part), ilike(streams.url, part)))
  }
  if (tag !== undefined) conditions.push(hasTag(tag))
  if (host !== undefined) conditions.push(eq(hostOf(streams.url), host.toLowerCase()))
  if (state !== undefined) conditions.push(eq(states.verdict, state))
  if (kind !== undefined) conditions.push(eq(streams.kind, kind))
  return and(...conditions)
}
