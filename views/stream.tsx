import { Ago, bytes, percent, rate, Sparkline, VerdictBadge } from './format.tsx'
import { Page } from './layout.tsx'
import { SavingsPanel, type SavingsView } from './savings.tsx'
import { StartStop } from './streams.tsx'
import { TwinPanel, type TwinView } from './twin.tsx'

export interface StreamHeader {
  id: string
  name: string
  url: string
  kind: 'sse' | 'poll'
  intervalMs: number
  tags: readonly string[]
  desired: 'running' | 'stopped' | 'idle'
}

export interface StatusView {
  stream: StreamHeader
  verdict: string
  reason: string
  verdictSince: Date
  run: { worker: string; epoch: number; attempt: number; since: Date } | undefined
  entries: number
  perMinute: number
  evidence: {
    lastByteAt: Date | undefined
    lastHeartbeatAt: Date | undefined
    lastEventAt: Date | undefined
    lastPollAt: Date | undefined
    failures: number
    nextRetryAt: Date | undefined
    lastError: { code: string; message: string; at: Date } | undefined
  }
}

export interface MeasureView {
  /** Of the last 24 hours. */
  total: {
    entries: number
    wireBytes: number
    bodyBytes: number
    patchBytes: number
    compared: number
    changed: number
  }
  rank: number | null
  samples: number
  changeRate: number | null
  lastChangedAt: Date | undefined
  /** Per minute, over the last hour, oldest first. */
  minutes: readonly { wireBytes: number; changed: number; entries: number }[]
}

export interface EntryRow {
  streamId: string
  seq: number
  at: Date
  kind: string
  event: string | undefined
  changed: boolean | undefined
  status: number | undefined
  wireBytes: number
  bodyBytes: number
  patchBytes: number | undefined
  /** The first characters of what it holds. */
  preview: string
}

export interface EntryDetail extends EntryRow {
  request: { method: string; url: string; headers: Readonly<Record<string, string>> } | undefined
  response:
    | { headers: Readonly<Record<string, string>>; firstByteMs: number; durationMs?: number }
    | undefined
  hash: string | undefined
  eventId: string | undefined
  /** What it holds, as text; cut at a bound. */
  data: string | undefined
  cut: boolean
}

export interface StreamPageData {
  status: StatusView
  measures: MeasureView
  /** Left out for a stream that isn't polled. */
  savings: SavingsView | undefined
  /** Left out for a stream without a twin. */
  twin: TwinView | undefined
  log: readonly EntryRow[]
  /** Link to older entries; left out where there are none. */
  older: string | undefined
}

export function StreamPage({ status, measures, savings, twin, log, older }: StreamPageData) {
  const { stream } = status
  return (
    <Page title={stream.name} section="/streams">
      <div
        class="stack"
        hx-sse:connect={`/streams/${stream.id}/live?after=${log[0]?.seq ?? 0}`}
        hx-swap="none"
        hx-config="sse.pauseOnBackground:false"
      >
        <StatusPanel {...status} />
        <MeasuresPanel {...measures} />
        {twin && <TwinPanel {...twin} />}
        {savings && <SavingsPanel {...savings} />}
        <section class="panel" aria-labelledby="log-heading">
          <h2 id="log-heading">Log</h2>
          <ol id="log" class="log" data-keep="200" aria-label="Entries, newest first">
            {log.length === 0 && (
              <li class="empty muted">Nothing yet: the first entry appears here by itself.</li>
            )}
            {log.map((entry) => (
              <LogRow {...entry} />
            ))}
          </ol>
          {older && (
            <p class="paging">
              <a href={older}>Older entries</a>
            </p>
          )}
        </section>
      </div>
    </Page>
  )
}

