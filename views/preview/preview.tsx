import type { Child } from 'hono/jsx'
import { Curl } from '../layout/curl.tsx'
import { Page } from '../layout/layout.tsx'
import { type Found, FoundPanel } from './found.tsx'
import { StartFields } from './start.tsx'

export interface LookFormData {
  /** What is typed in; values of headers aren't shown again. */
  values?: Readonly<Record<string, string>>
  /** What there is at the URL. */
  found?: Found
  /** What is wrong with what was typed, before or instead of a look. */
  error?: { field: string | undefined; detail: string }
  /** Whether the page's script looks by itself: the URL came with the link. */
  isAsked?: boolean
}

const METHODS = ['GET', 'POST', 'PUT'] as const

/** The guided first stream: paste a URL, see what is there, start. */
export function LookPage(data: LookFormData) {
  return (
    <Page title="Follow an API" section="/streams">
      <h1>Follow an API</h1>
      <LookForm {...data} />
      <p class="muted">
        Many at once: <a href="/streams/import">import</a> takes JSON, CSV and OpenAPI documents.
      </p>
    </Page>
  )
}

/** One form for all steps, so that headers are typed once: looking fills in what is below, and starting sends it all. */
export function LookForm({ values = {}, found, error, isAsked = false }: LookFormData) {
  const isOpen = Boolean(values.body || (values.method && values.method !== 'GET'))
  return (
    <>
      <link rel="stylesheet" href="/assets/views/preview/preview.css" />
      <form
        id="look"
        class="panel stack look"
        method="post"
        action="/streams/look"
        hx-post="/streams/look"
        hx-trigger={isAsked ? 'submit, load' : undefined}
        hx-target="#found"
        hx-swap="innerHTML"
        hx-indicator="#looking"
        hx-disable="find button"
        aria-label="Look at an API"
      >
        <div class="register">
          <label class="grow">
            URL of an API
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
            Look
          </button>
          <Curl
            path="/api/streams/look"
            body={{ url: '{url}', method: '{method}', headers: '{headers:headers}', body: '{body}' }}
            does="look at this API"
          />
        </div>
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
              Name: value, one a line. Values are never shown again.
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
              <textarea name="body" rows={2} spellcheck={false} placeholder="Not with GET.">
                {values.body}
              </textarea>
            </label>
          </div>
        </details>
        <p id="looking" class="looking" role="status">
          <progress aria-label="Looking" /> Weir asks the API once; that takes up to 10 s…
        </p>
        <div id="found">
          <Outcome values={values} found={found} error={error} />
        </div>
      </form>
    </>
  )
}

/** What a look found, with what to start it by: what the answer to the form replaces. */
export function Outcome({ values = {}, found, error }: LookFormData): Child {
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

/** What must not be asked at all can't be registered either. */
function mayStart(found: Found | undefined): boolean {
  return found?.problem?.code !== 'not_allowed'
}

function needsHeader(found: Found | undefined): boolean {
  const status = found?.answer?.status
  return status === 401 || status === 403
}
