import { Ago } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'

export interface IncidentRow {
  id: string
  title: string
  detail: string
  severity: string
  state: 'open' | 'acknowledged' | 'resolved'
  affected: number
  openedAt: Date
  acknowledgedBy: string | null
  resolvedAt: Date | null
}

export interface IncidentsPageData {
  open: readonly IncidentRow[]
  /** How many more are open than are shown. */
  more: number
  past: readonly IncidentRow[]
  /** Link to older ones; left out where there are none. */
  older: string | undefined
  /** Where its changes come from. */
  live: string
}

/** What is wrong, then what was. */
export function IncidentsPage(data: IncidentsPageData) {
  return (
    <Page title="Incidents" section="/incidents">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <IncidentsHead title="Incidents" current="/incidents" />
      <Live href={data.live} />
      <IncidentsList {...data} />
    </Page>
  )
}

/** All of them: on the first page and in every live update. */
export function IncidentsList({ open, more, past, older }: Omit<IncidentsPageData, 'live'>) {
  return (
    <div class="stack" id="incidents">
      <section class="panel" aria-labelledby="open-heading">
        <h2 id="open-heading">Open</h2>
        {open.length === 0 ? (
          <p class="empty muted">Nothing is wrong.</p>
        ) : (
          <ul class="incidents">
            {open.map((incident) => (
              <IncidentItem {...incident} />
            ))}
          </ul>
        )}
        {more > 0 && (
          <p class="muted">
            And <a href="/api/incidents?state=open">{more} more</a>.
          </p>
        )}
      </section>
      <section class="panel" aria-labelledby="past-heading">
        <h2 id="past-heading">History</h2>
        {past.length === 0 ? (
          <p class="empty muted">Nothing was wrong so far.</p>
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

/** The heading of the three pages about what is wrong. */
export function IncidentsHead({ title, current }: { title: string; current: string }) {
  return (
    <div class="heading">
      <h1>{title}</h1>
      <nav class="verdicts" aria-label="Incidents">
        {PAGES.map(([href, label]) => (
          <a href={href} aria-current={href === current ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
    </div>
  )
}

const PAGES = [
  ['/incidents', 'Incidents'],
  ['/rules', 'Rules'],
  ['/silences', 'Silences'],
] as const

/** A line of a list: what, how bad, since when, and a button to look after it. */
export function IncidentItem({ isExplained = false, ...incident }: IncidentRow & { isExplained?: boolean }) {
  const { id, title, detail, state, affected, openedAt, resolvedAt, acknowledgedBy } = incident
  return (
    <li id={`incident-${id}`} class="incident">
      <StateBadge {...incident} />
      <div class="what">
        <a href={`/incidents/${id}`}>{title}</a>
        <p class="muted">{detail}</p>
      </div>
      <p class="when muted">
        {affected > 1 && <>{affected.toLocaleString('en')} streams · </>}
        {resolvedAt === null ? (
          <>
            since <Ago at={openedAt} />
          </>
        ) : (
          <>
            <Ago at={openedAt} />, lasted {lasted(openedAt, resolvedAt)}
          </>
        )}
        {acknowledgedBy && <> · {acknowledgedBy} looks after it</>}
      </p>
      {state === 'open' && !isExplained && (
        <a class="button" href={`/incidents/${id}#acknowledge`} aria-label={`Acknowledge: ${title}`}>
          Acknowledge
        </a>
      )}
    </li>
  )
}

/** A state as text, mark and colour: never colour alone. */
export function StateBadge({ state, severity }: Pick<IncidentRow, 'state' | 'severity'>) {
  const [mark, kind] = state === 'resolved' ? ['✓', 'live'] : (SEVERITIES[severity] ?? ['●', 'quiet'])
  return (
    <span class={`verdict ${kind}`}>
      <span aria-hidden="true">{mark}</span> {state === 'open' ? severity : state}
    </span>
  )
}

const SEVERITIES: Record<string, [mark: string, verdict: string]> = {
  critical: ['✕', 'dead'],
  warning: ['◐', 'stalled'],
  info: ['●', 'quiet'],
}

/** How long something lasted, in its largest unit. */
function lasted(from: Date, to: Date): string {
  const seconds = Math.max(0, Math.round((to.getTime() - from.getTime()) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`
}
