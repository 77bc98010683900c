import { Curl } from '../layout/curl.tsx'
import type { TopologyPageProps } from './topology.tsx'

/** Sends a request through a service; the script selects the one in the panel. */
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
        Send request through <span id="request-through">{entry?.name ?? 'a service'}</span>
      </button>{' '}
      <Curl path="/topology/requests" body={{ service: '{service}' }} does="send this request" />
      <p class="muted" id="request-hint" hidden={entry !== undefined}>
        No service has reported a <code>url</code> yet.
      </p>
      <p class="muted sending">Waiting for a response…</p>
      <div class="answer" id="request-answer" role="status">
        {answer}
      </div>
    </form>
  )
}

/** Gives a service a color. */
export function ActivateForm({ services, colors }: Pick<TopologyPageProps, 'services' | 'colors'>) {
  return (
    <form class="panel" method="post" action="/activate" hx-post="/activate" hx-target="#activate-answer">
      <h2>Set a service’s color</h2>
      <label class="service-choice">
        Service
        <select name="item" id="activate-item" required>
          {services.map(({ id, name }) => (
            <option value={id}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Color
        <input
          name="color"
          list="colors"
          required
          autocomplete="off"
          spellcheck={false}
          pattern="[A-Za-z]+|#[0-9A-Fa-f]{6}|hsl\(.+\)"
          title="A color name, #rrggbb or hsl(…)"
          placeholder="red or #00ffcc"
        />
      </label>
      <datalist id="colors">
        {colors.map((name) => (
          <option value={name} />
        ))}
      </datalist>
      <button type="submit">Set color</button>{' '}
      <Curl path="/activate" body={{ item: '{item}', color: '{color}' }} does="set this color" />
      <div class="answer" id="activate-answer" role="status" />
    </form>
  )
}
