import type { AvailabilityData } from '../../../views/stream/availability.tsx'
import type { RangeName } from '../../../views/stream/charts.tsx'
import {
  AVAILABILITY_SEGMENTS,
  AVAILABILITY_WINDOW_NAMES,
  AVAILABILITY_WINDOWS,
  type Availability,
  type AvailabilityStep,
  type AvailabilityWindow,
  windowSince,
} from '../../core/availability.ts'
import { period } from '../../core/change/words.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { availabilitySteps, availabilityWindows } from '../../streams/measures/availability.ts'

/** A stream's availability by window, and over a range in segments, including those without data. */
export async function availabilityData(
  db: Database,
  stream: Pick<Stream, 'id' | 'kind' | 'createdAt'>,
  range: RangeName,
  now: number,
): Promise<AvailabilityData> {
  const segmentMs = AVAILABILITY_SEGMENTS[range]
  // One segment less than the range plus the current one, as charts have their points.
  const first = Math.floor((now - AVAILABILITY_WINDOWS[range]) / segmentMs) * segmentMs + segmentMs
  const [windows, steps] = await Promise.all([
    availabilityWindows(db, { stream }, now),
    availabilitySteps(db, { stream }, { from: new Date(first), to: new Date(now) }, segmentMs),
  ])
  return {
    range,
    windows: windowViews(windows, now),
    segments: segmentsOf(steps, { from: first, to: now }, segmentMs),
  }
}

/** Of the windows that began before anything was known, only the first is shown: all have the same share. */
function windowViews(
  windows: Record<AvailabilityWindow, Availability>,
  now: number,
): AvailabilityData['windows'] {
  const views = AVAILABILITY_WINDOW_NAMES.map((name) => {
    const found = windows[name]
    return { name, share: found.share, since: windowSince(found, name, now) }
  })
  const partial = views.findIndex(({ since }) => since !== undefined)
  return partial < 0 ? views : views.slice(0, partial + 1)
}

/** All segments between two times, including those without data. @param from begins a segment */
export function segmentsOf(
  steps: readonly AvailabilityStep[],
  { from: first, to }: { from: number; to: number },
  segmentMs: number,
): AvailabilityData['segments'] {
  const known = new Map(steps.map((step) => [step.at.getTime(), step]))
  const count = Math.floor((to - first) / segmentMs) + 1
  return Array.from({ length: count }, (_, index) => {
    const from = first + index * segmentMs
    const step = known.get(from)
    return {
      from: new Date(from),
      to: new Date(Math.min(from + segmentMs, to)),
      share: step?.share ?? null,
      detail: step && detailOf(step),
    }
  })
}

function detailOf({ answered, unanswered, upMs, downMs }: Availability): string {
  if (answered !== null && unanswered !== null) {
    return `${unanswered} of ${answered + unanswered} checks failed`
  }
  return `down ${period(downMs ?? 0)}, up ${period(upMs ?? 0)}`
}
