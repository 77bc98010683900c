import { Fact } from '../layout/fact.tsx'
import { bytes } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { Operations, type OperationView } from '../layout/operations.tsx'
import type { EntryRow } from './log.tsx'

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
  /** What a patch changes; left out of other entries, and of what is too large. */
  change?: { operations: readonly OperationView[]; more: number }
}

export function EntryPage({ entry, name }: { entry: EntryDetail; name: string }) {
  return (
    <Page title={`Entry ${entry.seq} of ${name}`} section="/streams">
      <link rel="stylesheet" href="/assets/views/stream/stream.css" />
      <link rel="stylesheet" href="/assets/views/layout/operations.css" />
      <h1 class="wrap">
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
                : `, complete after ${Math.max(entry.response.firstByteMs, entry.response.durationMs)} ms`}
            </span>
          </h3>
          <pre>{`${entry.status}\n${headerLines(entry.response.headers)}`}</pre>
        </>
      )}
      {entry.change && <Change {...entry} change={entry.change} />}
      {entry.data !== undefined && entry.change && (
        <details>
          <summary>As JSON Patch</summary>
          <Data {...entry} />
        </details>
      )}
      {entry.data !== undefined && entry.change === undefined && (
        <>
          <h3>{entry.kind}</h3>
          <Data {...entry} />
        </>
      )}
    </>
  )
}

function Change({ streamId, seq, change }: EntryDetail & { change: NonNullable<EntryDetail['change']> }) {
  return (
    <>
      <h3>
        What changed{' '}
        <a class="aside" href={`/streams/${streamId}/document?at=seq:${seq}`}>
          the document then
        </a>
      </h3>
      <Operations operations={change.operations} />
      {change.more > 0 && (
        <p class="muted">
          {change.more.toLocaleString('en')} more in{' '}
          <a href={`/api/streams/${streamId}/logs?after=${seq - 1}&limit=1`}>the whole entry</a>
        </p>
      )}
    </>
  )
}

function Data({ streamId, seq, data, cut }: EntryDetail) {
  return (
    <>
      <pre class="data">{data}</pre>
      {cut && (
        <p class="muted">
          Cut here; <a href={`/api/streams/${streamId}/logs?after=${seq - 1}&limit=1`}>the whole entry</a>
        </p>
      )}
    </>
  )
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}
