import { utcMinute } from '../../src/core/units.ts'
import type { Marks, VersionMark, Zoom } from '../../src/streams/documents/version-marks.ts'
import { ExactTime } from '../layout/format.tsx'

/** A version that the slider can be moved to, with the entry that made it. */
export type Stop = Pick<VersionMark, 'seq' | 'at'>

export interface SliderView extends Marks {
  zoom: Zoom
  /** Oldest first. */
  stops: readonly Stop[]
  /** Omitted if there is no document at the requested time. */
  shown: Stop | undefined
}

/** Coordinates of the picture; it is drawn to the available width. */
const WIDTH = 1_000
const HEIGHT = 40
/** Minimum width of a mark, so that it stays visible. */
const MIN_WIDTH = 2
const ZOOMS: readonly (readonly [zoom: Zoom, label: string, title: string])[] = [
  ['all', 'All', 'From the first version to the last'],
  ['day', 'Day', 'The day of this version, in UTC'],
  ['hour', 'Hour', 'The hour of this version'],
]

/** The versions over time, with a handle to move between them; the page's script loads the selected one. */
export function Slider({ id, ...view }: SliderView & { id: string }) {
  const { zoom, from, to, stops, shown } = view
  const spanMs = Math.max(1, to.getTime() - from.getTime())
  const place = (at: Date) => Math.min(Math.max(at.getTime() - from.getTime(), 0), spanMs)
  return (
    <div class="slider" id="document-slider" data-zoom={zoom}>
      <div class="heading">
        <p class="slider-now" id="slider-now">
          {shown ? <ExactTime at={shown.at} /> : 'No document at this time'}
        </p>
        <nav class="pills" aria-label="Time range">
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
        aria-label="Document version"
        aria-valuetext={shown ? said(shown) : 'No document at this time'}
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

/** Link to a version; without `seq`, to the newest one. */
export function documentLink(id: string, seq: number | undefined, zoom: Zoom): string {
  const asked = [seq !== undefined && `at=seq:${seq}`, zoom !== 'all' && `window=${zoom}`].filter(Boolean)
  return `/streams/${id}/document${asked.length > 0 ? `?${asked.join('&')}` : ''}`
}

function Minute({ at }: { at: Date }) {
  return (
    <time datetime={at.toISOString()} data-exact="minute">
      {utcMinute(at)}
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
      aria-label={stepMs === 0 ? label : `${label}, up to ${most.toLocaleString('en')} in ${stretch(stepMs)}`}
    >
      {marks.map((mark) => {
        const end = (mark.at.getTime() - from.getTime()) * scale
        // The square root, so that few versions stay visible next to many.
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
