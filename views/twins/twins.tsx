import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { bytes, percent } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { TwinsOverTime, TwinTrend } from './picture.tsx'

/** Bytes, counts: what polling moves three ways, and what Weir moved by polling and by streaming. */
export interface TwinsSums {
  plainBytes: number
  gzipBytes: number
  conditionalBytes: number
  polledBytes: number
  streamedBytes: number
  polls: number
  changes: number
}

export interface TwinRow extends TwinsSums {
  id: string
  name: string
  intervalMs: number
  desired: string
  streamingId: string
  since: Date
  saving: number | null
  /** Point by point, the oldest first. */
  trend: readonly { polled: number; streamed: number }[]
}

export interface TwinsPageData {
  range: '1h' | '24h' | '7d' | '30d'
  ranges: readonly string[]
  sort: string
  order: 'asc' | 'desc'
  pointMs: number
  /** Of all pairs, of which a page is shown. */
  count: number
  isCut: boolean
  total: TwinsSums & { saving: number | null }
  points: readonly (TwinsSums & { at: Date })[]
  rows: readonly TwinRow[]
  after: string | undefined
  next: string | undefined
  candidates: readonly TwinCandidateView[]
}

export interface TwinCandidateView {
  id: string
  name: string
  intervalMs: number
  bytesAnHour: number
  newBytesAnHour: number
}

const WORDS: Readonly<Record<TwinsPageData['range'], string>> = {
  '1h': 'hour',
  '24h': '24 hours',
  '7d': '7 days',
  '30d': '30 days',
}

/** What streaming saves over polling, measured side by side. */
export function TwinsPage(data: TwinsPageData) {
  return (
    <Page title="Twins" section="/twins">
      <link rel="stylesheet" href="/assets/views/twins/twins.css" />
      <div class="heading">
        <div class="title">
          <h1>Twins</h1>
          <p class="muted">The same API, polled and streamed side by side</p>
        </div>
        {data.count > 0 && <Ranges {...data} />}
      </div>
      <div
        class="stack"
        id="twins"
        hx-get={link(data, {})}
        hx-trigger="every 5s, weir-back from:body"
        hx-select="#twins"
        hx-swap="outerMorph"
      >
        {data.count > 0 && <Total {...data} />}
        {data.count > 0 && <Pairs {...data} />}
        {data.count === 0 && <None />}
        <Candidates candidates={data.candidates} hasPairs={data.count > 0} />
      </div>
    </Page>
  )
}

function Ranges(data: TwinsPageData) {
  return (
    <nav class="verdicts" aria-label="Time shown">
      {data.ranges.map((name) => (
        <a
          href={link(data, { range: name as TwinsPageData['range'], after: undefined })}
          aria-current={name === data.range ? 'true' : undefined}
        >
          {name.replace('h', ' h').replace('d', ' d')}
        </a>
      ))}
    </nav>
  )
}

const WAYS = [
  ['plainBytes', 'Polling plainly', 'plain'],
  ['gzipBytes', 'Polling with gzip', 'gzip'],
  ['conditionalBytes', 'Polling with gzip and ETag', 'conditional'],
  ['streamedBytes', 'Streaming JSON Patch', 'streamed'],
] as const

