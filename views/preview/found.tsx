import { JsonText } from '../documents/json-text.tsx'
import { Fact } from '../layout/fact.tsx'
import { bytes } from '../layout/format.tsx'

/** What there is at a URL that was looked at. */
export interface Found {
  url: string
  problem: { code: string; message: string; next: string } | null
  answer: FoundAnswer | null
  suggestion: {
    kind: 'sse' | 'poll'
    name: string
    intervalMs: number
    because: string
    arrayKeys: readonly string[]
  } | null
  warnings: readonly { code: string; message: string }[]
  /** Streams that follow it already. */
  known: readonly { id: string; name: string }[]
}

export interface FoundAnswer {
  kind: 'sse' | 'poll'
  shape: 'events' | 'json' | 'text' | 'html' | 'binary' | 'empty'
  status: number
  contentType: string | null
  redirects: readonly { status: number; to: string }[]
  wireBytes: number
  bodyBytes: number
  isWhole: boolean
  encoding: string | null
  etag: string | null
  lastModified: string | null
  firstByteMs: number
  tookMs: number
  sample: { text: string; isCut: boolean } | null
  events: readonly { event: string; id: string | null; data: string }[]
  comments: number
  arrays: readonly { path: string; members: number; key?: string | undefined }[]
}

const SHAPES: Record<FoundAnswer['shape'], string> = {
  events: 'An event stream: Weir holds it open',
  json: 'A JSON document: Weir polls it, and makes it a stream',
  text: 'A text: Weir polls it',
  html: 'A web page',
  binary: 'No text: Weir polls it',
  empty: 'An answer without a body',
}

/** What was found, the most telling first: whether it can be followed, then figures, then the content itself. */
export function FoundPanel({ url, problem, answer, warnings, known }: Found) {
  const isGood = problem === null && answer !== null
  return (
    <section class="found stack" aria-labelledby="found-heading">
      {/* Whoever pressed the button is led to what came of it. */}
      <h2 id="found-heading" tabindex={-1} autofocus class={isGood ? 'good' : 'bad'}>
        <span aria-hidden="true">{isGood ? '✓' : '!'}</span>{' '}
        {isGood ? SHAPES[answer.shape] : "It can't be followed as it is"}
      </h2>
      {problem && (
        <p class="trouble" role="alert">
          <strong>{problem.message}</strong> {problem.next}
        </p>
      )}
      {known.length > 0 && (
        <p>
          It is followed already:{' '}
          {known.map(({ id, name }, index) => (
            <>
              {index > 0 && ', '}
              <a href={`/streams/${id}`}>{name}</a>
            </>
          ))}
        </p>
      )}
      {warnings.length > 0 && (
        <ul class="warnings" aria-label="Worth knowing">
          {warnings.map(({ code, message }) => (
            <li>
              {message} {code === 'openapi' && <a href="/streams/import">Import it</a>}
            </li>
          ))}
        </ul>
      )}
      {answer && <Facts {...answer} />}
      {answer && <Content url={url} {...answer} />}
    </section>
  )
}

function Facts(answer: FoundAnswer) {
  const { kind, status, contentType, encoding, redirects, events, comments } = answer
  return (
    <dl class="facts">
      <Fact name="Status">{status}</Fact>
      <Fact name="Content type">{contentType ?? <span class="muted">none said</span>}</Fact>
      {kind === 'poll' && (
        <>
          <Fact name="On the wire">
            {sizeOf(answer.wireBytes, answer.isWhole)} <span class="muted">{encoding ?? 'uncompressed'}</span>
          </Fact>
          <Fact name="Decoded">{sizeOf(answer.bodyBytes, answer.isWhole)}</Fact>
          <Fact name="Validators">
            <Validators {...answer} />
          </Fact>
        </>
      )}
      {kind === 'sse' && (
        <Fact name="While Weir looked">
          {count(events.length, 'event')}, {count(comments, 'heartbeat')}
        </Fact>
      )}
      <Fact name="First byte after">{duration(answer.firstByteMs)}</Fact>
      {kind === 'poll' && <Fact name="Complete after">{duration(answer.tookMs)}</Fact>}
      {redirects.length > 0 && (
        <Fact name="Redirected">
          {redirects.map(({ status, to }) => (
            <span class="hop mono">
              {status} → {to.slice(0, 300)}
            </span>
          ))}
        </Fact>
      )}
    </dl>
  )
}

function Validators({ etag, lastModified }: FoundAnswer) {
  if (etag === null && lastModified === null) return <span class="muted">none</span>
  return (
    <>
      {etag !== null && <span class="hop">ETag</span>}
      {lastModified !== null && <span class="hop">Last-Modified</span>}
    </>
  )
}

function Content({ url, shape, sample, events, arrays }: FoundAnswer & { url: string }) {
  return (
    <>
      {arrays.length > 0 && (
        <p class="muted">
          {arrays.map(({ path, members, key }) => (
            <span class="hop">
              {count(members, 'member')} in <code>{path || 'the array'}</code>,{' '}
              {key === undefined ? (
                'compared by position'
              ) : (
                <>
                  told apart by <code>{key}</code>
                </>
              )}
            </span>
          ))}
        </p>
      )}
      {sample && (
        <figure class="sample">
          <figcaption class="muted">
            {sample.isCut ? 'Its first lines' : 'All of it'}, as <span class="mono">{new URL(url).host}</span>{' '}
            sent it{shape === 'json' && ', indented'}
          </figcaption>
          {/* biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields */}
          <pre role="group" tabindex={0} aria-label="What it sent">
            {shape === 'json' ? <JsonText text={sample.text} /> : sample.text}
          </pre>
        </figure>
      )}
      {events.length > 0 && (
        <figure class="sample">
          <figcaption class="muted">Its first events</figcaption>
          <ol class="first-events">
            {events.map(({ event, id, data }) => (
              <li>
                <span class="tag">{event}</span> {id !== null && <span class="muted mono">id {id}</span>}
                {/* biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields */}
                <pre role="group" tabindex={0} aria-label={`Data of ${event}`}>
                  <JsonText text={data} />
                </pre>
              </li>
            ))}
          </ol>
        </figure>
      )}
    </>
  )
}

function sizeOf(count: number, isWhole: boolean): string {
  return isWhole ? bytes(count) : `more than ${bytes(count)}`
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`
}