/** The verdict with its evidence: on the first page and in every live update. */
export function StatusPanel(status: StatusView) {
  const { stream, evidence, run } = status
  return (
    <section id="status" class="panel" aria-label="Status">
      <div class="heading">
        <div class="title">
          <h1>{stream.name}</h1>
          <p class="muted mono wrap">{stream.url}</p>
        </div>
        <div class="actions">
          <a href={`/streams/${stream.id}/document`}>Document</a>
          <StartStop
            id={stream.id}
            name={stream.name}
            desired={stream.desired}
            target="#status"
            from="page"
          />
          <form
            method="post"
            action={`/streams/${stream.id}/remove`}
            hx-post={`/streams/${stream.id}/remove`}
            hx-confirm={`Remove ${stream.name} and everything recorded of it?`}
          >
            <button type="submit">Remove</button>
          </form>
        </div>
      </div>
      <p class="judgement">
        <VerdictBadge verdict={status.verdict} /> {status.reason}{' '}
        <span class="muted">
          since <Ago at={status.verdictSince} />
        </span>
      </p>
      <dl class="facts">
        <Fact name="Kind">
          {stream.kind === 'sse' ? 'Event stream' : `Polled every ${stream.intervalMs / 1000} s`}
        </Fact>
        <Fact name={stream.kind === 'sse' ? 'Events a minute' : 'Polls a minute'}>
          {rate(status.perMinute)}
        </Fact>
        <Fact name="Entries">{status.entries.toLocaleString('en')}</Fact>
        <Fact name="Last byte">
          <Ago at={evidence.lastByteAt} />
        </Fact>
        <Fact name={stream.kind === 'sse' ? 'Last event' : 'Last change'}>
          <Ago at={evidence.lastEventAt} />
        </Fact>
        {stream.kind === 'sse' ? (
          <Fact name="Last heartbeat">
            <Ago at={evidence.lastHeartbeatAt} />
          </Fact>
        ) : (
          <Fact name="Last poll">
            <Ago at={evidence.lastPollAt} />
          </Fact>
        )}
        <Fact name="Failures in a row">{evidence.failures}</Fact>
        {evidence.nextRetryAt && (
          <Fact name="Next attempt">
            <Ago at={evidence.nextRetryAt} />
          </Fact>
        )}
        <Fact name="Held by">
          {run ? (
            <>
              <span class="mono">{run.worker}</span>, run {run.epoch}, since <Ago at={run.since} />
            </>
          ) : (
            <span class="muted">nobody</span>
          )}
        </Fact>
        {evidence.lastError && (
          <Fact name="Last error">
            <code>{evidence.lastError.code}</code> {evidence.lastError.message}{' '}
            <Ago at={evidence.lastError.at} />
          </Fact>
        )}
      </dl>
    </section>
  )
}

/** Size and change of the last day, with the last hour drawn. */
export function MeasuresPanel({ total, rank, samples, changeRate, lastChangedAt, minutes }: MeasureView) {
  return (
    <section id="measures" class="panel measures" aria-label="Size and change">
      <div>
        <h2>Size</h2>
        <Sparkline
          values={minutes.map((minute) => minute.wireBytes)}
          label="Bytes received per minute, last hour"
        />
        <dl class="facts">
          <Fact name="Received, 24 h">{bytes(total.wireBytes)}</Fact>
          <Fact name="Decoded">{bytes(total.bodyBytes)}</Fact>
          <Fact name="As patches">{bytes(total.patchBytes)}</Fact>
          <Fact name="Entries">{total.entries.toLocaleString('en')}</Fact>
        </dl>
      </div>
      <div>
        <h2>Change</h2>
        <Sparkline values={minutes.map((minute) => minute.changed)} label="Changes per minute, last hour" />
        <dl class="facts">
          <Fact name="Change rate, 24 h">{percent(changeRate)}</Fact>
          <Fact name="Stream rank">
            {rank === null ? '–' : rank}{' '}
            <span class="muted">of 100, {samples.toLocaleString('en')} samples</span>
          </Fact>
          <Fact name="Changed">
            {total.changed.toLocaleString('en')} of {total.compared.toLocaleString('en')}
          </Fact>
          <Fact name="Last change">
            <Ago at={lastChangedAt} />
          </Fact>
        </dl>
      </div>
    </section>
  )
}

