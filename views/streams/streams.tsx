import { Curl } from '../layout/curl.tsx'
import { VerdictBadge } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { LookForm } from '../preview/preview.tsx'
import { BulkBar } from './bulk.tsx'
import { FilterForm } from './filter.tsx'
import { type ListedAs, listLink } from './links.ts'
import { type StreamsData, StreamsTable } from './table.tsx'

export interface StreamsPageData extends StreamsData {
  verdicts: Readonly<Record<string, number>>
  form: RegisterFormData
  /** Path and query that gives the table anew. */
  self: string
}

export interface RegisterFormData {
  values?: Readonly<Record<string, string>>
  error?: { field: string | undefined; detail: string }
  /** Name of the stream that was just registered. */
  registered?: string
}

/** The list of streams. */
export function StreamsPage(data: StreamsPageData) {
  return (
    <Page title="Streams" section="/streams" scripts={['views/streams/client/list.ts']}>
      <link rel="stylesheet" href="/assets/views/streams/streams.css" />
      <div class="heading">
        <h1>Streams</h1>
        <Verdicts verdicts={data.verdicts} listed={data.listed} />
      </div>
      {isEmpty(data) ? <LookForm /> : <RegisterForm {...data.form} />}
      <section class="panel" aria-label="Registered streams">
        <FilterForm listed={data.listed} />
        <BulkBar total={data.total} filter={data.listed} />
        <div
          id="streams-table"
          hx-get={data.self}
          hx-trigger="streams-listed from:body throttle:1s"
          hx-swap="innerMorph"
        >
          <StreamsTable {...data} />
        </div>
      </section>
    </Page>
  )
}

const REGISTRATION = {
  url: '{url}',
  kind: '{kind}',
  intervalMs: '{seconds:intervalSeconds}',
  tags: '{list:tags}',
  twin: '{flag:twin}',
}

/** Nothing is registered yet, and nothing was typed: then the first one is guided. */
function isEmpty({ verdicts, form }: StreamsPageData): boolean {
  return form.error === undefined && Object.values(verdicts).every((count) => count === 0)
}

/** Registers an API; after a mistake, with what was typed and what is wrong with it. */
export function RegisterForm({ values = {}, error, registered }: RegisterFormData) {
  const invalid = (field: string) => (error?.field === field ? 'true' : undefined)
  return (
    <form
      id="register"
      class="panel register"
      method="post"
      action="/streams"
      hx-post="/streams"
      hx-target="#register"
      hx-swap="outerHTML"
      aria-label="Register an API"
    >
      <label class="grow">
        URL of an API
        <input
          name="url"
          type="url"
          required
          placeholder="https://api.example.com/prices"
          value={values.url}
          aria-invalid={invalid('url')}
          aria-describedby="register-result"
          autocomplete="off"
        />
      </label>
      <label>
        Kind
        <select name="kind">
          {[
            ['', 'Find out'],
            ['sse', 'Event stream'],
            ['poll', 'Poll'],
          ].map(([value, label]) => (
            <option value={value} selected={values.kind === value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Every (seconds)
        <input
          name="intervalSeconds"
          type="number"
          min="0.5"
          step="0.5"
          placeholder="60"
          value={values.intervalSeconds}
          aria-invalid={invalid('intervalMs')}
        />
      </label>
      <label>
        Tags
        <input name="tags" placeholder="shop, eu" value={values.tags} aria-invalid={invalid('tags')} />
      </label>
      <label class="check">
        <input type="checkbox" name="twin" value="yes" checked={values.twin !== undefined} />
        Twin
      </label>
      <button type="submit" class="primary">
        Register and start
      </button>
      <Curl path="/api/streams" body={REGISTRATION} does="register and start this API" />
      <a class="button" href="/streams/new">
        Look first…
      </a>
      <a class="button" href="/streams/import">
        Import many…
      </a>
      <p id="register-result" class={error ? 'error result' : 'result'} role="status">
        {error?.detail ?? (registered === undefined ? '' : `Registered ${registered}.`)}
      </p>
    </form>
  )
}

/** How many streams there are by verdict; each a filter. */
function Verdicts({ verdicts, listed }: { verdicts: Readonly<Record<string, number>>; listed: ListedAs }) {
  return (
    <nav id="verdicts" class="verdicts" aria-label="Streams by verdict">
      {Object.entries(verdicts).map(([verdict, count]) => {
        const chosen = listed.state === verdict
        return (
          <a
            href={listLink({ ...listed, state: chosen ? undefined : verdict })}
            aria-current={chosen ? 'true' : undefined}
          >
            <VerdictBadge verdict={verdict} /> <strong>{count}</strong>
          </a>
        )
      })}
    </nav>
  )
}
