import { type AvailabilityWindow, availabilityText } from '../../src/core/availability.ts'
import { utcMinute } from '../../src/core/units.ts'
import { Minute } from '../layout/format.tsx'
import type { RangeName } from './charts.tsx'

export interface AvailabilityData {
  range: RangeName
  /** Share of each window, 0 to 1, null while unknown; and since when it is known, if that isn't for as long. */
  windows: readonly { name: AvailabilityWindow; share: number | null; since: Date | undefined }[]
  /** All segments of the range, oldest first. */
  segments: readonly {
    from: Date
    to: Date
    share: number | null
    /** What the share is about, such as `3 of 60 checks failed`; omitted if nothing is known. */
    detail: string | undefined
  }[]
}

/** Coordinates of the bar; it is drawn to the available width. */
const WIDTH = 1_000
const HEIGHT = 32
export const BAR = `0 0 ${WIDTH} ${HEIGHT}`
/** Space between two segments. */
const GAP = 3
/** Minimum height of the failed part, so that one failure in a thousand stays visible. */
const MIN_FAILED = 6

/** How available the API was: by window, and as a bar over time. */
export function AvailabilityPanel({ range, windows, segments }: AvailabilityData) {
  const known = (windows.find(({ name }) => name === range) ?? windows.at(-1))?.share ?? null
  const label = range.replace('h', ' h').replace('d', ' d')
  const said = `Availability over the last ${label}: ${known === null ? 'unknown' : availabilityText(known)}`
  const failed = segments.filter(({ share }) => share !== null && share < 1)
  return (
    <section class="panel" id="availability" aria-labelledby="availability-heading">
      <h2 id="availability-heading">
        Availability <span class="muted aside">last {label}; red: failed, gray: unknown</span>
      </h2>
      <svg
        class="uptime"
        data-live="uptime"
        viewBox={BAR}
        preserveAspectRatio="none"
        role="img"
        aria-label={said}
      >
        <Segments segments={segments} />
      </svg>
      <p class="ends muted" data-live="uptime-ends">
        {segments[0] && <Minute at={segments[0].from} />}
        <span>now</span>
      </p>
      <dl class="facts uptimes" data-live="uptime-windows">
        {windows.map(({ name, share, since }) => (
          <div>
            <dt>
              {since === undefined ? (
                name.replace('h', ' h').replace('d', ' d')
              ) : (
                <>
                  Since <Minute at={since} />
                </>
              )}
            </dt>
            <dd>{availabilityText(share)}</dd>
          </div>
        ))}
      </dl>
      <details>
        <summary>Outages as a table</summary>
        <div class="table-scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col" class="number">
                  Availability
                </th>
                <th scope="col">Detail</th>
              </tr>
            </thead>
            <tbody data-live="uptime-rows">
              {failed.length === 0 && (
                <tr>
                  <td colspan={4}>None.</td>
                </tr>
              )}
              {failed.toReversed().map(({ from, to, share, detail }) => (
                <tr>
                  <th scope="row">
                    <Minute at={from} />
                  </th>
                  <td>
                    <Minute at={to} />
                  </td>
                  <td class="number">{availabilityText(share)}</td>
                  <td>{detail}</td>
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

/** The bar itself, in a picture of {@link BAR}. */
export function Segments({ segments }: Pick<AvailabilityData, 'segments'>) {
  return (
    <>
      {segments.map((segment, index) => (
        <Segment {...segment} index={index} count={segments.length} />
      ))}
    </>
  )
}

type SegmentProps = AvailabilityData['segments'][number] & { index: number; count: number }

/** The failed part stands on top of the rest, so that color isn't all that tells them apart. */
function Segment({ from, to, share, detail, index, count }: SegmentProps) {
  const pitch = WIDTH / count
  const place = { x: (index * pitch).toFixed(1), width: (pitch - Math.min(GAP, pitch / 3)).toFixed(1) }
  const failed = share === null || share === 1 ? 0 : Math.max(MIN_FAILED, Math.round((1 - share) * HEIGHT))
  const title = `${utcMinute(from)} to ${utcMinute(to)} UTC: ${share === null ? 'unknown' : availabilityText(share)}`
  return (
    <g>
      <title>{detail === undefined ? title : `${title}, ${detail}`}</title>
      <rect class={share === null ? 'unknown' : 'answered'} height={HEIGHT} {...place} />
      {failed > 0 && <rect class="failed" height={failed} {...place} />}
    </g>
  )
}
