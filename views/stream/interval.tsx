import { Fact } from '../layout/fact.tsx'
import { percent } from '../layout/format.tsx'

export interface IntervalView {
  /** Null for an event stream. */
  intervalMs: number | null
  /** Null if nothing is known to suggest. */
  suggestedIntervalMs: number | null
  /** Share of the changes that the interval misses, 0 to 1; null if unknown. */
  missed: number | null
}

/** A suggested interval that differs by less than this factor isn't worth a change. */
const MUCH = 3
const UNITS_MS = [
  [86_400_000, 'days'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const

/** The interval of polls: what it misses, and whether another would fit better. */
export function IntervalFacts({ intervalMs, suggestedIntervalMs, missed }: IntervalView) {
  if (intervalMs === null) return undefined
  return (
    <>
      <Fact name="Missed between polls">{percent(missed)}</Fact>
      <Fact name="Suggested interval">
        {suggestedIntervalMs === null ? '–' : interval(suggestedIntervalMs)}
        <span class="below muted">{hint(intervalMs, suggestedIntervalMs)}</span>
      </Fact>
    </>
  )
}

function hint(intervalMs: number, suggestedIntervalMs: number | null): string {
  const polled = `polled every ${interval(intervalMs)}`
  if (suggestedIntervalMs === null) return polled
  if (suggestedIntervalMs >= intervalMs * MUCH) return `${polled}: most polls find nothing new`
  if (suggestedIntervalMs * MUCH <= intervalMs) return `${polled}: changes between polls are missed`
  return polled
}

/** An interval in its largest unit that leaves no fraction. */
function interval(ms: number): string {
  const [unitMs, unit] = UNITS_MS.find(([size]) => ms >= size && ms % size === 0) ?? [1_000, 's']
  const count = ms / unitMs
  return `${count} ${count === 1 && unit === 'days' ? 'day' : unit}`
}
