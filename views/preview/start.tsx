import { isStreamKind, OTHERWISE, STREAM_KIND, STREAM_KINDS } from '../../src/core/sets/stream-kinds.ts'
import { Curl } from '../layout/curl.tsx'
import type { Found } from './found.tsx'

export interface StartFieldsProps {
  values: Readonly<Record<string, string>>
  /** Left out after an error in these fields: then they keep what was typed. */
  found: Found | undefined
  error?: { field: string | undefined; detail: string }
}

/** The form as a registration. */
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
  select: '{select}',
}

/** Settings of the new stream, filled in from the preview; part of its form. */
export function StartFields({ values, found, error }: StartFieldsProps) {
  const invalid = (field: string) => (error?.field === field ? 'true' : undefined)
  const suggestion = found?.suggestion
  const kind = values.kind ?? suggestion?.kind ?? OTHERWISE
  const isPolled = !isStreamKind(kind) || STREAM_KIND[kind].isPolled
  const seconds = suggestion && String(suggestion.intervalMs / 1_000)
  return (
    <fieldset id="start" class="start">
      <legend>{found?.problem ? 'Start anyway' : 'Stream settings'}</legend>
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
          {STREAM_KINDS.map((each) => (
            <option value={each} selected={kind === each}>
              {STREAM_KIND[each].label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Interval (seconds)
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
        Array keys
        <input
          name="arrayKeys"
          placeholder="id, _id, key, uuid"
          value={values.arrayKeys ?? suggestion?.arrayKeys.join(', ')}
          aria-invalid={invalid('arrayKeys')}
        />
      </label>
      <small id="about-interval" class="wide muted">
        {isPolled ? suggestion?.because : 'The interval applies only to polling.'}
      </small>
      {isPolled && (
        <label class="check wide">
          <input type="checkbox" name="twin" value="yes" checked={values.twin !== undefined} />
          Create a twin that streams it through the proxy, to compare polling with streaming
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
