import type { Child } from 'hono/jsx'
import { Page } from './layout.tsx'

const FIRST_ERROR_STATUS = 400

export interface ServiceView {
  id: string
  name: string
  url?: string
  colour: string
}

export interface CallView {
  from: string
  to: string
  lastStatus?: number
  lastDurationMs?: number
  /** ISO 8601. */
  calledAt?: string
}

export interface TopologyPageProps {
  services: readonly ServiceView[]
  calls: readonly CallView[]
  /** The graph as Mermaid text. */
  diagram: string
  /** Names offered as colours. */
  colours: readonly string[]
  /** Where this Weir is reached, for the example that reports a service. */
  origin: string
  /** What a form that was sent without script was answered. */
  answer?: Child
}

/** The live picture of services and calls, the same as a list, and the forms that act on it. */
export function TopologyPage({ services, calls, diagram, colours, origin, answer }: TopologyPageProps) {
  return (
    <Page title="Topology" section="/topology" scripts={['topology.ts']} wide>
      <link rel="stylesheet" href="/assets/topology.css" />
      <div class="topology-head">
        <h1>Topology</h1>
        <p class="muted">
          <span id="service-count">{services.length}</span> services,{' '}
          <span id="call-count">{calls.length}</span> calls
        </p>
        <p class="feed" id="feed" role="status" data-state="connecting" hidden>
          Connecting…
        </p>
      </div>
      <Empty origin={origin} hidden={services.length > 0} />
      <div class="topology-body" id="graph" hidden={services.length === 0}>
        <Picture diagram={diagram} />
        <div class="topology-forms">
          <RequestForm services={services} calls={calls} answer={answer} />
          <ActivateForm services={services} colours={colours} />
        </div>
        <Services services={services} calls={calls} />
      </div>
    </Page>
  )
}

/** What `POST /activate` did. */
export function Activated({ item, color }: { item: string; color: string }) {
  return (
    <p>
      {item} is <strong>{color}</strong> now.
    </p>
  )
}

/** Why a form was refused. */
export function Refused({ reason }: { reason: string }) {
  return <p class="error">{reason}</p>
}

export interface SentProps {
  /** Name of the service that was called. */
  through: string
  status: number
  durationMs: number
  /** What each service behind it answered, where the answer tells. */
  responses: readonly (readonly [service: string, response: string])[]
}

