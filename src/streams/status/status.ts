import { eq, inArray, sql } from 'drizzle-orm'
import { checkpoints, rollups, states, streams, workers } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import { type Evidence, judge } from '../../core/judging/status.ts'
import type { Sums } from '../../core/measures.ts'
import { STATUSES, type Status } from '../../core/sets/statuses.ts'
import { isPushed } from '../../core/sets/stream-kinds.ts'
import { MINUTE_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Run, Stream } from '../ingest/run.ts'
import { visibleTo } from '../registry/visibility.ts'
import { type Purpose, purposesOf } from '../twins/purpose.ts'
import { expectation, type JudgingLimits } from './expectation.ts'

/** Rates in lists are taken over this many minutes. */
const RECENT_MINUTES = 5
const RECENT_MS = RECENT_MINUTES * 60_000
/** A rate over less than this, in minutes, would only be noise. */
const SHORTEST_MINUTES = 0.25

/** Everything known about a stream right now. */
export interface StreamStatus {
  stream: Stream
  status: Status
  reason: string
  statusSince: Date
  /** What it is for, if it isn't a registered stream. */
  purpose: Purpose | undefined
  evidence: Evidence
  run: { worker: string; epoch: number; attempt: number; since: Date } | undefined
  /** Entries ever written. */
  seq: number
  recent: Recent
  /** Availability of the last 24 hours, 0 to 1, as of the last minute; null while unknown. */
  availability: number | null
}

/** Sums of the last minutes, for rates: over `minutes`, which is less for a new stream. */
export type Recent = Omit<Sums, 'bodyBytes' | 'patchBytes'> & { minutes: number }

export interface StatusDeps {
  db: Database
  limits: JudgingLimits
  /** The run of a stream that this process holds: its evidence is newer than the stored one. */
  heldRun(streamId: string): Run | undefined
  now(): number
}

/** @throws Problem `not_found` */
export async function statusOf(deps: StatusDeps, streamId: string): Promise<StreamStatus> {
  const [status] = await statusesOf(deps, [streamId])
  if (status === undefined) throw new Problem('not_found', `Stream ${streamId} not found.`)
  return status
}

/** The status of many streams in a few queries; those that don't exist are left out. */
export async function statusesOf(deps: StatusDeps, streamIds: readonly string[]): Promise<StreamStatus[]> {
  if (streamIds.length === 0) return []
  const { db } = deps
  const ids = [...streamIds]
  const now = deps.now()
  const rows = await db
    .select({ stream: streams, state: states, seq: checkpoints.seq, seenAt: workers.seenAt })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .innerJoin(checkpoints, eq(checkpoints.streamId, streams.id))
    .leftJoin(workers, eq(workers.name, states.worker))
    .where(inArray(streams.id, ids))
  const [recent, purposes] = await Promise.all([
    recentSums(db, ids, new Date(now - RECENT_MS)),
    purposesOf(
      db,
      rows.map(({ stream }) => stream),
    ),
  ])
  return rows.map(({ stream, state, seq, seenAt }) => {
    const held = deps.heldRun(stream.id)
    const evidence = held?.epoch === state.epoch ? held.evidence : (state.evidence as Evidence)
    const expected = expectation(stream, deps.limits, seenAt)
    const judged = judge(evidence, expected, now)
    const starting =
      stream.desired === 'running' &&
      !isPushed(stream.kind) &&
      state.worker === null &&
      isFresh(state.statusSince, now)
    return {
      stream,
      status: starting ? state.status : judged.status,
      reason: starting ? state.statusReason : judged.reason,
      statusSince:
        judged.status === state.status || starting ? state.statusSince : new Date(judged.since ?? now),
      purpose: purposes.get(stream.id),
      evidence,
      run: runOf(state),
      seq,
      availability: state.availability,
      recent: { ...NOTHING, ...recent.get(stream.id), minutes: observedMinutes(stream, now) },
    }
  })
}

export interface Fleet {
  streams: number
  statuses: Record<Status, number>
}

/** How many streams a caller sees, by status, as last written by the health job; without a caller, those that all see. */
export async function fleet(db: Database, caller?: Caller): Promise<Fleet> {
  const visible = visibleTo(caller)
  const counted = db
    .select({ status: states.status, count: sql<number>`count(*)`.mapWith(Number) })
    .from(states)
    .$dynamic()
  if (visible !== undefined) counted.innerJoin(streams, eq(streams.id, states.streamId)).where(visible)
  const rows = await counted.groupBy(states.status)
  const statuses = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>
  for (const row of rows) statuses[row.status] = row.count
  return { streams: rows.reduce((sum, row) => sum + row.count, 0), statuses }
}

/** How long a stream may wait for its first worker before that counts as a fault, in milliseconds. */
const START_GRACE_MS = 10_000

function isFresh(since: Date, now: number): boolean {
  return now - since.getTime() < START_GRACE_MS
}

function runOf({ worker, epoch, attempt, runSince }: typeof states.$inferSelect): StreamStatus['run'] {
  if (worker === null || runSince === null) return undefined
  return { worker, epoch, attempt: attempt ?? 1, since: runSince }
}

/** How long the whole minutes that {@link recentSums} reads have lasted so far, in minutes. */
function observedMinutes({ createdAt }: Stream, now: number): number {
  const from = Math.max(createdAt.getTime(), (Math.floor((now - RECENT_MS) / MINUTE_MS) + 1) * MINUTE_MS)
  return Math.max((now - from) / MINUTE_MS, SHORTEST_MINUTES)
}

const NOTHING = { entries: 0, events: 0, polls: 0, errors: 0, compared: 0, changed: 0, wireBytes: 0 }

async function recentSums(db: Database, ids: string[], since: Date) {
  const sum = (name: keyof typeof NOTHING) => sql<number>`sum(${rollups[name]})::float8`.mapWith(Number)
  const rows = await db
    .select({
      id: rollups.streamId,
      entries: sum('entries'),
      events: sum('events'),
      polls: sum('polls'),
      errors: sum('errors'),
      compared: sum('compared'),
      changed: sum('changed'),
      wireBytes: sum('wireBytes'),
    })
    .from(rollups)
    .where(sql`${inArray(rollups.streamId, ids)} AND ${rollups.minute} > ${since.toISOString()}::timestamptz`)
    .groupBy(rollups.streamId)
  return new Map(rows.map(({ id, ...sums }) => [id, sums]))
}
