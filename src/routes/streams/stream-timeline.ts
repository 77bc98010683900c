import { and, desc, eq, gt, isNull, lt, or } from 'drizzle-orm'
import { incidents, runs } from '../../../drizzle/schema.ts'
import type { RangeName } from '../../../views/stream/charts.tsx'
import type { TimelineData } from '../../../views/stream/timeline.tsx'
import { STEPS_MS } from '../../core/measures.ts'
import { severityOf } from '../../incidents/causes.ts'
import { periodOf } from '../../incidents/period.ts'
import type { Database } from '../../storage/storage.ts'

/** Maximum number of runs and incidents shown: the newest ones. */
const MAX_RUNS = 200
const MAX_INCIDENTS = 100

/** Runs and incidents of a stream: of the last day if the charts show a day or less, else of the last week. */
export async function timelineData(
  db: Database,
  streamId: string,
  range: RangeName,
  now: number,
): Promise<TimelineData> {
  const spanMs = range === '1h' || range === '24h' ? STEPS_MS.day : 7 * STEPS_MS.day
  const [from, to] = [new Date(now - spanMs), new Date(now)]
  const [held, wrong] = await Promise.all([
    db
      .select()
      .from(runs)
      .where(
        and(
          eq(runs.streamId, streamId),
          lt(runs.startedAt, to),
          or(isNull(runs.endedAt), gt(runs.endedAt, from)),
        ),
      )
      .orderBy(desc(runs.epoch))
      .limit(MAX_RUNS),
    db
      .select()
      .from(incidents)
      .where(
        and(
          eq(incidents.streamId, streamId),
          lt(incidents.openedAt, to),
          or(isNull(incidents.resolvedAt), gt(incidents.resolvedAt, from)),
        ),
      )
      .orderBy(desc(incidents.openedAt))
      .limit(MAX_INCIDENTS),
  ])
  // A run whose worker died has no end: it ends where the next one starts.
  const ends = held.map((run, index) => run.endedAt ?? held[index - 1]?.startedAt)
  return {
    from,
    to,
    runs: held
      .map(({ epoch, worker, startedAt, endReason }, index) => {
        return { epoch, worker, from: startedAt, to: ends[index], why: endReason }
      })
      .filter(({ to }) => to === undefined || to > from)
      .reverse(),
    incidents: wrong.map((incident) => {
      const { id, title, cause } = incident
      const { since, until } = periodOf(incident, to.getTime())
      const ended = until === undefined ? undefined : new Date(until)
      return { id, title, severity: severityOf(cause), from: new Date(since), to: ended }
    }),
    isCut: held.length === MAX_RUNS || wrong.length === MAX_INCIDENTS,
  }
}
