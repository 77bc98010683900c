import { and, count, isNotNull, isNull, sql } from 'drizzle-orm'
import {
  archiveDays,
  checkpoints,
  deliveries,
  incidents,
  states,
  streams,
  workers,
} from '../../drizzle/schema.ts'
import type { Shares } from '../core/measures.ts'
import { BASELINE_NAMES, HEADLINE } from '../core/saved.ts'
import { STATUSES } from '../core/sets/statuses.ts'
import { STREAM_KINDS } from '../core/sets/stream-kinds.ts'
import { DAY_MS } from '../core/time.ts'
import { CAUSES } from '../incidents/causes.ts'
import type { Queue } from '../queue/types.ts'
import { logSize } from '../retention/drop.ts'
import { readMarks } from '../retention/marks.ts'
import type { Database } from '../storage/storage.ts'
import { hostOf } from '../streams/ingest/host.ts'
import { readSavings } from '../streams/measures/savings.ts'
import { IS_SHARED } from '../streams/registry/visibility.ts'
import { gauge, type MetricFamily, type Sample } from './metrics.ts'

/** A worker not seen for longer, in milliseconds, isn't counted; heartbeats are more frequent. */
const WORKER_ALIVE_MS = 7_000
/** Hosts whose certificates are metrics: each is a series. */
const MAX_CERTIFICATES = 100
const JOB_STATES = ['waiting', 'active', 'delayed', 'failed'] as const
const ARCHIVE_STATES = ['running', 'done', 'failed'] as const
/** Suffix of the help of metrics that every process reports alike: take one, never sum them. */
const SHARED = 'From the database: the same on every process.'

/** Metrics of the database, for all processes together. */
export async function readDatabase(db: Database, now: number): Promise<MetricFamily[]> {
  const [fleet, available, certificates, log, told, kept, living] = await Promise.all([
    readFleet(db),
    readAvailability(db),
    readCertificates(db),
    readLog(db),
    readTold(db),
    readKept(db),
    readWorkers(db, now),
  ])
  return [...fleet, ...available, ...certificates, ...log, ...told, ...kept, ...living]
}

/** The size of the log on disk: queries every partition. */
export async function readSize(db: Database): Promise<MetricFamily[]> {
  const { totalBytes } = await logSize(db)
  return [gauge('weir_log_size_bytes', `Size of the log on disk, including indexes. ${SHARED}`, totalBytes)]
}

/** What streaming saves over polling in the last 24 hours: reads the rollups of every stream. */
export async function readSaved(db: Database, now: number): Promise<MetricFamily[]> {
  const saved = await readSavings(db, 'fleet', { from: new Date(now - DAY_MS), to: new Date(now) })
  const shares = (of: Shares | undefined): Sample[] =>
    BASELINE_NAMES.map((baseline) => ({ labels: { baseline }, value: of?.[baseline] ?? Number.NaN }))
  const what = `of the last 24 hours that streaming saves, by baseline; the headline is \`${HEADLINE}\`. NaN without polls. ${SHARED}`
  return [
    gauge(
      'weir_savings_ratio',
      `Share of the polled bytes ${what}`,
      shares(saved?.totals.clientBandwidthSavings),
    ),
    gauge(
      'weir_savings_median_ratio',
      `Median of the streams' shares of the polled bytes ${what}`,
      shares(saved?.median),
    ),
    gauge(
      'weir_savings_network_ratio',
      `Estimated share of the polled bytes on the network ${what}`,
      shares(saved?.network.clientBandwidthSavings),
    ),
  ]
}

/** Jobs by queue and state. */
export async function readQueues(queues: readonly Promise<Queue>[]): Promise<MetricFamily[]> {
  const counted = await Promise.all(
    queues.map(async (opening): Promise<Sample[]> => {
      const queue = await opening
      const counts = await queue.getJobCounts(...JOB_STATES)
      return JOB_STATES.map((state) => ({ labels: { queue: queue.name, state }, value: counts[state] ?? 0 }))
    }),
  )
  const help =
    'Jobs by queue and state; each running stream is one active job. From the queue: the same on every process.'
  return [gauge('weir_queue_jobs', help, counted.flat())]
}

async function readFleet(db: Database): Promise<MetricFamily[]> {
  const rows = await db
    .select({ kind: streams.kind, status: states.status, count: count() })
    .from(states)
    .innerJoin(streams, sql`${streams.id} = ${states.streamId}`)
    .groupBy(streams.kind, states.status)
  const known = new Map(rows.map((row) => [`${row.kind} ${row.status}`, row.count]))
  const samples = STREAM_KINDS.flatMap((kind) =>
    STATUSES.map((status) => ({ labels: { kind, status }, value: known.get(`${kind} ${status}`) ?? 0 })),
  )
  return [gauge('weir_streams', `Streams by kind and status. ${SHARED}`, samples)]
}

