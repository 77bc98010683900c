import { Instant } from '../layout/format.tsx'

export type Zoom = 'all' | 'day' | 'hour'

/** A version that the slider can be moved to: by this entry the document is that version's. */
export interface Stop {
  seq: number
  at: Date
}

export interface SliderView {
  zoom: Zoom
  from: Date
  to: Date
  /** How long the stretches are that versions are counted by, in milliseconds; 0 where each is marked by itself. */
  stepMs: number
  /** Oldest first; a bounded number. */
  marks: readonly (Stop & { versions: number })[]
  /** Oldest first. */
  stops: readonly Stop[]
  /** Left out where there is no document at the moment that was asked for. */
  shown: Stop | undefined
}

/** The picture's own coordinates; it is drawn to the width there is. */
const WIDTH = 1_000
const HEIGHT = 40
/** A mark is this wide at least: it must be seen. */
const MIN_WIDTH = 2
const ZOOMS: readonly (readonly [zoom: Zoom, label: string, title: string])[] = [
  ['all', 'All', 'From the first version to the last'],
  ['day', 'Day', 'The day of this version, in UTC'],
  ['hour', 'Hour', 'The hour of this version'],
]

/** Where the versions are in time, and a handle to move among them; the page's script loads what it is moved to. */
export function Slider({ id, ...view }: SliderView & { id: string }) {
  const { zoom, from, to, stops, shown } = view
  const spanMs = Math.max(1, to.getTime() - from.getTime())
  const place = (at: Date) => Math.min(Math.max(at.getTime() - from.getTime(), 0), spanMs)
  return (
    <div class="slider" id="document-slider" data-zoom={zoom}>
      <div class="heading">
        <p class="slider-now" id="slider-now">
          {shown ? <Instant at={shown.at} /> : 'No document then'}
        </p>
        <nav class="verdicts" aria-label="Time shown">
          {ZOOMS.map(([name, label, title]) => (
            <a
              href={documentLink(id, shown?.seq, name)}
              aria-current={name === zoom ? 'true' : undefined}
              title={title}
            >
              {label}
            </a>
          ))}
        </nav>
      </div>
      <Density {...view} spanMs={spanMs} />
      <input
        type="range"
        class="needs-script"
        id="moment"
        min={0}
        max={spanMs}
        step={1}
        value={shown ? place(shown.at) : spanMs}
        aria-label="Moment of the document"
        aria-valuetext={shown ? said(shown) : 'No document then'}
        data-link={`/streams/${id}/document`}
        data-from={from.getTime()}
        data-shown={shown?.seq}
        data-stops={JSON.stringify(stops.map(({ seq, at }) => [seq, at.getTime()]))}
        autocomplete="off"
      />
      <p class="ends muted" id="slider-ends">
        <Minute at={from} />
        <span class="zone-note">
          in <span data-zone-name>UTC</span>
        </span>
        <Minute at={to} />
      </p>
    </div>
  )
}

/** Where a version is shown; left out: the newest one. */
export function documentLink(id: string, seq: number | undefined, zoom: Zoom): string {
  const asked = [seq !== undefined && `at=seq:${seq}`, zoom !== 'all' && `window=${zoom}`].filter(Boolean)
  return `/streams/${id}/document${asked.length > 0 ? `?${asked.join('&')}` : ''}`
}

function Minute({ at }: { at: Date }) {
  return (
    <time datetime={at.toISOString()} data-exact="minute">
      {at.toISOString().slice(0, 16).replace('T', ' ')}
    </time>
  )
}

function Density({ from, stepMs, marks, spanMs }: SliderView & { spanMs: number }) {
  const versions = marks.reduce((sum, mark) => sum + mark.versions, 0)
  const most = Math.max(1, ...marks.map((mark) => mark.versions))
  const scale = WIDTH / spanMs
  const width = Math.max(MIN_WIDTH, stepMs * scale)
  const label = `${versions.toLocaleString('en')} ${versions === 1 ? 'version' : 'versions'}`
  return (
    <svg
      class="density"
      id="slider-density"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={
        stepMs === 0 ? label : `${label}, at most ${most.toLocaleString('en')} in ${stretch(stepMs)}`
      }
    >
      {marks.map((mark) => {
        const end = (mark.at.getTime() - from.getTime()) * scale
        // The root, so that few beside many are seen.
        const height = stepMs === 0 ? HEIGHT * 0.6 : Math.max(3, Math.sqrt(mark.versions / most) * HEIGHT)
        const x = Math.min(Math.max(0, stepMs === 0 ? end - width / 2 : end - width), WIDTH - width)
        return (
          <rect
            x={x.toFixed(1)}
            y={(HEIGHT - height).toFixed(1)}
            width={(stepMs === 0 ? width : Math.max(MIN_WIDTH, width * 0.85)).toFixed(1)}
            height={height.toFixed(1)}
          />
        )
      })}
    </svg>
  )
}

function said({ seq, at }: Stop): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC, entry ${seq}`
}

const UNITS_MS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
] as const

function stretch(ms: number): string {
  const [unitMs, unit] = UNITS_MS.find(([size]) => ms % size === 0) ?? UNITS_MS[2]
  const count = ms / unitMs
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
