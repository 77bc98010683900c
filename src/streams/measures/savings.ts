import { and, gte, lt, sql } from 'drizzle-orm'
import { fanouts, streams } from '../../../drizzle/schema.ts'
import {
  SAVINGS_SUMS,
  type Savings,
  type SavingsSums,
  type Shares,
  savedOf,
  savings,
  serverSavings,
} from '../../core/measures.ts'
import { addNetworks, type Link, type Network, network, requestSize } from '../../core/network.ts'
import {
  HEADLINE,
  type MedianShares,
  medianShares,
  networkSentence,
  savedSentence,
} from '../../core/saved.ts'
import { MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { IS_POLLED, inScope, type MeasureScope, SUMS, tagOf, type Window } from './measures.ts'
import { CONNECTED_MS, rollupsWithin } from './rollup-source.ts'

/** What streaming saves, or would have saved, over polling: one subscriber for each of the streams. */
export interface ScopeSavings {
  /** Share of the headline's baseline that streaming saves: the figure that every page and answer leads with. */
  saving: number
  /** The same on the network, estimated. */
  networkSaving: number
  /** Both in words. */
  summary: string
  totals: Savings
  network: Network
  median: MedianShares
  polls: number
  /** Connections of the hypothetical subscribers. */
  connections: number
  /** Mean number of actual subscribers per stream, while it was followed. */
  subscribers: number
  /** What Weir's own polls transferred. */
  polledBytes: number
}

/** The same of one stream. */
export interface StreamSavings extends Omit<ScopeSavings, 'median' | 'summary'> {
  id: string
  /** How long the stream was followed, in milliseconds. */
  followedMs: number
  /** What all of it is calculated from. */
  sums: SavingsSums
  link: Link
}

/**
 * What streaming saves, of one stream, those with a tag, some, or all: the one source of every such figure.
 * @returns `undefined` if no poll was answered in the window
 */
export async function readSavings(
  db: Database,
  scope: MeasureScope,
  window: Window,
): Promise<ScopeSavings | undefined> {
  return addSavings(await readStreamSavings(db, scope, window))
}

/** The sum over streams, and their median. */
export function addSavings(all: readonly StreamSavings[]): ScopeSavings | undefined {
  if (all.length === 0) return undefined
  const sum = (of: (one: StreamSavings) => number) => all.reduce((total, one) => total + of(one), 0)
  const totals = addTotals(all.map((one) => one.totals))
  const followedMs = sum((one) => one.followedMs)
  const lead = headline(totals, addNetworks(all.map((one) => one.network)))
  return {
    ...lead,
    summary: summaryOf(lead),
    median: medianShares(all.map((one) => one.totals.clientBandwidthSavings)),
    polls: sum((one) => one.polls),
    connections: sum((one) => one.connections),
    subscribers: followedMs === 0 ? 0 : sum((one) => one.subscribers * one.followedMs) / followedMs,
    polledBytes: sum((one) => one.polledBytes),
  }
}

/** Both headlines in words. */
export function summaryOf({ saving, networkSaving }: Pick<ScopeSavings, 'saving' | 'networkSaving'>): string {
  return `${savedSentence(saving)} ${networkSentence(networkSaving)}`
}

/** What an upstream saves when `subscribers` share the polls that Weir made. */
export function upstreamSavings(
  { totals, polledBytes }: Pick<ScopeSavings, 'totals' | 'polledBytes'>,
  subscribers: number,
): Shares {
  return serverSavings(totals.baselines, polledBytes, subscribers)
}

/** Each stream of the scope with an answered poll in the window. */
export async function readStreamSavings(
  db: Database,
  scope: MeasureScope,
  window: Window,
): Promise<StreamSavings[]> {
  const windowMs = window.to.getTime() - startOf(window).getTime()
  const { rows } = (await db.execute(sql`
    WITH polled AS (
      SELECT rollup.stream_id AS id, ${SUM_COLUMNS}, max(rollup.at) AS last_at,
        least(sum(${CONNECTED_MS}), ${windowMs}::float8) AS held_ms
      FROM ${await rollupsWithin(db, window.from, window.to, undefined, tagOf(scope))}
      WHERE ${and(inScope(scope), IS_POLLED, scope === 'fleet' ? COUNTS_ONCE : undefined)}
      GROUP BY 1 HAVING sum(rollup.polls) > 0
    ), sent AS (
      SELECT ${fanouts.streamId} AS id, sum(${fanouts.snapshots})::float8 AS snapshots,
        sum(${fanouts.subscriberMs})::float8 AS subscriber_ms,
        max(greatest(1, ${fanouts.open}, round(${fanouts.subscriberMs} / ${MINUTE_MS}::float8)))::float8 AS most
      FROM ${fanouts} JOIN ${streams} ON ${streams.id} = ${fanouts.streamId}
      WHERE ${and(inScope(scope), gte(fanouts.minute, startOf(window)), lt(fanouts.minute, window.to))}
      GROUP BY 1
    )
    SELECT polled.*, coalesce(snapshots, 0) AS snapshots, coalesce(subscriber_ms, 0) AS subscriber_ms,
      coalesce(most, 0) AS most, stream.url,
      octet_length(stream.headers::text) - length('{}') + coalesce(octet_length(stream.body), 0) AS own_bytes,
      least(${windowMs}::float8, held_ms + ${sinceLast(window)})::float8 AS followed_ms
    FROM polled JOIN weir.streams AS stream USING (id) LEFT JOIN weir.states AS state ON state.stream_id = id
      LEFT JOIN sent USING (id)`)) as { rows: StreamRow[] }
  return rows.flatMap((row) => streamSavings(row) ?? [])
}

/** What the proxy polls for a twin is polled by the twin's own stream as well: the same API counts once. */
const COUNTS_ONCE = sql`(streams.proxy_key IS NULL OR (streams.url, streams.interval_ms) NOT IN (
  SELECT twin.url, twin.interval_ms FROM weir.streams AS twin WHERE twin.twin_of IS NOT NULL))`

const SUM_COLUMNS = sql.join(
  SAVINGS_SUMS.map((name) => sql`${SUMS[name]} AS ${sql.identifier(name)}`),
  sql`, `,
)

type Counted = Record<(typeof SAVINGS_SUMS)[number], number>

interface StreamRow extends Counted {
  id: string
  snapshots: number
  subscriber_ms: number
  /** Most subscribers at a time. */
  most: number
  url: string
  own_bytes: number
  followed_ms: number
}

function streamSavings(row: StreamRow): StreamSavings | undefined {
  const { id, polls, followed_ms: followedMs } = row
  const subscribers = followedMs === 0 ? 0 : Math.min(row.subscriber_ms / followedMs, row.most)
  // As often as actual subscribers needed a new snapshot. Fewer than one on average count as one, so that a short visit isn't
  // extrapolated to the whole window.
  const connections = Math.max(1, row.snapshots / Math.max(1, subscribers))
  const sums: SavingsSums = {
    ...(Object.fromEntries(SAVINGS_SUMS.map((name) => [name, row[name]])) as Counted),
    connectedMs: followedMs,
    connections,
    snapshotBytes: (connections * row.plainBytes) / polls,
    snapshotGzipBytes: (connections * row.gzipBytes) / polls,
  }
  const totals = savings(sums)
  if (totals === null) return undefined
  const link = {
    isEncrypted: row.url.startsWith('https:'),
    requestBytes: requestSize(row.url, row.own_bytes),
  }
  return {
    id,
    ...headline(totals, network(sums, totals, link)),
    ...{ polls, connections, subscribers, followedMs },
    polledBytes: row.wireBytes + row.headBytes,
    ...{ sums, link },
  }
}

function headline(totals: Savings, onNetwork: Network) {
  // A baseline of polls without a byte doesn't occur: each has a head.
  const saving = totals.clientBandwidthSavings[HEADLINE] ?? 0
  const networkSaving = onNetwork.clientBandwidthSavings[HEADLINE] ?? 0
  return { saving, networkSaving, totals, network: onNetwork }
}

function addTotals(all: readonly Savings[]): Savings {
  const sum = (of: (one: Savings) => number) => all.reduce((total, one) => total + of(one), 0)
  const side = (coding: 'plain' | 'gzip') => ({
    bytes: sum(({ streaming }) => streaming[coding].bytes),
    frameBytes: sum(({ streaming }) => streaming[coding].frameBytes),
    heartbeatBytes: sum(({ streaming }) => streaming[coding].heartbeatBytes),
    connectBytes: sum(({ streaming }) => streaming[coding].connectBytes),
    chunkBytes: sum(({ streaming }) => streaming[coding].chunkBytes),
  })
  const baselines = {
    plain: sum((one) => one.baselines.plain),
    gzip: sum((one) => one.baselines.gzip),
    conditional: sum((one) => one.baselines.conditional),
  }
  const [plain, gzip] = [side('plain'), side('gzip')]
  return {
    baselines,
    streaming: { plain, gzip },
    overheadBytes: sum((one) => one.overheadBytes),
    clientBandwidthSavings: savedOf(baselines, plain.bytes, gzip.bytes),
  }
}

/** Time since the last entry of a stream that is still being followed, in milliseconds, to the minute. */
function sinceLast({ to }: Window) {
  const end = sql`least(${to.toISOString()}::timestamptz, now())`
  return sql`CASE WHEN state.worker IS NULL OR ${to.toISOString()}::timestamptz < now() - interval '1 minute' THEN 0
    ELSE greatest(0, extract(epoch FROM ${end} - last_at) * 1000 - ${MINUTE_MS}::float8) END`
}

function startOf({ from }: Window): Date {
  return new Date(Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS)
}