async function readCertificates(db: Database): Promise<MetricFamily[]> {
  const { rows } = (await db.execute(sql`
    SELECT * FROM (
      SELECT DISTINCT ON (host) host, (certificate->>'expiresAt')::float8 / 1000 AS "expiresAt"
      FROM (
        SELECT ${hostOf(sql`${streams.url}`)} AS host, ${states.evidence}->'certificate' AS certificate
        FROM ${states} JOIN ${streams} ON ${streams.id} = ${states.streamId}
        WHERE ${streams.desired} = 'running' AND ${states.evidence} ? 'certificate'
      ) AS presented
      ORDER BY host, (certificate->>'seenAt')::float8 DESC
    ) AS newest ORDER BY "expiresAt" LIMIT ${MAX_CERTIFICATES}::int`)) as {
    rows: { host: string; expiresAt: number }[]
  }
  const help = `When a host's TLS certificate expires, as Unix time; the ${MAX_CERTIFICATES} that expire first. ${SHARED}`
  const samples = rows.map(({ host, expiresAt }) => ({ labels: { host }, value: expiresAt }))
  return [gauge('weir_certificate_expiry_timestamp_seconds', help, samples)]
}

/** Streams of callers' own, and twins, are left out, as in every mean. */
async function readAvailability(db: Database): Promise<MetricFamily[]> {
  const rows = await db
    .select({ kind: streams.kind, share: sql`avg(${states.availability})`.mapWith(Number) })
    .from(states)
    .innerJoin(streams, sql`${streams.id} = ${states.streamId}`)
    .where(and(IS_SHARED, isNull(streams.twinOf), isNotNull(states.availability)))
    .groupBy(streams.kind)
  const known = new Map(rows.map(({ kind, share }) => [kind, share]))
  const samples = STREAM_KINDS.map((kind) => ({ labels: { kind }, value: known.get(kind) ?? Number.NaN }))
  const help = `Mean availability of the last 24 hours, 0 to 1, by kind; NaN while unknown. ${SHARED}`
  return [gauge('weir_availability_ratio', help, samples)]
}

async function readLog(db: Database): Promise<MetricFamily[]> {
  const [sums] = await db
    .select({
      entries: sql`coalesce(sum(${checkpoints.seq}), 0)`.mapWith(Number),
      owing: sql`coalesce(sum(${checkpoints.seq} - ${checkpoints.summedSeq}), 0)`.mapWith(Number),
    })
    .from(checkpoints)
  const written = `Entries ever recorded for the existing streams. ${SHARED}`
  const owing = `Entries not yet included in the rollups. ${SHARED}`
  return [
    gauge('weir_log_entries', written, sums?.entries ?? 0),
    gauge('weir_sums_owing_entries', owing, sums?.owing ?? 0),
  ]
}

async function readTold(db: Database): Promise<MetricFamily[]> {
  const [open, pending] = await Promise.all([
    db
      .select({ cause: incidents.cause, count: count() })
      .from(incidents)
      .where(and(isNull(incidents.resolvedAt), isNull(incidents.parentId)))
      .groupBy(incidents.cause),
    db
      .select({ count: count(), since: sql<string | null>`min(${deliveries.createdAt})` })
      .from(deliveries)
      .where(sql`${deliveries.status} = 'pending'`),
  ])
  const byCause = new Map(open.map((row) => [row.cause, row.count]))
  const samples = Object.entries(CAUSES).map(([cause, { severity }]) => ({
    labels: { cause, severity },
    value: byCause.get(cause) ?? 0,
  }))
  const since = pending[0]?.since
  const oldest = since ? new Date(since).getTime() / 1_000 : Number.NaN
  return [
    gauge(
      'weir_incidents_open',
      `Open incidents by cause, without those caused by another incident. ${SHARED}`,
      samples,
    ),
    gauge('weir_deliveries_pending', `Pending deliveries. ${SHARED}`, pending[0]?.count ?? 0),
    gauge(
      'weir_deliveries_oldest_timestamp_seconds',
      `Creation time of the oldest pending delivery, as Unix time; NaN without any. ${SHARED}`,
      oldest,
    ),
  ]
}

async function readKept(db: Database): Promise<MetricFamily[]> {
  const [days, marks] = await Promise.all([
    db
      .select({
        state: archiveDays.state,
        count: count(),
        endedAt: sql<string | null>`max(${archiveDays.endedAt})`,
      })
      .from(archiveDays)
      .groupBy(archiveDays.state),
    readMarks(db, ['seen', 'blocked']),
  ])
  const of = (state: string) => days.find((row) => row.state === state)
  const samples = ARCHIVE_STATES.map((state) => ({ labels: { state }, value: of(state)?.count ?? 0 }))
  return [
    gauge('weir_archive_progress', `Archived days by state. ${SHARED}`, samples),
    gauge(
      'weir_archive_last_success_timestamp_seconds',
      `When a day was last archived, as Unix time; 0 if never. ${SHARED}`,
      seconds(of('done')?.endedAt),
    ),
    gauge(
      'weir_retention_last_success_timestamp_seconds',
      `When retention last ran, as Unix time; 0 if never. ${SHARED}`,
      seconds(marks.get('seen')?.at),
    ),
    gauge(
      'weir_retention_blocked',
      `1 while the log exceeds its limits but nothing can be dropped. ${SHARED}`,
      marks.has('blocked') ? 1 : 0,
    ),
  ]
}

async function readWorkers(db: Database, now: number): Promise<MetricFamily[]> {
  const alive = new Date(now - WORKER_ALIVE_MS).toISOString()
  const [row] = await db
    .select({ count: count() })
    .from(workers)
    .where(sql`${workers.seenAt} > ${alive}::timestamptz`)
  return [gauge('weir_workers', `Live workers. ${SHARED}`, row?.count ?? 0)]
}

function seconds(at: Date | string | null | undefined): number {
  return at ? new Date(at).getTime() / 1_000 : 0
}
