import { bytes } from '../../src/core/units.ts'
import type { TwinSums } from '../../src/streams/twins/twins.ts'

/** Coordinates of the pictures; they are drawn to the available width. */
const WIDTH = 600
const HEIGHT = 180
const TREND_WIDTH = 120
const TREND_HEIGHT = 28
/** Free space above the highest point. */
const HEADROOM = 6

const LINES = [
  ['plainBytes', 'plain'],
  ['gzipBytes', 'gzip'],
  ['conditionalBytes', 'conditional'],
  ['streamedBytes', 'streamed'],
] as const

/** Bytes transferred by each way over time: the area between two lines is what one saves over the other. */
export function TwinsOverTime({
  points,
  pointMs,
}: {
  points: readonly (TwinSums & { at: Date })[]
  pointMs: number
}) {
  const top = Math.max(1, ...points.map((point) => Math.max(...LINES.map(([name]) => point[name]))))
  const step = WIDTH / Math.max(1, points.length - 1)
  const path = (name: keyof TwinSums) =>
    points
      .map((point, index) => {
        const y = HEIGHT - 1 - (point[name] / top) * (HEIGHT - HEADROOM)
        return `${index === 0 ? 'M' : 'L'}${(index * step).toFixed(1)} ${y.toFixed(1)}`
      })
      .join('')
  const label = `Bytes transferred per ${duration(pointMs)}, over time: up to ${bytes(top)} by uncompressed polling`
  const [first, last] = [points[0], points.at(-1)]
  return (
    <figure class="twins-time">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {LINES.map(([name, way]) => (
          <path class={`way-${way}`} d={path(name)} vector-effect="non-scaling-stroke" />
        ))}
      </svg>
      <figcaption class="muted">
        {first && <time datetime={first.at.toISOString()} data-relative />}
        <span>
          up to {bytes(top)} per {duration(pointMs)}
        </span>
        {last && <span>now</span>}
      </figcaption>
    </figure>
  )
}

/** In the back, bytes of polling with gzip and ETag; in front, bytes of streaming. */
export function TwinTrend({
  trend,
  name,
}: {
  trend: readonly { polled: number; streamed: number }[]
  name: string
}) {
  const top = Math.max(1, ...trend.map(({ polled, streamed }) => Math.max(polled, streamed)))
  const width = TREND_WIDTH / Math.max(1, trend.length)
  return (
    <svg
      class="twin-trend"
      viewBox={`0 0 ${TREND_WIDTH} ${TREND_HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${name}: polling with ETag up to ${bytes(Math.max(0, ...trend.map(({ polled }) => polled)))} per point, streaming up to ${bytes(Math.max(0, ...trend.map(({ streamed }) => streamed)))}`}
    >
      {trend.map(({ polled, streamed }, index) => (
        <>
          <Column index={index} width={width} share={polled / top} way="polled" />
          <Column index={index} width={width} share={streamed / top} way="streamed" />
        </>
      ))}
    </svg>
  )
}

function Column({ index, width, share, way }: { index: number; width: number; share: number; way: string }) {
  if (share === 0) return undefined
  const height = Math.max(1, share * TREND_HEIGHT)
  return (
    <rect
      class={way}
      x={(index * width).toFixed(1)}
      y={(TREND_HEIGHT - height).toFixed(1)}
      width={(width * 0.8).toFixed(1)}
      height={height.toFixed(1)}
    />
  )
}

function duration(ms: number): string {
  if (ms >= 86_400_000) return 'day'
  if (ms >= 3_600_000) return ms === 3_600_000 ? 'hour' : `${ms / 3_600_000} hours`
  return `${ms / 60_000} minutes`
}