/** What a request that was sent through a service came back with. */
export function Sent({ through, status, durationMs, responses }: SentProps) {
  const hasFailed = status >= FIRST_ERROR_STATUS
  return (
    <>
      <p class={hasFailed ? 'error' : undefined}>
        {through} answered <strong>{status}</strong> in <strong>{durationMs} ms</strong>
        {hasFailed ? ': the request failed.' : '.'}
      </p>
      {responses.length > 0 && (
        <dl class="responses">
          {responses.map(([service, response]) => (
            <div>
              <dt>{service}</dt>
              <dd>{response}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  )
}

function Empty({ origin, hidden }: { origin: string; hidden: boolean }) {
  const report = '{"services":[{"id":"UI"}],"calls":[{"from":"UI","to":"D","status":200}]}'
  return (
    <section class="panel empty" id="empty" hidden={hidden}>
      <h2>No service has reported yet</h2>
      <p>Start the simulation of eight services:</p>
      <pre tabindex={0}>bun run sim</pre>
      <p>Or report a service and a call of your own; it is drawn at once:</p>
      <pre tabindex={0}>
        {`curl ${origin}/api/topology -H 'Content-Type: application/json' \\\n  -d '${report}'`}
      </pre>
    </section>
  )
}

function Picture({ diagram }: { diagram: string }) {
  return (
    <section class="picture" aria-label="Picture">
      <div
        class="picture-scroll"
        id="picture"
        tabindex={0}
        role="group"
        aria-label="Diagram, scrolls sideways"
      >
        <noscript>
          <p>The picture is drawn by a script. Its text and the list of services are below.</p>
        </noscript>
      </div>
      <p class="error" id="picture-error" role="alert" hidden />
      <ul class="legend" aria-label="Legend">
        <li>
          <i class="line" /> call
        </li>
        <li>
          <i class="line failed" /> last call failed
        </li>
      </ul>
      <details>
        <summary>Mermaid text</summary>
        <pre class="mermaid-source" id="mermaid-source" tabindex={0}>
          {diagram}
        </pre>
      </details>
    </section>
  )
}

function RequestForm({ services, calls, answer }: Pick<TopologyPageProps, 'services' | 'calls' | 'answer'>) {
  const reachable = services.filter(({ url }) => url !== undefined)
  const entry = reachable.find(({ id }) => !calls.some(({ to }) => to === id)) ?? reachable[0]
  return (
    <form
      class="panel"
      method="post"
      action="/topology/requests"
      hx-post="/topology/requests"
      hx-target="#request-answer"
    >
      <h2>Send a request</h2>
      <label>
        Service
        <select name="service" id="request-service" required disabled={entry === undefined}>
          {reachable.map(({ id, name }) => (
            <option value={id} selected={id === entry?.id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button class="primary" type="submit" id="request-button" disabled={entry === undefined}>
        Send a request through <span id="request-through">{entry?.name ?? 'a service'}</span>
      </button>
      <p class="muted" id="request-hint" hidden={entry !== undefined}>
        No service has reported a <code>url</code> to call yet.
      </p>
      <p class="muted sending">Waiting for the answer…</p>
      <div class="answer" id="request-answer" role="status">
        {answer}
      </div>
    </form>
  )
}

function ActivateForm({ services, colours }: Pick<TopologyPageProps, 'services' | 'colours'>) {
  return (
    <form class="panel" method="post" action="/activate" hx-post="/activate" hx-target="#activate-answer">
      <h2>Colour a service</h2>
      <label>
        Service
        <select name="item" id="activate-item" required>
          {services.map(({ id, name }) => (
            <option value={id}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Colour
        <input
          name="color"
          list="colours"
          required
          autocomplete="off"
          spellcheck={false}
          pattern="[A-Za-z]+|#[0-9A-Fa-f]{6}"
          title="A colour name or #rrggbb"
          placeholder="red or #00ffcc"
        />
      </label>
      <datalist id="colours">
        {colours.map((name) => (
          <option value={name} />
        ))}
      </datalist>
      <button type="submit">Activate</button>
      <div class="answer" id="activate-answer" role="status" />
    </form>
  )
}

function Services({ services, calls }: Pick<TopologyPageProps, 'services' | 'calls'>) {
  return (
    <section class="panel services" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">State</th>
            <th scope="col">Last call</th>
          </tr>
        </thead>
        <tbody id="services">
          {services.map((service) => (
            <ServiceRow {...service} lastCall={lastCallOf(service.id, services, calls)} />
          ))}
        </tbody>
      </table>
      {/* What the script copies for a service that appears. */}
      <template id="service-row">
        <ServiceRow id="" name="" colour="white" lastCall={NO_CALL} />
      </template>
    </section>
  )
}

interface LastCall {
  text: string
  hasFailed: boolean
  calledAt?: string
}

const NO_CALL: LastCall = { text: 'none yet', hasFailed: false }

function ServiceRow({ id, name, colour, lastCall }: ServiceView & { lastCall: LastCall }) {
  return (
    <tr data-service={id}>
      <th scope="row" data-part="name">
        {name}
      </th>
      <td>
        <span class="state">
          <i class="swatch" data-part="swatch" style={`background:${colour}`} />
          <span data-part="colour">{colour}</span>
        </span>
      </td>
      <td>
        <span data-part="call" class={lastCall.hasFailed ? 'error' : undefined}>
          {lastCall.text}
        </span>{' '}
        <time class="muted" data-part="time" datetime={lastCall.calledAt}>
          {lastCall.calledAt?.slice(11, 19)}
        </time>
      </td>
    </tr>
  )
}

/** The script on the page says it in the same words. */
function lastCallOf(id: string, services: readonly ServiceView[], calls: readonly CallView[]): LastCall {
  const last = calls
    .filter(({ from, to, calledAt }) => calledAt !== undefined && (from === id || to === id))
    .reduce<CallView | undefined>((a, b) => ((b.calledAt ?? '') >= (a?.calledAt ?? '') ? b : a), undefined)
  if (last === undefined) return NO_CALL
  const nameOf = (other: string) => services.find((service) => service.id === other)?.name ?? other
  const other = last.to === id ? `from ${nameOf(last.from)}` : `to ${nameOf(last.to)}`
  const hasFailed = (last.lastStatus ?? 0) >= FIRST_ERROR_STATUS
  const duration = last.lastDurationMs === undefined ? '' : ` in ${Math.round(last.lastDurationMs)} ms`
  const text = `${other}: ${last.lastStatus}${hasFailed ? ' failed' : ''}${duration}`
  return { text, hasFailed, calledAt: last.calledAt }
}
