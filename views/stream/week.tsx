import { percent } from '../layout/format.tsx'

export interface WeekData {
  /** By hour of the week from Monday 00:00 UTC; hours in which nothing was compared are left out. */
  hours: readonly { hour: number; compared: number; changed: number }[]
}

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const
const CELL = 10
const HOURS = 24

/** When in the week a stream changes, over the last eight weeks. The page's script moves it to the reader's zone. */
export function WeekPanel({ hours }: WeekData) {
  const cells = hours.filter(({ compared }) => compared > 0)
  const rates = cells.map(({ changed, compared }) => changed / compared)
  const top = Math.max(...rates, 0)
  const most = cells[rates.indexOf(top)]
  const said =
    most === undefined || top === 0
      ? 'no change so far'
      : `most on ${hourText(most.hour)} UTC, ${percent(top)} of what was compared`
  return (
    <section class="panel" id="week" aria-labelledby="week-heading">
      <h2 id="week-heading">
        Change by hour of the week{' '}
        <span class="muted aside" id="week-zone">
          in UTC
        </span>
      </h2>
      <div class="week">
        <ol class="week-days" aria-hidden="true">
          {DAYS.map((day) => (
            <li>{day.slice(0, 2)}</li>
          ))}
        </ol>
        <svg
          class="heat"
          viewBox={`0 0 ${HOURS * CELL} ${DAYS.length * CELL}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Change by hour of the week: ${said}`}
        >
          <rect class="ground" width={HOURS * CELL} height={DAYS.length * CELL} />
          {cells.map(({ hour, compared, changed }) => (
            <rect
              class="cell"
              data-hour={hour}
              x={(hour % HOURS) * CELL}
              y={Math.floor(hour / HOURS) * CELL}
              width={CELL - 1}
              height={CELL - 1}
              fill-opacity={opacity(changed / compared, top)}
            >
              <title>{`${hourText(hour)} UTC: changed ${changed} of ${compared}, ${percent(changed / compared)}`}</title>
            </rect>
          ))}
        </svg>
        <p class="week-hours muted" aria-hidden="true">
          {[0, 6, 12, 18].map((hour) => (
            <span>{hour}:00</span>
          ))}
        </p>
      </div>
      <p class="muted">
        {capital(said)}. {cells.length} of 168 hours have been seen.
      </p>
    </section>
  )
}

/** Darker is less; what was compared and never changed can still be told from what wasn't. */
function opacity(rate: number, top: number): string {
  return top === 0 ? '0.08' : (0.08 + 0.92 * (rate / top)).toFixed(2)
}

function hourText(hour: number): string {
  return `${DAYS[Math.floor(hour / HOURS)]} ${String(hour % HOURS).padStart(2, '0')}:00`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
