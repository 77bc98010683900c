import type { Child } from 'hono/jsx'
import { STREAM_FIELD } from '../../src/core/sets/stream-fields.ts'
import { Curl } from '../layout/curl.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { type Found, FoundPanel } from './found.tsx'
import { StartFields } from './start.tsx'

export interface PreviewFormData {
  /** What was typed, without the values of headers: those aren't shown again. */
  values?: Readonly<Record<string, string>>
  /** What the preview found at the URL. */
  found?: Found
  /** What is wrong with the input, if there was no preview. */
  error?: { field: string | undefined; detail: string }
  /** Whether the page's script previews at once: the URL came with the link. */
  isAsked?: boolean
}

const METHODS = ['GET', 'POST', 'PUT'] as const

/** Guides through a new stream: paste a URL, preview it, start. */
export function PreviewPage({ reader, ...data }: PreviewFormData & ForReader) {
  return (
    <Page reader={reader} title="New stream" section="/streams">
      <h1>New stream</h1>
      <PreviewForm {...data} />
      <p class="muted">
        To add many at once, <a href="/streams/import">import</a> JSON, CSV or an OpenAPI document.
      </p>
    </Page>
  )
}

/** One form for all steps, so that headers are typed once: the preview fills in the lower part, Start sends all of it. */
export function PreviewForm({ values = {}, found, error, isAsked = false }: PreviewFormData) {
  return (
    <>
      <link rel="stylesheet" href="/assets/views/preview/preview.css" />
      <form
        id="look"
        class="panel stack look"
        method="post"
        action="/streams/preview"
        hx-post="/streams/preview"
        hx-trigger={isAsked ? 'submit, load' : undefined}
        hx-target="#found"
        hx-swap="innerHTML"
        hx-indicator="#looking"
        hx-disable="find button"
        aria-label="Preview an API"
      >
        <div class="register">
          <label class="grow">
            API URL
            <input
              name="url"
              type="url"
              required
              maxlength={8_192}
              placeholder="https://api.example.com/prices"
              value={values.url}
              aria-invalid={error?.field === 'url' ? 'true' : undefined}
              autocomplete="off"
            />
          </label>
          <button type="submit" class="primary">
            Preview
          </button>
          <Curl
            path="/api/streams/preview"
            body={{
              url: '{url}',
              method: '{method}',
              headers: '{headers:headers}',
              body: '{body}',
              select: '{select}',
            }}
            does="preview this API"
          />
        </div>
        <RequestFields values={values} found={found} />
        <p id="looking" class="looking" role="status">
          <progress aria-label="Loading preview" /> Sending one request. This can take up to 10 s…
        </p>
        <div id="found">
          <PreviewOutcome values={values} found={found} error={error} />
        </div>
      </form>
    </>
  )
}

/** How the API is asked: with which headers, method and body. */
function RequestFields({ values = {}, found }: Pick<PreviewFormData, 'values' | 'found'>) {
  const isOpen = Boolean(values.body || values.select || (values.method && values.method !== 'GET'))
  return (
    <details open={isOpen || needsHeader(found)}>
      <summary>Headers, method and body</summary>
      <div class="asking">
        <label class="wide">
          Headers
          <textarea
            name="headers"
            rows={2}
            spellcheck={false}
            placeholder="Authorization: Bearer …"
            autocomplete="off"
            aria-describedby="about-headers"
          />
        </label>
        <small id="about-headers" class="wide muted">
          Name: value, one per line. Values are never shown again.
        </small>
        <label>
          Method
          <select name="method">
            {METHODS.map((method) => (
              <option value={method} selected={values.method === method}>
                {method}
              </option>
            ))}
          </select>
        </label>
        <label class="wide">
          Body
          <textarea name="body" rows={2} spellcheck={false} placeholder="Not sent with GET">
            {values.body}
          </textarea>
        </label>
        <label class="wide">
          {STREAM_FIELD.select.label}
          <input
            name="select"
            value={values.select}
            placeholder={STREAM_FIELD.select.placeholder}
            spellcheck={false}
            autocomplete="off"
            aria-describedby="about-select"
          />
        </label>
        <small id="about-select" class="wide muted">
          {STREAM_FIELD.select.hint}
        </small>
        <label class="check wide">
          <input
            type="checkbox"
            name="isSubscription"
            value="yes"
            checked={values.isSubscription !== undefined}
          />
          The body is a GraphQL subscription
        </label>
        <label class="wide">
          First messages of a WebSocket
          <textarea
            name="first"
            rows={2}
            spellcheck={false}
            placeholder="One per line. Never shown again."
            autocomplete="off"
          />
        </label>
      </div>
    </details>
  )
}

/** The preview, and the settings to start with: the part that a response to the form replaces. */
export function PreviewOutcome({ values = {}, found, error }: PreviewFormData): Child {
  if (found === undefined && error === undefined) return null
  return (
    <div class="stack">
      {error && found === undefined && values.looked === undefined && (
        <p class="error" role="alert">
          {error.detail}
        </p>
      )}
      {found && <FoundPanel {...found} />}
      {(found !== undefined || values.looked !== undefined) && mayStart(found) && (
        <StartFields values={values} found={found} error={error} />
      )}
    </div>
  )
}

/** A URL that Weir may not request can't be registered either. */
function mayStart(found: Found | undefined): boolean {
  return found?.problem?.code !== 'not_allowed'
}

function needsHeader(found: Found | undefined): boolean {
  const status = found?.answer?.status
  return status === 401 || status === 403
}
