import { asc, desc, eq, gt, inArray } from 'drizzle-orm'
import { attempts, channels, deliveries, runs, streams, workers } from '../../../drizzle/schema.ts'
import { failureText } from '../../core/judging/failure.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { isUuid } from '../../core/uuid.ts'
import type { JobTelling, ToldJob, ToldWorker } from '../../queue/job-telling.ts'
import { DELIVERIES_QUEUE, STREAMS_QUEUE } from '../../queue/names.ts'
import type { Database } from '../../storage/storage.ts'
import { readLog } from '../../streams/log/logs.ts'
import type { Entry } from '../../streams/recording/entry.ts'
import { isShared } from '../../streams/registry/visibility.ts'
import { WORKER_ALIVE_MS } from '../../streams/status/health.ts'
import { type StatusDeps, type StreamStatus, statusesOf } from '../../streams/status/status.ts'
import { inWords } from '../streams/view-models.ts'

/** Lines of a job's log. */
const LOG_LINES = 100

/** What the board tells of the jobs of streams and deliveries. Private streams stay IDs: every reader may see the board. */
export function jobTelling(deps: StatusDeps): JobTelling {
  return {
    async jobs(queue, all) {
      // An admin may add jobs with any IDs on the board.
      const ids = all.filter(isUuid)
      if (queue === STREAMS_QUEUE) return streamJobs(deps, ids)
      return queue === DELIVERIES_QUEUE ? deliveryJobs(deps.db, ids) : new Map()
    },
    log: async (queue, id) => (queue === STREAMS_QUEUE && isUuid(id) ? streamLog(deps.db, id) : undefined),
    workers: () => aliveWorkers(deps),
  }
}

async function streamJobs(deps: StatusDeps, ids: readonly string[]): Promise<Map<string, ToldJob>> {
  const statuses = await statusesOf(deps, ids)
  return new Map(
    statuses.filter(({ stream }) => isShared(stream)).map((status) => [status.stream.id, toldStream(status)]),
  )
}

function toldStream({ stream, status, reason, statusSince, evidence }: StreamStatus): ToldJob {
  const { failures, failingSince, nextRetryAt, lastError } = evidence
  const { id, name, url, kind, tags } = stream
  const failure = failures > 0 ? lastError : undefined
  return {
    name,
    data: { name, url, kind, tags, page: `/streams/${id}` },
    progress: {
      ...{ status, reason, since: statusSince.toISOString(), failures },
      ...(failures > 0 && failingSince !== undefined && { failingSince: iso(failingSince) }),
      ...(nextRetryAt !== undefined && { nextRetryAt: iso(nextRetryAt) }),
    },
    attempts: failures,
    failure: failure && `${failure.code}: ${failureText(failure)}`,
  }
}

async function deliveryJobs(db: Database, ids: readonly string[]): Promise<Map<string, ToldJob>> {
  if (ids.length === 0) return new Map()
  const [rows, last] = await Promise.all([
    db
      .select({ delivery: deliveries, channel: channels.name })
      .from(deliveries)
      .innerJoin(channels, eq(channels.id, deliveries.channelId))
      .where(inArray(deliveries.id, [...ids])),
    db
      .selectDistinctOn([attempts.deliveryId], { id: attempts.deliveryId, error: attempts.error })
      .from(attempts)
      .where(inArray(attempts.deliveryId, [...ids]))
      .orderBy(attempts.deliveryId, desc(attempts.at)),
  ])
  const errors = new Map(last.map(({ id, error }) => [id, error ?? undefined]))
  return new Map(
    rows.map(({ delivery: { id, channelId, type, status, attempts: count, nextAttemptAt }, channel }) => [
      id,
      {
        name: `${type} to ${channel}`,
        data: { channel, type, page: `/channels/${channelId}` },
        progress: { status, ...(nextAttemptAt && { nextAttemptAt: nextAttemptAt.toISOString() }) },
        attempts: count,
        failure: errors.get(id),
      },
    ]),
  )
}

/** Hand-overs, connections and failures. */
async function streamLog(db: Database, id: string): Promise<string[]> {
  const [stream] = await db.select().from(streams).where(eq(streams.id, id))
  if (stream === undefined || !isShared(stream)) return []
  const [handOvers, { items }] = await Promise.all([
    db.select().from(runs).where(eq(runs.streamId, id)).orderBy(desc(runs.epoch)).limit(LOG_LINES),
    readLog(db, id, {
      // Polls that were answered aren't connections.
      kinds: ['error', 'gap', 'end', ...(STREAM_KIND[stream.kind].isPolled ? [] : (['exchange'] as const))],
      limit: LOG_LINES,
    }),
  ])
  const lines = [
    ...items.map((entry) => ({ at: entry.at, text: lineOf(entry) })),
    ...handOvers.flatMap(({ epoch, worker, startedAt, endedAt, endReason }) => [
      { at: startedAt.getTime(), text: `run ${epoch} started on ${worker}` },
      ...(endedAt === null
        ? []
        : [{ at: endedAt.getTime(), text: `run ${epoch} ended: ${endReason ?? 'unknown'}` }]),
    ]),
  ]
  return lines
    .sort((one, other) => one.at - other.at)
    .slice(-LOG_LINES)
    .map(({ at, text }) => `${iso(at)} ${text}`)
}

function lineOf(entry: Entry): string {
  const { kind, exchange, seq } = entry
  if (kind === 'exchange') return `connected: ${exchange?.response?.status ?? 'no response'} (entry ${seq})`
  return `${kind}: ${inWords(entry) ?? ''} (entry ${seq})`
}

async function aliveWorkers({ db, now }: StatusDeps): Promise<ToldWorker[]> {
  const alive = await db
    .select()
    .from(workers)
    .where(gt(workers.seenAt, new Date(now() - WORKER_ALIVE_MS)))
    .orderBy(asc(workers.name))
  return alive.map(({ name, startedAt }) => ({
    name,
    ageSeconds: Math.max(0, Math.round((now() - startedAt.getTime()) / 1000)),
  }))
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
