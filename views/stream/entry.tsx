import type { Entry, Exchange } from '../../src/streams/recording/entry.ts'
import { Fact } from '../layout/fact.tsx'
import { bytes } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Operations, type PatchOperationView } from '../layout/operations.tsx'
import { type EntryRow, kindText } from './log.tsx'
import { Redirects } from './redirects.tsx'

export interface EntryDetail extends EntryRow, Partial<Exchange>, Pick<Entry, 'hash' | 'eventId'> {
  /** Decoded content, and what framed it: names of fields, line ends, comments. */
  bodyBytes: number
  framingBytes?: number | undefined
  /** Its data as text, truncated. */
  data: string | undefined
  cut: boolean
  /** A gap or an error in words; left out for other entries. */
  words: string | undefined
  /** The body of a failed answer, truncated; left out if there is none. */
  body: string | undefined
  /** The changes of a patch; left out for other entries and for large ones. */
  change?: { operations: readonly PatchOperationView[]; more: number }
}

const CONTENTS: Record<NonNullable<Exchange['content']>, string> = {
  text: 'Text, not JSON',
  bytes: 'Binary data: only its size and hash are stored',
  empty: 'Nothing',
}

export function EntryPage({ reader, entry, name }: { entry: EntryDetail; name: string } & ForReader) {
  return (
    <Page reader={reader} title={`Entry ${entry.seq} of ${name}`} section="/streams">
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

/** Everything about an entry: request, response, sizes and data. */
export function EntryDetails(entry: EntryDetail) {
  return (
    <>
      <dl class="facts">
        <Fact name="Time">
          <time datetime={entry.at.toISOString()}>{entry.at.toISOString()}</time>
        </Fact>
        <Fact name="On the wire">{bytes(entry.wireBytes)}</Fact>
        <Fact name="Decoded">{bytes(entry.bodyBytes)}</Fact>
        {entry.framingBytes !== undefined && <Fact name="Framing">{bytes(entry.framingBytes)}</Fact>}
        {entry.patchBytes !== undefined && <Fact name="As patch">{bytes(entry.patchBytes)}</Fact>}
        {entry.content && <Fact name="Content">{CONTENTS[entry.content]}</Fact>}
        {entry.eventId && <Fact name="Event ID">{entry.eventId}</Fact>}
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
      {entry.redirects?.hops && (
        <>
          <h3>Redirects</h3>
          <p>
            <Redirects hops={entry.redirects.hops} />
          </p>
        </>
      )}
      {entry.response && (
        <>
          <h3>
            Response{' '}
            <span class="muted">
              {`headers in ${entry.response.firstByteMs} ms`}
              {entry.response.durationMs === undefined
                ? ''
                : `, complete in ${Math.max(entry.response.firstByteMs, entry.response.durationMs)} ms`}
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
          <h3>{kindText(entry)}</h3>
          {entry.words && <p>{entry.words}</p>}
          {entry.body === undefined ? (
            <Data {...entry} />
          ) : (
            <>
              <pre class="data">{entry.body}</pre>
              <details>
                <summary>As JSON</summary>
                <Data {...entry} />
              </details>
            </>
          )}
        </>
      )}
    </>
  )
}

function Change({ streamId, seq, change }: EntryDetail & { change: NonNullable<EntryDetail['change']> }) {
  return (
    <>
      <h3>
        Changes{' '}
        <a class="aside" href={`/streams/${streamId}/document?at=seq:${seq}`}>
          document at this entry
        </a>
      </h3>
      <Operations operations={change.operations} />
      {change.more > 0 && (
        <p class="muted">
          {change.more.toLocaleString('en')} more in{' '}
          <a href={`/api/streams/${streamId}/logs?after=${seq - 1}&limit=1`}>the full entry</a>
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
          Truncated. See <a href={`/api/streams/${streamId}/logs?after=${seq - 1}&limit=1`}>the full entry</a>
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
