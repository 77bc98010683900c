import {
  BASELINES,
  HEADLINE,
  type MedianShares,
  networkSentence,
  savedSentence,
} from '../../src/core/saved.ts'
import type { Order } from '../../src/streams/registry/listing.ts'
import type { TwinCandidate, TwinPair, TwinSort, TwinSums } from '../../src/streams/twins/twins.ts'
import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { bytes, percent, savedPercent } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import type { RangeName } from '../stream/charts.tsx'
import { TwinsOverTime, TwinTrend } from './picture.tsx'

/** What streaming saves over polling with gzip and validators. */
interface TwinFigures {
  /** As on the stream's page: calculated from its polls, over the whole time range. */
  saving: number | null
  networkSaving: number | null
  /** As the twins measured it, since each was made. */
  measuredSaving: number | null
}

export interface TwinRow extends TwinPair, TwinFigures {
  /** Oldest point first. */
  trend: readonly { polled: number; streamed: number }[]
}

export interface TwinsPageData {
  range: RangeName
  ranges: readonly RangeName[]
  sort: TwinSort
  order: Order
  pointMs: number
  /** Number of all pairs; one page of them is shown. */
  count: number
  isCut: boolean
  total: TwinSums & TwinFigures
  /** The median of the pairs; `undefined` without polls. */
  median: MedianShares | undefined
  points: readonly (TwinSums & { at: Date })[]
  rows: readonly TwinRow[]
  after: string | undefined
  next: string | undefined
  candidates: readonly TwinCandidate[]
}

const WORDS: Readonly<Record<TwinsPageData['range'], string>> = {
  '1h': 'hour',
  '24h': '24 hours',
  '7d': '7 days',
  '30d': '30 days',
  '90d': '90 days',
}

/** What streaming saves over polling, measured side by side. */
export function TwinsPage({ reader, ...data }: TwinsPageData & ForReader) {
  return (
    <Page reader={reader} title="Twins" section="/twins">
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
        <p class="muted">
          Each twin adds two streams to the list: “… (streamed)”, which reads Weir's proxy, and the one that
          the proxy polls for it. In totals of savings, the API counts once.
        </p>
      </div>
    </Page>
  )
}