/** One line of the log; opened, it fetches its request and response. */
export function LogRow(entry: EntryRow) {
  const href = `/streams/${entry.streamId}/entries/${entry.seq}`
  return (
    <li id={`entry-${entry.seq}`} class={`entry ${entry.kind}`}>
      <details>
        <summary hx-get={href} hx-target="next .detail" hx-swap="innerHTML" hx-trigger="click once">
          <span class="seq mono">{entry.seq}</span>
          <time class="mono" datetime={entry.at.toISOString()}>
            {entry.at.toISOString().slice(11, 23)}
          </time>
          <span class="entry-kind">{entry.kind}</span>
          {entry.event && <span class="tag">{entry.event}</span>}
          {entry.status !== undefined && <span class="mono">{entry.status}</span>}
          <Change changed={entry.changed} />
          <span class="number mono">{bytes(entry.wireBytes)}</span>
          <span class="preview mono">{entry.preview}</span>
        </summary>
        <div class="detail">
          <a href={href}>Open entry {entry.seq}</a>
        </div>
      </details>
    </li>
  )
}

export function EntryPage({ entry, name }: { entry: EntryDetail; name: string }) {
  return (
    <Page title={`Entry ${entry.seq} of ${name}`} section="/streams">
      <h1>
        Entry {entry.seq} of <a href={`/streams/${entry.streamId}`}>{name}</a>
      </h1>
      <section class="panel detail">
        <EntryDetails {...entry} />
      </section>
    </Page>
  )
}

/** Everything about an entry: its request and response, its sizes, what it holds. */
export function EntryDetails(entry: EntryDetail) {
  return (
    <>
      <dl class="facts">
        <Fact name="Time">
          <time datetime={entry.at.toISOString()}>{entry.at.toISOString()}</time>
        </Fact>
        <Fact name="On the wire">{bytes(entry.wireBytes)}</Fact>
        <Fact name="Decoded">{bytes(entry.bodyBytes)}</Fact>
        {entry.patchBytes !== undefined && <Fact name="As patch">{bytes(entry.patchBytes)}</Fact>}
        {entry.eventId && <Fact name="Upstream id">{entry.eventId}</Fact>}
        {entry.hash && (
          <Fact name="SHA-256">
            <code class="wrap">{entry.hash}</code>
          </Fact>
        )}
      </dl>
      {entry.request && (
        <>
          <h3>Request</h3>
          <pre>{`${entry.request.method} ${entry.request.url}\n${headerLines(entry.request.headers)}`}</pre>
        </>
      )}
      {entry.response && (
        <>
          <h3>
            Response{' '}
            <span class="muted">
              {`headers after ${entry.response.firstByteMs} ms`}
              {entry.response.durationMs === undefined
                ? ''
                : `, complete after ${entry.response.durationMs} ms`}
            </span>
          </h3>
          <pre>{`${entry.status}\n${headerLines(entry.response.headers)}`}</pre>
        </>
      )}
      {entry.data !== undefined && (
        <>
          <h3>{entry.kind}</h3>
          <pre class="data">{entry.data}</pre>
          {entry.cut && (
            <p class="muted">
              Cut here;{' '}
              <a href={`/api/streams/${entry.streamId}/logs?after=${entry.seq - 1}&limit=1`}>
                the whole entry
              </a>
            </p>
          )}
        </>
      )}
    </>
  )
}

function Change({ changed }: { changed: boolean | undefined }) {
  if (changed === undefined) return <span class="change" />
  return <span class="change">{changed ? 'changed' : 'same'}</span>
}

function Fact({ name, children }: { name: string; children: unknown }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}
