import type { Child } from 'hono/jsx'
import { Curl } from '../layout/curl.tsx'
import { Ago } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { IncidentItem, type IncidentRow, StateBadge } from './incidents.tsx'

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

export function IncidentPage(data: IncidentPageData) {
  const { incident } = data
  return (
    <Page title={incident.title} section="/incidents">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <Live href={`/incidents/${incident.id}/live`} />
      <IncidentDetails {...data} />
    </Page>
  )
}

/** All that is known of it: on the first page and in every live update. */
export function IncidentDetails(data: IncidentPageData) {
  const { incident, stream, host, parent, children, moreChildren, since, timeline } = data
  return (
    <div class="stack" id="incident">
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
    </div>
  )
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
