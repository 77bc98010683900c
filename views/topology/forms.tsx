import { Curl } from '../layout/curl.tsx'
import type { TopologyPageProps } from './topology.tsx'

/** Sends a request through a service; the script chooses the one in the panel. */
export function RequestForm({
  services,
  entryId,
  answer,
}: Pick<TopologyPageProps, 'services' | 'entryId' | 'answer'>) {
  const reachable = services.filter(({ url }) => url !== undefined)
  const entry = reachable.find(({ id }) => id === entryId) ?? reachable[0]
  return (
    <form
      class="panel"
      method="post"
      action="/topology/requests"
      hx-post="/topology/requests"
      hx-target="#request-answer"
    >
      <h2>Send a request</h2>
      <label class="service-choice">
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
      </button>{' '}
      <Curl path="/topology/requests" body={{ service: '{service}' }} does="send this request" />
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

/** Gives a service a colour. */
export function ActivateForm({ services, colours }: Pick<TopologyPageProps, 'services' | 'colours'>) {
  return (
    <form class="panel" method="post" action="/activate" hx-post="/activate" hx-target="#activate-answer">
      <h2>Colour a service</h2>
      <label class="service-choice">
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
      <button type="submit">Activate</button>{' '}
      <Curl path="/activate" body={{ item: '{item}', color: '{color}' }} does="colour this service" />
      <div class="answer" id="activate-answer" role="status" />
    </form>
  )
}
