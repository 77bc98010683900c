import type { Child } from 'hono/jsx'
import { utcMinute } from '../../src/core/units.ts'
import type { IncidentView } from '../incidents/incidents.tsx'
import { Minute } from '../layout/format.tsx'

export interface TimelineData {
  from: Date
  to: Date
  /** Oldest first. */
  runs: readonly { epoch: number; worker: string; from: Date; to: Date | undefined; why: string | null }[]
  incidents: readonly (Pick<IncidentView, 'id' | 'title' | 'severity'> & {
    from: Date
    to: Date | undefined
  })[]
  /** Whether there are more than are shown. */
  isCut: boolean
}

/** Coordinates of the strip; it is drawn to the available width. */
const WIDTH = 1_000
const ROW = 20
const GAP = 6
/** Minimum width of a bar, so that it stays visible. */
const MIN_WIDTH = 3
const HOUR_MS = 3_600_000

/** Runs of a stream and its incidents, over time. */
export function TimelinePanel({ from, to, runs, incidents, isCut }: TimelineData) {
  const hours = Math.round((to.getTime() - from.getTime()) / HOUR_MS)
  const span = hours <= 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
  const place = (start: Date, end: Date | undefined) => placeOf(from, to, start, end)
  const said = `${count(runs.length, 'run')} and ${count(incidents.length, 'incident')} in the last ${span}`
  return (
    <section class="panel" id="timeline" aria-labelledby="timeline-heading">
      <h2 id="timeline-heading">
        Runs and incidents <span class="muted aside">last {span}</span>
      </h2>
      <svg
        class="strip"
        data-live="strip"
        viewBox={`0 0 ${WIDTH} ${2 * ROW + GAP}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={said}
      >
        <rect class="ground" width={WIDTH} height={ROW} />
        <rect class="ground" y={ROW + GAP} width={WIDTH} height={ROW} />
        {runs.map((run, index) => (
          <rect class={index % 2 === 0 ? 'run' : 'run other'} height={ROW} {...place(run.from, run.to)}>
            <title>{`Run ${run.epoch}, ${run.worker}: ${period(run.from, run.to)}`}</title>
          </rect>
        ))}
        {incidents.map((incident) => (
          <rect
            class={`incident-${incident.severity}`}
            y={ROW + GAP}
            height={ROW}
            {...place(incident.from, incident.to)}
          >
            <title>{`${incident.title}: ${period(incident.from, incident.to)}`}</title>
          </rect>
        ))}
      </svg>
      <p class="ends muted" data-live="strip-ends">
        <Minute at={from} />
        <span>above: which run followed it, below: incidents</span>
        <span>now</span>
      </p>
      <details>
        <summary>{`As a table: ${said}`}</summary>
        <Table head={['Item', 'From', 'To', 'Outcome']}>
          {runs.toReversed().map((run) => (
            <Row from={run.from} to={run.to} end={run.why ?? (run.to === undefined ? 'running' : 'unknown')}>
              Run {run.epoch} <span class="muted mono">{run.worker}</span>
            </Row>
          ))}
          {incidents.map((incident) => (
            <Row from={incident.from} to={incident.to} end={incident.to === undefined ? 'open' : 'resolved'}>
              <a href={`/incidents/${incident.id}`}>{incident.title}</a>{' '}
              <span class="muted">{incident.severity}</span>
            </Row>
          ))}
        </Table>
        <p class="muted">Times are in UTC.{isCut && ' Only the newest are shown.'}</p>
      </details>
    </section>
  )
}

function Table({ head, children }: { head: readonly string[]; children: Child }) {
  return (
    <div class="table-scroll">
      <table>
        <thead>
          <tr>
            {head.map((name) => (
              <th scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody data-live="strip-rows">{children}</tbody>
      </table>
    </div>
  )
}

function Row({
  from,
  to,
  end,
  children,
}: {
  from: Date
  to: Date | undefined
  end: string
  children: Child
}) {
  return (
    <tr>
      <th scope="row">{children}</th>
      <td>
        <Minute at={from} />
      </td>
      <td>{to === undefined ? 'now' : <Minute at={to} />}</td>
      <td>{end}</td>
    </tr>
  )
}

function placeOf(from: Date, to: Date, start: Date, end: Date | undefined): { x: string; width: string } {
  const scale = WIDTH / (to.getTime() - from.getTime())
  const x = Math.max(0, (start.getTime() - from.getTime()) * scale)
  const until = Math.min(WIDTH, ((end ?? to).getTime() - from.getTime()) * scale)
  const width = Math.max(MIN_WIDTH, until - x)
  return { x: Math.min(x, WIDTH - MIN_WIDTH).toFixed(1), width: width.toFixed(1) }
}

function period(from: Date, to: Date | undefined): string {
  return `${utcMinute(from)} to ${to === undefined ? 'now' : utcMinute(to)} UTC`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
