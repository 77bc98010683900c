import { STATUSES } from '../../src/core/sets/statuses.ts'
import { STREAM_KIND, STREAM_KINDS } from '../../src/core/sets/stream-kinds.ts'
import type { Fleet } from '../../src/streams/status/status.ts'
import { Curl } from '../layout/curl.tsx'
import { StatusBadge } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { PreviewForm } from '../preview/preview.tsx'
import { BulkBar } from './bulk.tsx'
import { FilterForm } from './filter.tsx'
import { type ListedAs, listLink } from './links.ts'
import { type StreamsData, StreamsTable } from './table.tsx'

export interface StreamsPageData extends StreamsData {
  statuses: Fleet['statuses']
  form: RegisterFormData
  /** Path and query of the table, to refresh it. */
  self: string
}

export interface RegisterFormData {
  values?: Readonly<Record<string, string>>
  error?: { field: string | undefined; detail: string }
  /** Name of the stream that was just registered. */
  registered?: string
}

/** The list of streams. */
export function StreamsPage({ reader, ...data }: StreamsPageData & ForReader) {
  return (
    <Page reader={reader} title="Streams" section="/streams" scripts={['views/streams/client/list.ts']}>
      <link rel="stylesheet" href="/assets/views/streams/streams.css" />
      <div class="heading">
        <h1>Streams</h1>
        <Statuses statuses={data.statuses} listed={data.listed} />
      </div>
      {isEmpty(data) ? <PreviewForm /> : <RegisterForm {...data.form} />}
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

/** Whether nothing is registered yet and nothing was typed: then the page shows the guided form. */
function isEmpty({ statuses, form }: StreamsPageData): boolean {
  return form.error === undefined && Object.values(statuses).every((count) => count === 0)
}

/** Registers an API; after an error, shows what was typed and what is wrong with it. */
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
        API URL
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
          {[['', 'Auto-detect'], ...STREAM_KINDS.map((kind) => [kind, STREAM_KIND[kind].label])].map(
            ([value, label]) => (
              <option value={value} selected={values.kind === value}>
                {label}
              </option>
            ),
          )}
        </select>
      </label>
      <label>
        Interval (seconds)
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
        New stream
      </a>
      <a class="button" href="/streams/import">
        Import
      </a>
      <p id="register-result" class={error ? 'error result' : 'result'} role="status">
        {error?.detail ?? (registered === undefined ? '' : `Registered ${registered}.`)}
      </p>
    </form>
  )
}

/** The number of streams by status; each is a filter. */
function Statuses({ statuses, listed }: { statuses: Fleet['statuses']; listed: ListedAs }) {
  return (
    <nav id="statuses" class="pills" aria-label="Streams by status">
      {STATUSES.map((status) => {
        const chosen = listed.status === status
        return (
          <a
            href={listLink({ ...listed, status: chosen ? undefined : status })}
            aria-current={chosen ? 'true' : undefined}
          >
            <StatusBadge status={status} /> <strong>{statuses[status]}</strong>
          </a>
        )
      })}
    </nav>
  )
}
