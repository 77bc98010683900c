import { and, desc, eq, gte, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { rollups, streams } from '../../../drizzle/schema.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { POLLED_KINDS } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import type { Window } from '../measures/measures.ts'
import { rollupsWithin } from '../measures/rollup-source.ts'
import { readStreamSavings, type StreamSavings } from '../measures/savings.ts'
import type { Order } from '../registry/listing.ts'

/**
 * A polled stream and its twin: what polling transfers in three ways, and what both transferred. Bytes, including all
 * heads.
 */
export interface TwinPair extends TwinSums {
  /** ID of the polled stream. */
  id: string
  name: string
  url: string
  intervalMs: number
  desired: 'running' | 'stopped' | 'idle'
  streamingId: string
  /** When the twin was made: earlier traffic doesn't count. */
  since: Date
}

/** Bytes and counts. */
export interface TwinSums {
  /**
   * What a polling client would have transferred: plain, with gzip, and with gzip and ETag, where an unchanged
   * document is a 304.
   */
  plainBytes: number
  gzipBytes: number
  conditionalBytes: number
  /** What Weir transferred: by polling as efficiently as the upstream allows, and by streaming. */
  polledBytes: number
  streamedBytes: number
  polls: number
  changes: number
}

/** Sort keys of pairs. */
export const TWIN_SORTS = [
  'saved',
  'measured',
  'plain',
  'gzip',
  'conditional',
  'streamed',
  'changes',
  'name',
] as const
export type TwinSort = (typeof TWIN_SORTS)[number]

/** Maximum pairs; the newest ones win. */
export const MAX_PAIRS = 1_000
/** Window in which candidates are ranked by their polling, in milliseconds. */
const CANDIDATES_MS = 15 * STEPS_MS.minute
/** Heads of answered polls, and their redirects: what polling transfers beyond bodies, as in `baselines`. */
const ADDED = '(rollup.head_bytes - rollup.failed_head_bytes + rollup.redirect_bytes)'
const COLUMNS: Readonly<Record<keyof TwinSums, string>> = {
  plainBytes: `CASE WHEN streams.twin_of IS NULL THEN rollup.plain_bytes + ${ADDED} END`,
  gzipBytes: `CASE WHEN streams.twin_of IS NULL THEN rollup.gzip_bytes + ${ADDED} END`,
  conditionalBytes: `CASE WHEN streams.twin_of IS NULL THEN rollup.conditional_bytes + ${ADDED} END`,
  polledBytes: 'CASE WHEN streams.twin_of IS NULL THEN rollup.wire_bytes + rollup.head_bytes END',
  streamedBytes: 'CASE WHEN streams.twin_of IS NOT NULL THEN rollup.wire_bytes + rollup.head_bytes END',
  polls: 'CASE WHEN streams.twin_of IS NULL THEN rollup.polls END',
  changes: 'CASE WHEN streams.twin_of IS NULL THEN rollup.changed END',
}
const SUMS = sql.raw(
  Object.entries(COLUMNS)
    .map(([name, column]) => `coalesce(sum(${column}), 0)::float8 AS "${name}"`)
    .join(', '),
)
const NOTHING: TwinSums = {
  plainBytes: 0,
  gzipBytes: 0,
  conditionalBytes: 0,
  polledBytes: 0,
  streamedBytes: 0,
  polls: 0,
  changes: 0,
}

/** A pair with what streaming saves, as on the stream's own page. */
export interface SavedPair extends TwinPair {
  saved: StreamSavings | undefined
}

/** The pairs with what streaming saves for each over the window, whenever its twin was made. */
export async function savedPairs(
  db: Database,
  pairs: readonly TwinPair[],
  window: Window,
): Promise<SavedPair[]> {
  if (pairs.length === 0) return []
  const all = await readStreamSavings(db, { streamIds: pairs.map(({ id }) => id) }, window)
  const byId = new Map(all.map((saved) => [saved.id, saved]))
  return pairs.map((pair) => ({ ...pair, saved: byId.get(pair.id) }))
}

/** Every pair with its sums over a window; `isCut` if there are more than {@link MAX_PAIRS}. */
export async function twinPairs(
  db: Database,
  window: Window,
): Promise<{ pairs: TwinPair[]; isCut: boolean }> {
  const polled = alias(streams, 'polled')
  const found = await db
    .select({
      id: polled.id,
      name: polled.name,
      url: polled.url,
      intervalMs: polled.intervalMs,
      desired: polled.desired,
      streamingId: streams.id,
      since: streams.createdAt,
    })
    .from(streams)
    .innerJoin(polled, eq(polled.id, streams.twinOf))
    .orderBy(desc(streams.createdAt), desc(streams.id))
    .limit(MAX_PAIRS + 1)
  const pairs = found.slice(0, MAX_PAIRS)
  const sums = new Map((await summed(db, pairs, window)).map(({ id, sums }) => [id, sums]))
  return {
    pairs: pairs.map((pair) => ({ ...pair, ...NOTHING, ...sums.get(pair.id) })),
    isCut: found.length > MAX_PAIRS,
  }
}

/** The sums of these pairs by steps of equal length; only steps with traffic. */
export async function twinSteps(
  db: Database,
  pairs: readonly TwinPair[],
  window: Window,
  { step, pointMs }: { step: Step; pointMs: number },
): Promise<{ id: string; at: number; sums: TwinSums }[]> {
  const point = sql`floor(extract(epoch FROM rollup.at) * 1000 / ${pointMs}::float8)`
  const rows = await summed(db, pairs, window, { point, step })
  return rows.map(({ id, point, sums }) => ({ id, sums, at: point * pointMs }))
}

/**
 * What the twins measured that streaming saves over polling with gzip and validators, for one pair or many, at most 1; null
 * before anything was polled.
 */
export function measuredSaving({ conditionalBytes, streamedBytes }: TwinSums): number | null {
  return conditionalBytes === 0 ? null : 1 - streamedBytes / conditionalBytes
}

/** The sums of one pair over a window, from the twin's creation. */
export async function pairSums(
  db: Database,
  pair: Pick<TwinPair, 'id' | 'streamingId'>,
  window: Window,
): Promise<TwinSums> {
  return (await summed(db, [pair], window))[0]?.sums ?? NOTHING
}

export function addUp(all: readonly TwinSums[]): TwinSums {
  const names = Object.keys(NOTHING) as (keyof TwinSums)[]
  const sum = (name: keyof TwinSums) => all.reduce((total, sums) => total + sums[name], 0)
  return Object.fromEntries(names.map((name) => [name, sum(name)])) as unknown as TwinSums
}

/** A pair without a value is sorted last in either order. */
export function sortPairs(pairs: readonly SavedPair[], sort: TwinSort, order: Order): SavedPair[] {
  const sign = order === 'asc' ? 1 : -1
  const by = (a: SavedPair, b: SavedPair) => {
    if (sort === 'name') return sign * a.name.localeCompare(b.name, 'en')
    const [left, right] = [figure(a, sort), figure(b, sort)]
    if (left === null || right === null) return Number(left === null) - Number(right === null)
    return sign * (left - right)
  }
  return pairs.toSorted((a, b) => by(a, b) || (a.id < b.id ? -1 : 1))
}

/** A stream that could have a twin, and what it polls now. */
export interface TwinCandidate {
  id: string
  name: string
  intervalMs: number
  /** What plain polling transfers per hour, and how much of that is new. */
  bytesAnHour: number
  newBytesAnHour: number
}

/**
 * Streams without a twin whose polls mostly return what they already had, at most `limit`, from the last 15 minutes.
 */
export async function twinCandidates(db: Database, now: number, limit: number): Promise<TwinCandidate[]> {
  const twins = alias(streams, 'twins')
  const anHour = (column: typeof rollups.plainBytes) =>
    sql<number>`(coalesce(sum(${column}), 0) * ${STEPS_MS.hour}::float8 / least(${CANDIDATES_MS}::float8, greatest(
      ${STEPS_MS.minute}::float8, ${now}::float8 - extract(epoch FROM ${streams.createdAt})::float8 * 1000)))::float8`.mapWith(
      Number,
    )
  return db
    .select({
      id: streams.id,
      name: streams.name,
      intervalMs: streams.intervalMs,
      bytesAnHour: anHour(rollups.plainBytes),
      newBytesAnHour: anHour(rollups.patchBytes),
    })
    .from(streams)
    .leftJoin(twins, eq(twins.twinOf, streams.id))
    .leftJoin(
      rollups,
      and(eq(rollups.streamId, streams.id), gte(rollups.minute, new Date(now - CANDIDATES_MS))),
    )
    .where(
      and(
        inArray(streams.kind, POLLED_KINDS),
        eq(streams.method, 'GET'),
        eq(streams.desired, 'running'),
        ...[streams.proxyKey, streams.twinOf, twins.id].map((column) => isNull(column)),
      ),
    )
    .groupBy(streams.id)
    .orderBy(desc(sql`coalesce(sum(${rollups.plainBytes} - ${rollups.patchBytes}), 0)`), streams.id)
    .limit(limit)
}

function figure(pair: SavedPair, sort: Exclude<TwinSort, 'name'>): number | null {
  if (sort === 'saved') return pair.saved?.saving ?? null
  if (sort === 'measured') return measuredSaving(pair)
  return sort === 'changes' ? pair.changes : pair[`${sort}Bytes`]
}

interface SummedRow extends TwinSums {
  id: string
  point: number
}

async function summed(
  db: Database,
  pairs: readonly TwinPair[] | readonly Pick<TwinPair, 'id' | 'streamingId'>[],
  { from, to }: Window,
  { point = sql`0`, step }: { point?: SQL; step?: Step } = {},
): Promise<{ id: string; point: number; sums: TwinSums }[]> {
  if (pairs.length === 0) return []
  const ids = pairs.flatMap(({ id, streamingId }) => [id, streamingId])
  const { rows } = (await db.execute(sql`
    SELECT coalesce(streams.twin_of, streams.id) AS id, ${point} AS point, ${SUMS}
    FROM ${await rollupsWithin(db, from, to, step)}
    JOIN weir.streams AS twin ON twin.twin_of = coalesce(streams.twin_of, streams.id)
    WHERE ${inArray(sql`rollup.stream_id`, ids)} AND rollup.at >= date_trunc('minute', twin.created_at)
    GROUP BY 1, 2 ORDER BY 2`)) as { rows: SummedRow[] }
  return rows.map(({ id, point, ...sums }) => ({ id, point: Number(point), sums }))
}