function Ranges(data: TwinsPageData) {
  return (
    <nav class="pills" aria-label="Time range">
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
  ['plainBytes', 'Polling, uncompressed', 'plain'],
  ['gzipBytes', 'Polling with gzip', 'gzip'],
  ['conditionalBytes', 'Polling with gzip and validators', 'conditional'],
  ['streamedBytes', 'Streaming JSON Patch', 'streamed'],
] as const

function Total({ total, median, points, pointMs, range, count, isCut }: TwinsPageData) {
  const most = Math.max(...WAYS.map(([name]) => total[name]), 1)
  return (
    <section class="panel" aria-labelledby="twins-total">
      <h2 id="twins-total">{total.saving === null ? 'No polls yet' : savedSentence(total.saving)}</h2>
      {total.networkSaving !== null && (
        <p>
          {networkSentence(total.networkSaving)}{' '}
          {median !== undefined &&
            median.streams > 1 &&
            `The median of ${median.streams.toLocaleString('en')} streams is ${savedPercent(median[HEADLINE])}, compared with ${BASELINES[HEADLINE]}.`}
        </p>
      )}
      <div class="twins-total">
        <table>
          <thead>
            <tr>
              <th scope="col">
                {count} {count === 1 ? 'pair' : 'pairs'}
              </th>
              <th scope="col" class="number">
                Measured bytes
              </th>
              <th scope="col" class="number">
                Measured saving
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
                  <Bar share={total[name] / most} color={`var(--way-${way})`} />
                </th>
                <td class="number">{bytes(total[name])}</td>
                <td class="number">{way === 'streamed' ? '' : lessBy(total[name], total.streamedBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <TwinsOverTime points={points} pointMs={pointMs} />
      </div>
      <p class="muted">
        {total.polls.toLocaleString('en')} polls found {total.changes.toLocaleString('en')} changes. Weir's
        own polling transferred {bytes(total.polledBytes)}, with the compression and validators that each API
        supports. Measured is what both sides received since each twin was created, in the last {WORDS[range]}
        : streaming includes heartbeats, snapshots and headers, compressed.
        {isCut && ' Only the newest pairs are counted.'}
      </p>
    </section>
  )
}

const COLUMNS = [
  ['name', 'Stream'],
  ['plain', 'Uncompressed'],
  ['gzip', 'With gzip'],
  ['conditional', 'With validators'],
  ['streamed', 'Streamed'],
  ['measured', 'Measured'],
  ['saved', 'Saved'],
  ['changes', 'Changes'],
] as const

function Pairs(data: TwinsPageData) {
  return (
    <section class="panel" aria-labelledby="pairs">
      <h2 id="pairs">
        Pairs{' '}
        <span class="muted aside">
          compared with {BASELINES[HEADLINE]}: measured, and saved as on each page
        </span>
      </h2>
      <div class="table-scroll">
        <table class="twins">
          <thead>
            <tr>
              {COLUMNS.map(([name, label]) => (
                <Column {...data} name={name} label={label} />
              ))}
              <th scope="col">Trend</th>
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

function Column({ name, label, ...data }: TwinsPageData & { name: TwinSort; label: string }) {
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
  return (
    <tr id={`twin-${row.id}`}>
      <th scope="row">
        <a href={`/streams/${row.id}#twin`}>{row.name}</a>
        <span class="twin-about muted">
          every {row.intervalMs / 1_000} s ·{' '}
          <a href={`/streams/${row.streamingId}`} aria-label={`Twin of ${row.name}`}>
            twin
          </a>
          {row.desired === 'stopped' && ' · stopped'}
        </span>
      </th>
      <td class="number">{bytes(row.plainBytes)}</td>
      <td class="number">{bytes(row.gzipBytes)}</td>
      <td class="number">{bytes(row.conditionalBytes)}</td>
      <td class="number">{bytes(row.streamedBytes)}</td>
      <td class="number">{savedPercent(row.measuredSaving)}</td>
      <td class={row.saving !== null && row.saving < 0 ? 'number loss' : 'number gain'}>
        {savedPercent(row.saving)}
      </td>
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
      <h2>No twins yet</h2>
      <p>
        A twin follows the same API as a polled stream, but through Weir’s proxy, which sends a snapshot and
        then every change as JSON Patch. Weir counts the bytes of both, so the savings are measured, not
        estimated.
      </p>
      <ol>
        <li>Create a twin of a stream below, or register an API with “Twin” checked.</li>
        <li>Let both run for a few minutes.</li>
        <li>Come back to compare what each side transferred.</li>
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

/** Streams that could have a twin, each with a button. */
function Candidates({ candidates, hasPairs }: { candidates: readonly TwinCandidate[]; hasPairs: boolean }) {
  return (
    <section class="panel" aria-labelledby="make">
      <h2 id="make">{hasPairs ? 'Create another twin' : 'Create a twin'}</h2>
      {candidates.length === 0 ? (
        <p class="muted">
          No other streams are polled with GET. <a href="/streams#register">Register an API</a>
        </p>
      ) : (
        <>
          <p class="muted">
            These streams transfer the most unchanged data. For other polled streams, use the button on their
            page.
          </p>
          <ul class="lines">
            {candidates.map(({ id, name, intervalMs, bytesAnHour, newBytesAnHour }) => (
              <li id={`candidate-${id}`}>
                <span>
                  <a href={`/streams/${id}`}>{name}</a>{' '}
                  <span class="muted">
                    every {intervalMs / 1_000} s, {bytes(bytesAnHour)} per hour,{' '}
                    {percent(bytesAnHour === 0 ? null : Math.min(1, newBytesAnHour / bytesAnHour))} new
                  </span>
                </span>
                <form class="actions" method="post" action="/twins">
                  <input type="hidden" name="stream" value={id} />
                  <button type="submit" aria-label={`Create twin of ${name}`}>
                    Create twin
                  </button>
                  <Curl path={`/api/streams/${id}/twin`} does={`create a twin of ${name}`} />
                </form>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

/** Link to this page, with some parameters changed. */
function link(data: TwinsPageData, other: Partial<TwinsPageData>): string {
  const { range, sort, order, after } = { ...data, ...other }
  const asked = new URLSearchParams({ range, sort, order })
  if (after !== undefined) asked.set('after', after)
  return `/twins?${asked}`
}

function lessBy(polled: number, streamed: number): string {
  return savedPercent(polled === 0 ? null : 1 - streamed / polled)
}
