import { STREAM_KIND } from '../../src/core/sets/stream-kinds.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import type { Preview, PreviewedAnswer } from '../../src/streams/preview/preview.ts'
import { JsonText } from '../documents/json-text.tsx'
import { Fact } from '../layout/fact.tsx'
import { bytes } from '../layout/format.tsx'

/** The preview of a URL. */
export interface Found extends Preview {
  /** Streams that already follow it. */
  known: readonly Pick<Stream, 'id' | 'name'>[]
}

const SHAPES: Record<PreviewedAnswer['shape'], string> = {
  events: 'Event stream: Weir keeps it open',
  json: 'JSON document: Weir polls it and streams the changes',
  text: 'Text: Weir polls it',
  html: 'Web page: Weir polls it',
  binary: 'Binary data: Weir polls it',
  empty: 'Empty response: Weir polls it',
}

/** The preview, the most important part first: whether Weir can follow it, then figures, then the content. */
export function FoundPanel({ url, problem, answer, warnings, known }: Found) {
  const isGood = problem === null && answer !== null
  return (
    <section class="found stack" aria-labelledby="found-heading">
      {/* The focus moves here from the button. */}
      <h2 id="found-heading" tabindex={-1} autofocus class={isGood ? 'good' : 'bad'}>
        <span aria-hidden="true">{isGood ? '✓' : '!'}</span>{' '}
        {isGood ? SHAPES[answer.shape] : "Weir can't follow this"}
      </h2>
      {problem && (
        <p class="trouble" role="alert">
          <strong>{problem.message}</strong> {problem.next}
        </p>
      )}
      {known.length > 0 && (
        <p>
          Already registered:{' '}
          {known.map(({ id, name }, index) => (
            <>
              {index > 0 && ', '}
              <a href={`/streams/${id}`}>{name}</a>
            </>
          ))}
        </p>
      )}
      {warnings.length > 0 && (
        <ul class="warnings" aria-label="Warnings">
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

function Facts(answer: PreviewedAnswer) {
  const { kind, kindReason, status, contentType, encoding, redirects, events, comments } = answer
  const { isPolled } = STREAM_KIND[kind]
  return (
    <dl class="facts">
      <Fact name="Status">{status}</Fact>
      <Fact name="Content type">{contentType ?? <span class="muted">none</span>}</Fact>
      {kindReason !== null && <Fact name="Detected">{kindReason}</Fact>}
      {isPolled && (
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
      {!isPolled && (
        <Fact name="Received">
          {count(events.length, 'event')}, {count(comments, 'heartbeat')}
        </Fact>
      )}
      <Fact name="First byte">{duration(answer.firstByteMs)}</Fact>
      {isPolled && <Fact name="Total time">{duration(answer.tookMs)}</Fact>}
      {redirects.length > 0 && (
        <Fact name="Redirects">
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

function Validators({ etag, lastModified }: PreviewedAnswer) {
  if (etag === null && lastModified === null) return <span class="muted">none</span>
  return (
    <>
      {etag !== null && <span class="hop">ETag</span>}
      {lastModified !== null && <span class="hop">Last-Modified</span>}
    </>
  )
}

function Content({ url, shape, sample, events, arrays }: PreviewedAnswer & { url: string }) {
  return (
    <>
      {arrays.length > 0 && (
        <p class="muted">
          {arrays.map(({ path, members, key }) => (
            <span class="hop">
              {count(members, 'item')} in <code>{path || 'the array'}</code>,{' '}
              {key === undefined ? (
                'matched by position'
              ) : (
                <>
                  matched by <code>{key}</code>
                </>
              )}
            </span>
          ))}
        </p>
      )}
      {sample && (
        <figure class="sample">
          <figcaption class="muted">
            {sample.isCut ? 'Start of the response' : 'Response'} from{' '}
            <span class="mono">{new URL(url).host}</span>
            {shape === 'json' && ', indented'}
          </figcaption>
          {/* biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields */}
          <pre role="group" tabindex={0} aria-label="Response body">
            {shape === 'json' ? <JsonText text={sample.text} /> : sample.text}
          </pre>
        </figure>
      )}
      {events.length > 0 && (
        <figure class="sample">
          <figcaption class="muted">First events</figcaption>
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
