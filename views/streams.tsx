import { Ago, bytes, percent, rate, VerdictBadge } from './format.tsx'
import { Page } from './layout.tsx'

/** A stream as the table shows it. */
export interface StreamRow {
  id: string
  name: string
  url: string
  kind: 'sse' | 'poll'
  tags: readonly string[]
  desired: 'running' | 'stopped' | 'idle'
  verdict: string
  reason: string
  lastEventAt: Date | undefined
  /** Events (`sse`) or answered polls (`poll`), per minute. */
  perMinute: number
  /** Received on the wire, per minute. */
  bytesPerMinute: number
  changeRate: number | null
}

export interface StreamsPageData {
  rows: readonly StreamRow[]
  verdicts: Readonly<Record<string, number>>
  filter: { q?: string; tag?: string; host?: string; state?: string }
  /** Link to the next page; left out on the last. */
  next: string | undefined
  form: RegisterFormData
  /** Path and query that gives the table anew, and the one of its live updates. */
  self: string
}

export interface RegisterFormData {
  values?: Readonly<Record<string, string>>
  error?: { field: string | undefined; detail: string }
  /** Name of the stream that was just registered. */
  registered?: string
}

export function StreamsPage(data: StreamsPageData) {
  return (
    <Page title="Streams" section="/streams">
      <div class="heading">
        <h1>Streams</h1>
        <Verdicts verdicts={data.verdicts} filter={data.filter} />
      </div>
      <RegisterForm {...data.form} />
      <section
        class="panel"
        aria-label="Registered streams"
        hx-sse:connect="/streams/live"
        hx-swap="none"
        hx-config="sse.pauseOnBackground:false"
      >
        <form class="filter" method="get" action="/streams" role="search">
          <label>
            Search
            <input type="search" name="q" value={data.filter.q} placeholder="Name or URL" />
          </label>
          <label>
            Tag
            <input name="tag" value={data.filter.tag} placeholder="Any" />
          </label>
          <label>
            Host
            <input name="host" value={data.filter.host} placeholder="Any" />
          </label>
          <button type="submit">Filter</button>
        </form>
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

/** The table with its paging: what is fetched again when streams come or go. */
export function StreamsTable({ rows, next, filter }: Pick<StreamsPageData, 'rows' | 'next' | 'filter'>) {
  if (rows.length === 0) return <NoStreams filtered={Object.values(filter).some(Boolean)} />
  return (
    <>
      <table class="streams">
        <thead>
          <tr>
            <th scope="col">Stream</th>
            <th scope="col">Verdict</th>
            <th scope="col">Last event</th>
            <th scope="col" class="number">
              Events/min
            </th>
            <th scope="col" class="number">
              Bytes/min
            </th>
            <th scope="col" class="number">
              Change
            </th>
            <th scope="col">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <StreamTableRow {...row} />
          ))}
        </tbody>
      </table>
      {next && (
        <p class="paging">
          <a href={next}>Next page</a>
        </p>
      )}
    </>
  )
}

/** One row, on the first page and in every live update. */
export function StreamTableRow(row: StreamRow) {
  return (
    <tr id={`stream-${row.id}`} data-verdict={row.verdict}>
      <th scope="row">
        <a href={`/streams/${row.id}`}>{row.name}</a>
        <span class="kind">{row.kind}</span>
        {row.tags.map((tag) => (
          <a class="tag" href={`/streams?tag=${encodeURIComponent(tag)}`}>
            {tag}
          </a>
        ))}
        <span class="url" title={row.url}>
          {row.url}
        </span>
      </th>
      <td data-label="Verdict">
        <VerdictBadge verdict={row.verdict} reason={row.reason} />
      </td>
      <td data-label="Last event">
        <Ago at={row.lastEventAt} />
      </td>
      <td data-label="Events/min" class="number">
        {rate(row.perMinute)}
      </td>
      <td data-label="Bytes/min" class="number">
        {bytes(row.bytesPerMinute)}
      </td>
      <td data-label="Change" class="number">
        {percent(row.changeRate)}
      </td>
      <td class="actions">
        <StartStop
          id={row.id}
          name={row.name}
          desired={row.desired}
          target={`#stream-${row.id}`}
          from="table"
        />
      </td>
    </tr>
  )
}

export interface StartStopProps {
  id: string
  name: string
  desired: 'running' | 'stopped' | 'idle'
  /** What the answer replaces. */
  target: string
  /** Where the button stands: the answer is that place's fragment. */
  from: 'table' | 'page'
}

/** Start or stop: a form that works without script, and without a page load with it. */
export function StartStop({ id, name, desired, target, from }: StartStopProps) {
  const action = desired === 'running' ? 'stop' : 'start'
  const path = `/streams/${id}/${action}?from=${from}`
  return (
    <form method="post" action={path} hx-post={path} hx-target={target} hx-swap="outerMorph">
      <button
        type="submit"
        id={`toggle-${id}`}
        aria-label={`${action === 'stop' ? 'Stop' : 'Start'} ${name}`}
      >
        {action === 'stop' ? 'Stop' : 'Start'}
      </button>
    </form>
  )
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
            ['twin', 'Poll and stream, side by side'],
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
      <button type="submit" class="primary">
        Register and start
      </button>
      <p id="register-result" class={error ? 'error result' : 'result'} role="status">
        {error?.detail ?? (registered === undefined ? '' : `Registered ${registered}.`)}
      </p>
    </form>
  )
}

/** How many streams there are by verdict; each a filter. */
export function Verdicts({ verdicts, filter }: Pick<StreamsPageData, 'verdicts' | 'filter'>) {
  return (
    <nav id="verdicts" class="verdicts" aria-label="Streams by verdict">
      {Object.entries(verdicts).map(([verdict, count]) => {
        const chosen = filter.state === verdict
        return (
          <a
            href={chosen ? '/streams' : `/streams?state=${verdict}`}
            aria-current={chosen ? 'true' : undefined}
          >
            <VerdictBadge verdict={verdict} /> <strong>{count}</strong>
          </a>
        )
      })}
    </nav>
  )
}

function NoStreams({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <p class="empty">
        No stream matches. <a href="/streams">Show all</a>
      </p>
    )
  }
  return (
    <div class="empty">
      <p>Nothing is followed yet. Paste the URL of an API above, or start the simulated services:</p>
      <pre>
        <code>bun run sim</code>
      </pre>
    </div>
  )
}
