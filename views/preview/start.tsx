import { Curl } from '../layout/curl.tsx'
import type { Found } from './found.tsx'

export interface StartFieldsProps {
  values: Readonly<Record<string, string>>
  /** Left out after a mistake in these fields: then they hold what was typed. */
  found: Found | undefined
  error?: { field: string | undefined; detail: string }
}

/** What a registration sends of the form. */
const REGISTRATION = {
  url: '{url}',
  kind: '{kind}',
  name: '{name}',
  intervalMs: '{seconds:intervalSeconds}',
  tags: '{list:tags}',
  arrayKeys: '{list:arrayKeys}',
  twin: '{flag:twin}',
  method: '{method}',
  headers: '{headers:headers}',
  body: '{body}',
}

/** How it is to be followed, filled in by what was found; part of the form that looks. */
export function StartFields({ values, found, error }: StartFieldsProps) {
  const invalid = (field: string) => (error?.field === field ? 'true' : undefined)
  const suggestion = found?.suggestion
  const kind = values.kind ?? suggestion?.kind
  const seconds = suggestion && String(suggestion.intervalMs / 1_000)
  return (
    <fieldset id="start" class="start">
      <legend>{found?.problem ? 'Follow it all the same' : 'Follow it'}</legend>
      <input type="hidden" name="looked" value={found?.url ?? values.looked} />
      <label class="wide">
        Name
        <input
          name="name"
          maxlength={200}
          value={values.name ?? suggestion?.name}
          placeholder="Host and path"
          aria-invalid={invalid('name')}
          autocomplete="off"
        />
      </label>
      <label>
        Kind
        <select name="kind" aria-invalid={invalid('kind')}>
          <option value="poll" selected={kind === 'poll'}>
            Poll
          </option>
          <option value="sse" selected={kind === 'sse'}>
            Event stream
          </option>
        </select>
      </label>
      <label>
        Every (seconds)
        <input
          name="intervalSeconds"
          type="number"
          min="0.5"
          step="any"
          value={values.intervalSeconds ?? seconds ?? '60'}
          aria-invalid={invalid('intervalMs')}
          aria-describedby="about-interval"
        />
      </label>
      <label>
        Tags
        <input name="tags" placeholder="shop, eu" value={values.tags} aria-invalid={invalid('tags')} />
      </label>
      <label>
        Keys of array members
        <input
          name="arrayKeys"
          placeholder="id, _id, key, uuid"
          value={values.arrayKeys ?? suggestion?.arrayKeys.join(', ')}
          aria-invalid={invalid('arrayKeys')}
        />
      </label>
      <small id="about-interval" class="wide muted">
        {kind === 'sse' ? 'The interval is for what is polled.' : suggestion?.because}
      </small>
      {kind !== 'sse' && (
        <label class="check wide">
          <input type="checkbox" name="twin" value="yes" checked={values.twin !== undefined} />
          Follow it through the proxy as well, to measure polling and streaming side by side
        </label>
      )}
      <p class="actions wide">
        <button
          type="submit"
          class="primary"
          formaction="/streams/new"
          hx-post="/streams/new"
          hx-target="#start"
          hx-swap="outerHTML"
          hx-validate="true"
          hx-disable="this"
        >
          Start
        </button>
        <Curl path="/api/streams" body={REGISTRATION} does="register and start this API" />
      </p>
      {error && (
        <p class="error wide" role="alert">
          {error.detail}
        </p>
      )}
    </fieldset>
  )
}
