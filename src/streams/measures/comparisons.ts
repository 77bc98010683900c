import type { Comparisons } from '../../core/change/groups.ts'
import { type Estimate, estimateRate } from '../../core/change/rate.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import { comparedStepsOf, type MeasureScope, type StepOf, type Window } from './measures.ts'

/** Longest windows that are read by the minute and by the hour, in milliseconds. */
const BY_MINUTE_MS = DAY_MS + MINUTE_MS
const BY_HOUR_MS = 1_440 * HOUR_MS

/** The parts of a stream that its comparisons depend on. */
export type Compared = Pick<Stream, 'kind' | 'intervalMs' | 'createdAt'>

/** How often one stream changed in a window; `null` if nothing was compared. */
export async function changesOf(
  db: Database,
  stream: Compared & Pick<Stream, 'id'>,
  window: Window,
): Promise<Estimate | null> {
  return estimateRate(await comparisonsOf(db, stream, window))
}

/** What {@link changesOf} is estimated from, oldest first. */
export async function comparisonsOf(
  db: Database,
  stream: Compared & Pick<Stream, 'id'>,
  window: Window,
): Promise<StepOf<Comparisons>[]> {
  const step = stepFor(window)
  const rows = await comparedStepsOf(
    db,
    { streamId: stream.id },
    { ...window, from: startFor(window, step), step },
  )
  return STREAM_KIND[stream.kind].isPolled
    ? rows.map((row) => ({ at: row.at, ...polledRow(row, stream.intervalMs) }))
    : seenRows(rows, stream, window, step)
}

/** The mean of many streams, by the hour: of the polls whose times are known. */
export async function changesOfMany(
  db: Database,
  scope: MeasureScope,
  window: Window,
): Promise<Estimate | null> {
  const step = window.to.getTime() - window.from.getTime() > BY_HOUR_MS ? 'day' : 'hour'
  const rows = await comparedStepsOf(db, scope, { ...window, step })
  return estimateRate(rows.filter(({ comparedMs }) => comparedMs > 0))
}

/** Polls from before times were recorded count as one interval each. */
export function polledRow(sums: Comparisons, intervalMs: number): Comparisons {
  const { compared, changed, comparedMs, changedMs } = sums
  if (comparedMs > 0) return { compared, changed, comparedMs, changedMs }
  return { compared, changed, comparedMs: compared * intervalMs, changedMs: changed * intervalMs }
}

/** An event stream shows every change when it happens, so all the time since its registration is observed. */
function seenRows(
  rows: readonly StepOf<Comparisons>[],
  { createdAt }: Pick<Stream, 'createdAt'>,
  window: Window,
  step: Step,
): StepOf<Comparisons>[] {
  if (rows.every(({ compared }) => compared === 0)) return []
  const changed = new Map(rows.map((row) => [row.at.getTime(), row.changed]))
  const first = Math.max(startFor(window, step).getTime(), floor(createdAt.getTime(), step))
  const times = Array.from(
    { length: Math.max(0, Math.ceil((window.to.getTime() - first) / STEPS_MS[step])) },
    (_, index) => first + index * STEPS_MS[step],
  )
  return times.map((at) => {
    const [from, to] = [Math.max(at, createdAt.getTime()), Math.min(at + STEPS_MS[step], window.to.getTime())]
    const count = changed.get(at) ?? 0
    return {
      at: new Date(at),
      compared: count,
      changed: count,
      comparedMs: Math.max(1, to - from),
      changedMs: 0,
    }
  })
}

function stepFor({ from, to }: Window): Step {
  const ms = to.getTime() - from.getTime()
  if (ms <= BY_MINUTE_MS) return 'minute'
  return ms <= BY_HOUR_MS ? 'hour' : 'day'
}

/** No window of a day has more steps than an answer may have. */
function startFor({ from, to }: Window, step: Step): Date {
  return new Date(Math.max(floor(from.getTime(), step), to.getTime() - 1_440 * STEPS_MS[step]))
}

function floor(ms: number, step: Step): number {
  return Math.floor(ms / STEPS_MS[step]) * STEPS_MS[step]
}
