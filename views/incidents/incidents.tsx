import type { Severity } from '../../src/channels/message.ts'
import type { IncidentRow, IncidentState } from '../../src/incidents/read.ts'
import { Ago } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'

export interface IncidentView
  extends Pick<IncidentRow, 'id' | 'title' | 'detail' | 'affected' | 'openedAt' | 'acknowledgedBy'> {
  severity: Severity
  /** First failure and first success after it; `until` is omitted while it is open. */
  since: Date
  until: Date | undefined
  /** Such as `Down 13 min`. */
  lasted: string
  state: IncidentState
}

export interface IncidentsPageData {
  open: readonly IncidentView[]
  /** How many more are open than are shown. */
  more: number
  past: readonly IncidentView[]
  /** Link to older ones; omitted where there are none. */
  older: string | undefined
  /** URL of its live updates. */
  live: string
}

/** Open incidents, then past ones. */
export function IncidentsPage({ reader, ...data }: IncidentsPageData & ForReader) {
  return (
    <Page reader={reader} title="Incidents" section="/incidents">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <h1>Incidents</h1>
      <Live href={data.live} />
      <IncidentsList {...data} />
    </Page>
  )
}

/** Every incident: on the first page and in every live update. */
export function IncidentsList({ open, more, past, older }: Omit<IncidentsPageData, 'live'>) {
  return (
    <div class="stack" id="incidents">
      <section class="panel" aria-labelledby="open-heading">
        <h2 id="open-heading">Open</h2>
        {open.length === 0 ? (
          <p class="empty muted">No open incidents.</p>
        ) : (
          <ul class="incidents">
            {open.map((incident) => (
              <IncidentItem {...incident} />
            ))}
          </ul>
        )}
        {more > 0 && (
          <p class="muted">
            <a href="/api/incidents?state=open">{more} more</a>
          </p>
        )}
      </section>
      <section class="panel" aria-labelledby="past-heading">
        <h2 id="past-heading">History</h2>
        {past.length === 0 ? (
          <p class="empty muted">No incidents.</p>
        ) : (
          <ul class="incidents">
            {past.map((incident) => (
              <IncidentItem {...incident} />
            ))}
          </ul>
        )}
        {older && (
          <p class="paging">
            <a href={older}>Older incidents</a>
          </p>
        )}
      </section>
    </div>
  )
}

/** A row of a list: title, severity, start, and a button to acknowledge it. */
export function IncidentItem({ isExplained = false, ...incident }: IncidentView & { isExplained?: boolean }) {
  const { id, title, detail, state, affected, since, until, lasted, acknowledgedBy } = incident
  return (
    <li id={`incident-${id}`} class="incident">
      <StateBadge {...incident} />
      <div class="what">
        <a href={`/incidents/${id}`}>{title}</a>
        <p class="muted">{detail}</p>
      </div>
      <p class="when muted">
        {affected > 1 && <>{affected.toLocaleString('en')} streams · </>}
        {until === undefined ? (
          <>
            since <Ago at={since} />
          </>
        ) : (
          <>
            <Ago at={since} />, {lasted.toLowerCase()}
          </>
        )}
        {acknowledgedBy && <> · acknowledged by {acknowledgedBy}</>}
      </p>
      {state === 'open' && !isExplained && (
        <a class="button" href={`/incidents/${id}#acknowledge`} aria-label={`Acknowledge: ${title}`}>
          Acknowledge
        </a>
      )}
    </li>
  )
}

/** A state as text, mark and color: never color alone. */
export function StateBadge({ state, severity }: Pick<IncidentView, 'state' | 'severity'>) {
  const [mark, kind] = state === 'resolved' ? ['✓', 'live'] : (SEVERITIES[severity] ?? ['●', 'quiet'])
  return (
    <span class={`status ${kind}`}>
      <span aria-hidden="true">{mark}</span> {state === 'open' ? severity : state}
    </span>
  )
}

const SEVERITIES: Record<string, [mark: string, status: string]> = {
  critical: ['✕', 'dead'],
  warning: ['◐', 'stalled'],
  info: ['●', 'quiet'],
}
