import { Curl } from '../layout/curl.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { IncidentItem, type IncidentView, StateBadge } from './incidents.tsx'

export interface TimelineRow {
  at: Date
  text: string
  note: string | null
  /** Where the message went, and the result. */
  channel: { href: string; name: string } | null
  delivery: string | null
}

export interface IncidentPageData {
  incident: IncidentView
  stream: { id: string; name: string } | null
  host: string | null
  parent: { id: string; title: string } | null
  children: readonly IncidentView[]
  moreChildren: boolean
  timeline: readonly TimelineRow[]
}

export function IncidentPage({ reader, ...data }: IncidentPageData & ForReader) {
  const { incident } = data
  return (
    <Page reader={reader} title={incident.title} section="/incidents">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <Live href={`/incidents/${incident.id}/live`} />
      <IncidentDetails {...data} />
    </Page>
  )
}

/** The incident's details: on the first page and in every live update. */
export function IncidentDetails(data: IncidentPageData) {
  const { incident, stream, host, parent, children, timeline } = data
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
          <Fact name="Since">
            <Ago at={incident.since} />
          </Fact>
          <Fact name="Until">
            <Ago at={incident.until} none="now" />
          </Fact>
          {incident.until && <Fact name="Duration">{incident.lasted}</Fact>}
          <Fact name="Opened">
            <Ago at={incident.openedAt} />
          </Fact>
          <Fact name="Streams">{incident.affected.toLocaleString('en')}</Fact>
          {stream && (
            <Fact name="Stream">
              <a href={`/streams/${stream.id}`}>{stream.name}</a>
            </Fact>
          )}
          {host && <Fact name="Host">{host}</Fact>}
          {parent && (
            <Fact name="Caused by">
              <a href={`/incidents/${parent.id}`}>{parent.title}</a>
            </Fact>
          )}
          {incident.acknowledgedBy && <Fact name="Acknowledged by">{incident.acknowledgedBy}</Fact>}
        </dl>
        {incident.state !== 'resolved' && <AcknowledgeForm id={incident.id} />}
      </section>
      <Timeline timeline={timeline} />
      {children.length > 0 && <Children {...data} />}
    </div>
  )
}

function Timeline({ timeline }: Pick<IncidentPageData, 'timeline'>) {
  return (
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
  )
}

function Children({ incident, children, moreChildren }: IncidentPageData) {
  return (
    <section class="panel" aria-labelledby="children-heading">
      <h2 id="children-heading">Caused by this incident</h2>
      <ul class="incidents">
        {children.map((child) => (
          <IncidentItem {...child} isExplained />
        ))}
      </ul>
      {moreChildren && (
        <p class="muted">
          <a href={`/api/incidents?parent=${incident.id}`}>Show all</a>
        </p>
      )}
    </section>
  )
}

function AcknowledgeForm({ id }: { id: string }) {
  return (
    <form class="register" id="acknowledge" method="post" action={`/incidents/${id}/acknowledge`}>
      <label>
        Your name
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
