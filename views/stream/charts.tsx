import { bytes, Minute } from '../layout/format.tsx'

export const RANGE_NAMES = ['1h', '24h', '7d', '30d', '90d'] as const
export type RangeName = (typeof RANGE_NAMES)[number]

export interface ChartView {
  id: string
  title: string
  unit: 'bytes' | 'count' | 'ms'
  /** A value for each point, or null. */
  series: readonly { label: string; values: readonly (number | null)[] }[]
}

export interface ChartsData {
  streamId: string
  range: RangeName
  /** Length of a point, in milliseconds. */
  pointMs: number
  /** Start of each point, in milliseconds since the epoch. */
  at: readonly number[]
  charts: readonly ChartView[]
  /** Whether the stream is a document: others have no patches. */
  hasPatches: boolean
  rows: readonly {
    at: Date
    received: number
    patches: number
    changed: number
    p95Ms: number | null
  }[]
}

const WIDTH = 600
const HEIGHT = 160
/** Half the width of an isolated point. */
const DASH = 4
const LABELS: Record<RangeName, string> = {
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  '90d': 'Last 90 days',
}
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** Size, change and latency over time: drawn here, then again by the page's script with readable values. */
export function ChartsPanel(data: ChartsData) {
  const { streamId, range, pointMs, at, charts, hasPatches, rows } = data
  return (
    <section
      class="panel"
      id="charts"
      aria-labelledby="charts-heading"
      data-source={`/streams/${streamId}/charts?range=${range}`}
    >
      <div class="heading">
        <h2 id="charts-heading">
          Over time <span class="muted aside">{duration(pointMs)} per point</span>
        </h2>
        <nav class="pills" aria-label="Time range">
          {RANGE_NAMES.map((name) => (
            <a
              href={`/streams/${streamId}?range=${name}`}
              aria-current={name === range ? 'true' : undefined}
              title={LABELS[name]}
            >
              {name.replace('h', ' h').replace('d', ' d')}
            </a>
          ))}
        </nav>
      </div>
      <div class="charts">
        {charts.map((chart) => (
          <Chart {...chart} at={at} />
        ))}
      </div>
      <details>
        <summary>As a table</summary>
        <div class="table-scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col" class="number">
                  Received
                </th>
                {hasPatches && (
                  <th scope="col" class="number">
                    As patches
                  </th>
                )}
                <th scope="col" class="number">
                  Changes
                </th>
                <th scope="col" class="number">
                  Highest 95th percentile
                </th>
              </tr>
            </thead>
            <tbody data-live="chart-rows">
              {rows.map((row) => (
                <tr>
                  <th scope="row">
                    <Minute at={row.at} />
                  </th>
                  <td class="number">{bytes(row.received)}</td>
                  {hasPatches && <td class="number">{bytes(row.patches)}</td>}
                  <td class="number">{row.changed.toLocaleString('en')}</td>
                  <td class="number">{row.p95Ms === null ? '–' : valueText(row.p95Ms, 'ms')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p class="muted">Times are in UTC.</p>
      </details>
    </section>
  )
}

/** One chart, with the data that the script needs to draw it. */
function Chart({ id, title, unit, series, at }: ChartView & Pick<ChartsData, 'at'>) {
  const values = series.flatMap((line) => line.values.filter((value) => value !== null))
  const top = Math.max(...values, 0)
  const said = values.length === 0 ? 'no data' : `max ${valueText(top, unit)}`
  const data = { unit, at, series }
  return (
    <figure class="chart" id={`chart-${id}`} data-chart={JSON.stringify(data)}>
      <figcaption data-live={`${id}-caption`}>
        <strong>{title}</strong>
        {series.map(({ label, values }, index) => (
          <span class={`legend-${index + 1}`}>
            <span aria-hidden="true">{index === 0 ? '━' : '┅'}</span> {label}{' '}
            <span class="latest">{latest(values, unit)}</span>
          </span>
        ))}
      </figcaption>
      <div class="plot">
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title} over time: ${said}`}
        >
          {series.map(({ values }, index) => (
            <path
              class={`line-${index + 1}`}
              d={pathOf(values, top || 1)}
              vector-effect="non-scaling-stroke"
            />
          ))}
        </svg>
      </div>
      <p class="muted scale" data-live={`${id}-scale`}>
        {said}
      </p>
    </figure>
  )
}

/** A line through the values, broken at missing ones; an isolated value is a dash. */
function pathOf(values: readonly (number | null)[], top: number): string {
  const step = WIDTH / Math.max(1, values.length - 1)
  let path = ''
  for (const [index, value] of values.entries()) {
    if (value === null) continue
    const [x, y] = [(index * step).toFixed(1), (HEIGHT - 4 - (value / top) * (HEIGHT - 12)).toFixed(1)]
    const isJoined = index > 0 && values[index - 1] !== null
    path += isJoined ? `L${x} ${y}` : `M${x} ${y}h-${DASH}h${2 * DASH}h-${DASH}`
  }
  return path
}

function latest(values: readonly (number | null)[], unit: ChartView['unit']): string {
  const last = values.findLast((value) => value !== null)
  return last === undefined || last === null ? '–' : valueText(last, unit)
}

function valueText(value: number, unit: ChartView['unit']): string {
  if (unit === 'bytes') return bytes(value)
  if (unit === 'count') return value.toLocaleString('en')
  return value >= 1_000 ? `${(value / 1_000).toPrecision(3)} s` : `${Number(value.toPrecision(3))} ms`
}

function duration(ms: number): string {
  if (ms < HOUR_MS) return ms === MINUTE_MS ? '1 minute' : `${ms / MINUTE_MS} minutes`
  return ms === HOUR_MS ? '1 hour' : `${ms / HOUR_MS} hours`
}
