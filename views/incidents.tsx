import type { Child } from 'hono/jsx'
import { Curl } from './curl.tsx'
import { Ago } from './format.tsx'
import { Page } from './layout.tsx'

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
}

export interface TimelineRow {
  at: Date
  text: string
  note: string | null
  /** Where the message went, and what became of it. */
  channel: { href: string; name: string } | null
  delivery: string | null
}

export interface IncidentPageData {
  incident: IncidentRow
  stream: { id: string; name: string } | null
  host: string | null
  parent: { id: string; title: string } | null
  children: readonly IncidentRow[]
  moreChildren: boolean
  since: Date | undefined
  timeline: readonly TimelineRow[]
}

/** What is wrong, then what was. */
export function IncidentsPage({ open, more, past, older }: IncidentsPageData) {
  return (
    <Page title="Incidents" section="/incidents">
      <link rel="stylesheet" href="/assets/incidents.css" />
      <IncidentsHead title="Incidents" current="/incidents" />
      <div
        class="stack"
        id="incidents"
        hx-get="/incidents"
        hx-trigger="every 10s"
        hx-select="#incidents"
        hx-swap="outerMorph"
      >
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
    </Page>
  )
}

export function IncidentPage(data: IncidentPageData) {
  const { incident, stream, host, parent, children, moreChildren, since, timeline } = data
  return (
    <Page title={incident.title} section="/incidents">
      <link rel="stylesheet" href="/assets/incidents.css" />
      <section class="panel" aria-label="Incident">
        <div class="heading">
          <div class="title">
            <h1>{incident.title}</h1>
            <p class="muted">{incident.detail}</p>
          </div>
          <StateBadge {...incident} />
        </div>
        <dl class="facts">
          <Fact name="Opened">
            <Ago at={incident.openedAt} />
          </Fact>
          <Fact name="Over">
            <Ago at={incident.resolvedAt ?? undefined} none="not yet" />
          </Fact>
          <Fact name="Fails since">
            <Ago at={since} none="unknown" />
          </Fact>
          <Fact name="Streams">{incident.affected.toLocaleString('en')}</Fact>
          {stream && (
            <Fact name="Stream">
              <a href={`/streams/${stream.id}`}>{stream.name}</a>
            </Fact>
          )}
          {host && <Fact name="Host">{host}</Fact>}
          {parent && (
            <Fact name="Explained by">
              <a href={`/incidents/${parent.id}`}>{parent.title}</a>
            </Fact>
          )}
          {incident.acknowledgedBy && <Fact name="Looked after by">{incident.acknowledgedBy}</Fact>}
        </dl>
        {incident.state !== 'resolved' && <AcknowledgeForm id={incident.id} />}
      </section>
      <section class="panel" aria-labelledby="timeline-heading">
        <h2 id="timeline-heading">Timeline</h2>
        <ol class="timeline">
          {timeline.map((item) => (
            <li>
              <time class="mono muted" datetime={item.at.toISOString()}>
                {item.at.toISOString().slice(0, 19).replace('T', ' ')}
              </time>
              <span>
                {item.text}
                {item.channel && (
                  <>
                    {' '}
                    <a href={item.channel.href}>{item.channel.name}</a>
                  </>
                )}
                {item.delivery && <span class="tag">{item.delivery}</span>}
                {item.note && <span class="muted note">{item.note}</span>}
              </span>
            </li>
          ))}
        </ol>
      </section>
      {children.length > 0 && (
        <section class="panel" aria-labelledby="children-heading">
          <h2 id="children-heading">What it explains</h2>
          <ul class="incidents">
            {children.map((child) => (
              <IncidentItem {...child} isExplained />
            ))}
          </ul>
          {moreChildren && (
            <p class="muted">
              And more: <a href={`/api/incidents?parent=${incident.id}`}>all of them</a>.
            </p>
          )}
        </section>
      )}
    </Page>
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
function StateBadge({ state, severity }: Pick<IncidentRow, 'state' | 'severity'>) {
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

function AcknowledgeForm({ id }: { id: string }) {
  return (
    <form class="register" id="acknowledge" method="post" action={`/incidents/${id}/acknowledge`}>
      <label>
        Who looks after it
        <input name="by" required maxlength={100} autocomplete="name" />
      </label>
      <label class="grow">
        Note
        <input name="note" maxlength={1_000} />
      </label>
      <button type="submit" class="primary">
        Acknowledge
      </button>
      <Curl
        path={`/api/incidents/${id}/acknowledge`}
        body={{ by: '{by}', note: '{note}' }}
        does="acknowledge the incident"
      />
    </form>
  )
}

function Fact({ name, children }: { name: string; children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** How long something lasted, in its largest unit. */
function lasted(from: Date, to: Date): string {
  const seconds = Math.max(0, Math.round((to.getTime() - from.getTime()) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`
}
