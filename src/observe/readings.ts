import type { Queue } from 'bullmq'
import { and, count, isNull, sql } from 'drizzle-orm'
import {
  archiveDays,
  checkpoints,
  deliveries,
  incidents,
  KINDS,
  states,
  streams,
  workers,
} from '../../drizzle/schema.ts'
import { VERDICTS } from '../core/judging/verdict.ts'
import { CAUSES } from '../incidents/causes.ts'
import { logSize } from '../retention/drop.ts'
import { readMarks } from '../retention/marks.ts'
import type { Database } from '../storage/storage.ts'
import { type Family, gauge, type Sample } from './metrics.ts'

/** A worker not seen for longer, in milliseconds, isn't counted: it says that it lives every two seconds. */
const WORKER_ALIVE_MS = 7_000
const JOB_STATES = ['waiting', 'active', 'delayed', 'failed'] as const
const ARCHIVE_STATES = ['running', 'done', 'failed'] as const
/** Ends the help of what every process says the same of: to be taken from one, never added up. */
const SHARED = 'Of the database: the same from every process.'

/** What the database knows, of all processes together. */
export async function readDatabase(db: Database, now: number): Promise<Family[]> {
  const [fleet, log, told, kept, living] = await Promise.all([
    readFleet(db),
    readLog(db),
    readTold(db),
    readKept(db),
    readWorkers(db, now),
  ])
  return [...fleet, ...log, ...told, ...kept, ...living]
}

/** What the log takes on disk: looks at every partition. */
export async function readSize(db: Database): Promise<Family[]> {
  const { totalBytes } = await logSize(db)
  return [gauge('weir_log_size_bytes', `What the log takes on disk, with its indexes. ${SHARED}`, totalBytes)]
}

/** Jobs by queue and state. */
export async function readQueues(queues: readonly Promise<Queue>[]): Promise<Family[]> {
  const counted = await Promise.all(
    queues.map(async (opening): Promise<Sample[]> => {
      const queue = await opening
      const counts = await queue.getJobCounts(...JOB_STATES)
      return JOB_STATES.map((state) => ({ labels: { queue: queue.name, state }, value: counts[state] ?? 0 }))
    }),
  )
  const help =
    'Jobs by queue and state; of streams, each active one holds one. Of the queue: the same from every process.'
  return [gauge('weir_queue_jobs', help, counted.flat())]
}

async function readFleet(db: Database): Promise<Family[]> {
  const rows = await db
    .select({ kind: streams.kind, verdict: states.verdict, count: count() })
    .from(states)
    .innerJoin(streams, sql`${streams.id} = ${states.streamId}`)
    .groupBy(streams.kind, states.verdict)
  const known = new Map(rows.map((row) => [`${row.kind} ${row.verdict}`, row.count]))
  const samples = KINDS.flatMap((kind) =>
    VERDICTS.map((verdict) => ({ labels: { kind, verdict }, value: known.get(`${kind} ${verdict}`) ?? 0 })),
  )
  return [gauge('weir_streams', `Streams by kind and verdict. ${SHARED}`, samples)]
}

async function readLog(db: Database): Promise<Family[]> {
  const [sums] = await db
    .select({
      entries: sql`coalesce(sum(${checkpoints.seq}), 0)`.mapWith(Number),
      owing: sql`coalesce(sum(${checkpoints.seq} - ${checkpoints.summedSeq}), 0)`.mapWith(Number),
    })
    .from(checkpoints)
  const written = `Entries ever numbered, of the streams there are. ${SHARED}`
  const owing = `Entries that no sum counts yet: measures are that much behind. ${SHARED}`
  return [
    gauge('weir_log_entries', written, sums?.entries ?? 0),
    gauge('weir_sums_owing_entries', owing, sums?.owing ?? 0),
  ]
}

async function readTold(db: Database): Promise<Family[]> {
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
    gauge('weir_incidents_open', `Open incidents that no other explains, by cause. ${SHARED}`, samples),
    gauge(
      'weir_deliveries_pending',
      `Messages that are still to be delivered. ${SHARED}`,
      pending[0]?.count ?? 0,
    ),
    gauge(
      'weir_deliveries_oldest_timestamp_seconds',
      `When the oldest of those was stored, by the Unix clock; NaN without any. ${SHARED}`,
      oldest,
    ),
  ]
}

async function readKept(db: Database): Promise<Family[]> {
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
    gauge('weir_archive_progress', `Days of the archive, by state. ${SHARED}`, samples),
    gauge(
      'weir_archive_last_success_timestamp_seconds',
      `When a day was last archived, by the Unix clock; 0 for never. ${SHARED}`,
      seconds(of('done')?.endedAt),
    ),
    gauge(
      'weir_retention_last_success_timestamp_seconds',
      `When retention last ran, by the Unix clock; 0 for never. ${SHARED}`,
      seconds(marks.get('seen')?.at),
    ),
    gauge(
      'weir_retention_blocked',
      `1 while the log is beyond its bounds and nothing of it may be dropped. ${SHARED}`,
      marks.has('blocked') ? 1 : 0,
    ),
  ]
}

async function readWorkers(db: Database, now: number): Promise<Family[]> {
  const alive = new Date(now - WORKER_ALIVE_MS).toISOString()
  const [row] = await db
    .select({ count: count() })
    .from(workers)
    .where(sql`${workers.seenAt} > ${alive}::timestamptz`)
  return [gauge('weir_workers', `Processes that hold streams, and live. ${SHARED}`, row?.count ?? 0)]
}

function seconds(at: Date | string | null | undefined): number {
  return at ? new Date(at).getTime() / 1_000 : 0
}