function Total({ total, points, pointMs, range, count, isCut }: TwinsPageData) {
  const most = Math.max(...WAYS.map(([name]) => total[name]), 1)
  return (
    <section class="panel" aria-labelledby="twins-total">
      <h2 id="twins-total">{headline(total.saving)}</h2>
      <div class="twins-total">
        <table>
          <thead>
            <tr>
              <th scope="col">
                {count} {count === 1 ? 'pair' : 'pairs'}, last {WORDS[range]}
              </th>
              <th scope="col" class="number">
                Moved
              </th>
              <th scope="col" class="number">
                Saved
              </th>
            </tr>
          </thead>
          <tbody>
            {WAYS.map(([name, label, way]) => (
              <tr>
                <th scope="row">
                  <span class={`way ${way}`} aria-hidden="true">
                    ━
                  </span>{' '}
                  {label}
                  <Bar share={total[name] / most} colour={`var(--way-${way})`} />
                </th>
                <td class="number">{bytes(total[name])}</td>
                <td class="number">{way === 'streamed' ? '' : saved(total[name], total.streamedBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <TwinsOverTime points={points} pointMs={pointMs} />
      </div>
      <p class="muted">
        {total.polls.toLocaleString('en')} polls found {total.changes.toLocaleString('en')} changes. Weir
        itself moved {bytes(total.polledBytes)} by polling, as well as the APIs let it. Streaming is counted
        with heartbeats, snapshots and heads, compressed as it came.
        {isCut && ' There are more pairs; the last ones made are counted.'}
      </p>
    </section>
  )
}

function headline(saving: number | null): string {
  if (saving === null) return 'Nothing was polled yet'
  return saving >= 0
    ? `Streaming moved ${share(saving)} less than polling with gzip and ETag`
    : `Streaming moved ${share(-saving)} more than polling with gzip and ETag`
}

const COLUMNS = [
  ['name', 'Stream'],
  ['plain', 'Plainly'],
  ['gzip', 'With gzip'],
  ['conditional', 'With ETag'],
  ['streamed', 'Streamed'],
  ['saved', 'Saved'],
  ['changes', 'Changes'],
] as const

function Pairs(data: TwinsPageData) {
  return (
    <section class="panel" aria-labelledby="pairs">
      <h2 id="pairs">
        Pairs <span class="muted aside">saved against polling with gzip and ETag</span>
      </h2>
      <div class="table-scroll">
        <table class="twins">
          <thead>
            <tr>
              {COLUMNS.map(([name, label]) => (
                <Column {...data} name={name} label={label} />
              ))}
              <th scope="col">Over time</th>
            </tr>
          </thead>
          <tbody>
            {data.rows.map((row) => (
              <Pair row={row} />
            ))}
          </tbody>
        </table>
      </div>
      {(data.next !== undefined || data.after !== undefined) && (
        <nav class="paging actions" aria-label="Pages">
          {data.after !== undefined && (
            <a class="button" href={link(data, { after: undefined })}>
              First
            </a>
          )}
          {data.next !== undefined && (
            <a class="button" rel="next" href={link(data, { after: data.next })}>
              Next
            </a>
          )}
        </nav>
      )}
    </section>
  )
}

function Column({ name, label, ...data }: TwinsPageData & { name: string; label: string }) {
  const isSorted = data.sort === name
  const first = name === 'name' ? 'asc' : 'desc'
  const order = isSorted ? (data.order === 'asc' ? 'desc' : 'asc') : first
  return (
    <th
      scope="col"
      class={name === 'name' ? undefined : 'number'}
      aria-sort={isSorted ? (data.order === 'asc' ? 'ascending' : 'descending') : undefined}
    >
      <a href={link(data, { sort: name, order, after: undefined })}>
        {label}
        <span aria-hidden="true">{isSorted ? (data.order === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </a>
    </th>
  )
}

function Pair({ row }: { row: TwinRow }) {
  const isLoss = row.saving !== null && row.saving < 0
  return (
    <tr id={`twin-${row.id}`}>
      <th scope="row">
        <a href={`/streams/${row.id}#twin`}>{row.name}</a>
        <span class="twin-about muted">
          every {row.intervalMs / 1_000} s ·{' '}
          <a href={`/streams/${row.streamingId}`} aria-label={`its stream: ${row.name}`}>
            its stream
          </a>
          {row.desired === 'stopped' && ' · stopped'}
        </span>
      </th>
      <td class="number">{bytes(row.plainBytes)}</td>
      <td class="number">{bytes(row.gzipBytes)}</td>
      <td class="number">{bytes(row.conditionalBytes)}</td>
      <td class="number">{bytes(row.streamedBytes)}</td>
      <td class={isLoss ? 'number loss' : 'number gain'}>{row.saving === null ? '–' : share(row.saving)}</td>
      <td class="number">{row.changes.toLocaleString('en')}</td>
      <td>
        <TwinTrend trend={row.trend} name={row.name} />
      </td>
    </tr>
  )
}

function None() {
  return (
    <section class="panel empty twins-none">
      <h2>No stream has a twin yet</h2>
      <p>
        A twin follows the same API as a polled stream, but as a stream: Weir’s proxy sends it a snapshot,
        then every change as JSON Patch. Both count what they move, so what streaming saves is measured, not
        estimated.
      </p>
      <ol>
        <li>Take a stream from below, or register an API with “Poll and stream, side by side”.</li>
        <li>Let both run for a few minutes.</li>
        <li>Come back: every pair is here with what each way moved.</li>
      </ol>
      <p>
        <a class="button" href="/streams#register">
          Register an API
        </a>
      </p>
      <pre>{`curl -X POST /api/streams -H 'Content-Type: application/json' \\\n  -d '{"url": "https://api.example.com/prices", "kind": "poll", "twin": true}'`}</pre>
    </section>
  )
}

/** Streams that could have a twin, with a button each. */
function Candidates({
  candidates,
  hasPairs,
}: {
  candidates: readonly TwinCandidateView[]
  hasPairs: boolean
}) {
  return (
    <section class="panel" aria-labelledby="make">
      <h2 id="make">{hasPairs ? 'Make another' : 'Make one'}</h2>
      {candidates.length === 0 ? (
        <p class="muted">
          No other stream is polled by GET right now. <a href="/streams#register">Register an API</a>
        </p>
      ) : (
        <>
          <p class="muted">
            These poll most of what they had already. Any other polled stream has a button on its page.
          </p>
          <ul class="lines">
            {candidates.map(({ id, name, intervalMs, bytesAnHour, newBytesAnHour }) => (
              <li id={`candidate-${id}`}>
                <span>
                  <a href={`/streams/${id}`}>{name}</a>{' '}
                  <span class="muted">
                    every {intervalMs / 1_000} s, {bytes(bytesAnHour)} an hour,{' '}
                    {percent(bytesAnHour === 0 ? null : Math.min(1, newBytesAnHour / bytesAnHour))} of it new
                  </span>
                </span>
                <form class="actions" method="post" action="/twins">
                  <input type="hidden" name="stream" value={id} />
                  <button type="submit" aria-label={`Make a twin of ${name}`}>
                    Make a twin
                  </button>
                  <Curl path={`/api/streams/${id}/twin`} does={`make a twin of ${name}`} />
                </form>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

/** The page as it is, but for this. */
function link(data: TwinsPageData, other: Partial<TwinsPageData>): string {
  const { range, sort, order, after } = { ...data, ...other }
  const asked = new URLSearchParams({ range, sort, order })
  if (after !== undefined) asked.set('after', after)
  return `/twins?${asked}`
}

function saved(polled: number, streamed: number): string {
  return polled === 0 ? '–' : share(1 - streamed / polled)
}

/** A part as percents, never rounded up to all of it. */
function share(part: number): string {
  const value = Math.abs(part) * 100
  const text =
    value >= 99 && value < 100 ? (Math.floor(value * 10) / 10).toFixed(1) : value.toFixed(value < 10 ? 1 : 0)
  return `${part < 0 ? '−' : ''}${text} %`
}
