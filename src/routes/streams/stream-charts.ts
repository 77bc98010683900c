import type { ChartsData, ChartView, RangeName } from '../../../views/stream/charts.tsx'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { latencyStepsOf } from '../../streams/measures/latency-steps.ts'
import { stepsOf } from '../../streams/measures/measures.ts'

/** Time range of charts, the rollups they use, and the length of a point; in milliseconds. */
export const RANGES: Record<RangeName, { spanMs: number; step: Step; pointMs: number; rowMs: number }> = {
  '1h': { spanMs: STEPS_MS.hour, step: 'minute', pointMs: STEPS_MS.minute, rowMs: 5 * STEPS_MS.minute },
  '24h': { spanMs: STEPS_MS.day, step: 'minute', pointMs: 10 * STEPS_MS.minute, rowMs: STEPS_MS.hour },
  '7d': { spanMs: 7 * STEPS_MS.day, step: 'hour', pointMs: STEPS_MS.hour, rowMs: 6 * STEPS_MS.hour },
  '30d': { spanMs: 30 * STEPS_MS.day, step: 'hour', pointMs: 6 * STEPS_MS.hour, rowMs: STEPS_MS.day },
  '90d': { spanMs: 90 * STEPS_MS.day, step: 'day', pointMs: STEPS_MS.day, rowMs: 7 * STEPS_MS.day },
}

/** Size, change and latency of a stream over a range, up to now; all points have the same length, including empty ones. */
export async function chartsData(
  db: Database,
  { id: streamId, kind }: Pick<Stream, 'id' | 'kind'>,
  range: RangeName,
  now: number,
): Promise<ChartsData> {
  const { isPolled } = STREAM_KIND[kind]
  const { spanMs, step, pointMs, rowMs } = RANGES[range]
  // One step less than the range plus the current one: as many as may be requested.
  const first = Math.floor((now - spanMs) / pointMs) * pointMs + pointMs
  const window = { from: new Date(first), to: new Date(now) }
  const [steps, latencies] = await Promise.all([
    stepsOf(db, { streamId }, { ...window, step }),
    latencyStepsOf(db, streamId, window, pointMs),
  ])
  const count = Math.floor((now - first) / pointMs) + 1
  const at = Array.from({ length: count }, (_, index) => first + index * pointMs)
  const summed = { received: at.map(() => 0), patches: at.map(() => 0), changed: at.map(() => 0) }
  for (const sums of steps) {
    const index = Math.floor((sums.at.getTime() - first) / pointMs)
    if (index < 0 || index >= count) continue
    summed.received[index] = (summed.received[index] ?? 0) + sums.wireBytes
    summed.patches[index] = (summed.patches[index] ?? 0) + sums.patchBytes
    summed.changed[index] = (summed.changed[index] ?? 0) + sums.changed
  }
  const byTime = new Map(latencies.map((point) => [point.at.getTime(), point]))
  const p50 = at.map((time) => byTime.get(time)?.p50Ms ?? null)
  const p95 = at.map((time) => byTime.get(time)?.p95Ms ?? null)
  const hasPatches = isPolled || summed.patches.some((bytes) => bytes > 0)
  const charts: ChartView[] = [
    {
      id: 'size',
      title: 'Size',
      unit: 'bytes',
      series: [
        { label: 'received', values: summed.received },
        ...(hasPatches ? [{ label: 'as patches', values: summed.patches }] : []),
      ],
    },
    { id: 'change', title: 'Change', unit: 'count', series: [{ label: 'changes', values: summed.changed }] },
    {
      id: 'latency',
      title: 'Latency',
      unit: 'ms',
      series: [
        { label: 'median', values: p50 },
        { label: '95th percentile', values: p95 },
      ],
    },
  ]
  return { streamId, range, pointMs, at, charts, hasPatches, rows: rowsOf(at, { ...summed, p95 }, rowMs) }
}

interface Summed {
  received: readonly number[]
  patches: readonly number[]
  changed: readonly number[]
  p95: readonly (number | null)[]
}

/** The same figures in fewer steps, for a table, newest first. */
function rowsOf(at: readonly number[], summed: Summed, rowMs: number): ChartsData['rows'] {
  const rows = Map.groupBy(at.keys(), (index) => Math.floor((at[index] as number) / rowMs) * rowMs)
  const sum = (values: readonly number[], indexes: readonly number[]) =>
    indexes.reduce((total, index) => total + (values[index] ?? 0), 0)
  return [...rows]
    .map(([time, indexes]) => {
      const slowest = indexes.flatMap((index) => summed.p95[index] ?? [])
      return {
        at: new Date(time),
        received: sum(summed.received, indexes),
        patches: sum(summed.patches, indexes),
        changed: sum(summed.changed, indexes),
        p95Ms: slowest.length === 0 ? null : Math.max(...slowest),
      }
    })
    .reverse()
}
