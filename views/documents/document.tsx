import type { Zoom } from '../../src/streams/documents/version-marks.ts'
import type { Version } from '../../src/streams/documents/versions.ts'
import { Curl } from '../layout/curl.tsx'
import { bytes, ExactTime } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Operations, type PatchOperationView } from '../layout/operations.tsx'
import { documentLink, Slider, type SliderView } from './slider.tsx'

export interface DocumentPageData {
  /** The stream's. */
  id: string
  name: string
  /** The requested time or entry; omitted for the latest. */
  asked: string | undefined
  /** Omitted if there is no document to show; `problem` says why. */
  shown?: ShownVersion
  problem?: string
  /** Newest first, the shown one among them. */
  versions: readonly VersionRow[]
  /** Omitted if the stream has no version. */
  slider?: SliderView
}

export interface ShownVersion extends Pick<Version, 'seq' | 'at' | 'hash' | 'kind'> {
  bytes: number
  /** Indented for reading; cut at a bound. */
  text: string
  cut: boolean
  /** Omitted for a first version. */
  change:
    | {
        since: Pick<Version, 'seq' | 'at'>
        operations: readonly PatchOperationView[]
        /** Number of operations that aren't shown. */
        more: number
        patchBytes: number
      }
    | undefined
}

export interface VersionRow extends Pick<Version, 'seq' | 'at' | 'kind'> {
  bytes: number | undefined
  /** Paths that changed; omitted if unknown, and empty for the whole document. */
  paths: readonly string[] | undefined
}

/** A stream's document at one point in time, its changes, and the versions around it. */
export function DocumentPage({ reader, ...data }: DocumentPageData & ForReader) {
  const { id, name } = data
  return (
    <Page
      reader={reader}
      title={`Document of ${name}`}
      section="/streams"
      scripts={['views/documents/client/document.ts']}
    >
      <link rel="stylesheet" href="/assets/views/documents/document.css" />
      <link rel="stylesheet" href="/assets/views/layout/operations.css" />
      <h1 class="wrap">
        Document of <a href={`/streams/${id}`}>{name}</a>
      </h1>
      <DocumentParts {...data} />
    </Page>
  )
}

/** The part that depends on the point in time: on the first page, and when the slider moves. */
export function DocumentParts({ id, asked, shown, problem, versions, slider }: DocumentPageData) {
  const zoom = slider?.zoom ?? 'all'
  return (
    <div id="document" class="stack" data-shown={shown?.seq}>
      <section class="panel" aria-label="Point in time">
        <div class="moment">
          <form class="filter" method="get" action={`/streams/${id}/document`}>
            <label>
              Time (UTC) or entry
              <input name="at" value={asked} placeholder="2026-01-31T12:00:00Z or seq:120" />
            </label>
            {zoom !== 'all' && <input type="hidden" name="window" value={zoom} />}
            <button type="submit">Show</button>
          </form>
          <Steps id={id} zoom={zoom} shown={shown?.seq} versions={versions} />
        </div>
        {slider && <Slider id={id} {...slider} />}
      </section>
      <div class="document-body" id="document-body">
        <div class="stack">
          {problem && (
            <p class="panel wrap" role="alert">
              {problem}
            </p>
          )}
          {shown && <Difference id={id} zoom={zoom} {...shown} />}
          {shown && <Document id={id} {...shown} />}
        </div>
        <Versions id={id} zoom={zoom} versions={versions} shown={shown?.seq} />
      </div>
    </div>
  )
}

interface At {
  id: string
  zoom: Zoom
}

function Steps({
  id,
  zoom,
  shown,
  versions,
}: At & { shown: number | undefined; versions: readonly VersionRow[] }) {
  const index = versions.findIndex(({ seq }) => seq === shown)
  const newer = index > 0 ? versions[index - 1] : undefined
  const older = index >= 0 ? versions[index + 1] : undefined
  return (
    <nav class="actions" id="document-steps" aria-label="Versions">
      <Step id={id} zoom={zoom} to={older} rel="prev" label="← Older" />
      <Step id={id} zoom={zoom} to={newer} rel="next" label="Newer →" />
      <a class="button" href={documentLink(id, undefined, zoom)}>
        Latest
      </a>
    </nav>
  )
}

function Step({
  id,
  zoom,
  to,
  rel,
  label,
}: At & {
  to: VersionRow | undefined
  rel: 'prev' | 'next'
  label: string
}) {
  if (to === undefined) return <span class="button off">{label}</span>
  return (
    <a class="button" rel={rel} href={documentLink(id, to.seq, zoom)} data-seq={to.seq}>
      {label}
    </a>
  )
}

function Difference({ id, zoom, seq, change }: ShownVersion & At) {
  return (
    <section class="panel" aria-labelledby="difference-heading">
      <h2 id="difference-heading">Changes</h2>
      {change === undefined ? (
        <p class="muted">This is the first version.</p>
      ) : (
        <>
          <p class="muted">
            Since <a href={documentLink(id, change.since.seq, zoom)}>entry {change.since.seq}</a> of{' '}
            <ExactTime at={change.since.at} />: {count(change.operations.length + change.more, 'operation')},{' '}
            {bytes(change.patchBytes)} as JSON Patch
          </p>
          <Operations operations={change.operations} />
          {change.more > 0 && (
            <p>
              {change.more.toLocaleString('en')} more in{' '}
              <a href={`/api/streams/${id}/diff?from=seq:${change.since.seq}&to=seq:${seq}`}>the full diff</a>
            </p>
          )}
        </>
      )}
    </section>
  )
}

function Document({ id, seq, at, hash, kind, bytes: size, text, cut }: ShownVersion & { id: string }) {
  const whole = `/api/streams/${id}/document?at=seq:${seq}`
  return (
    <section class="panel stack" aria-labelledby="document-heading">
      <div class="heading">
        <h2 id="document-heading">Document</h2>
        <span class="actions">
          <a href={whole} download={`${id}-${seq}.json`}>
            Download
          </a>
          <Curl method="GET" path={whole} does="get this document" />
        </span>
      </div>
      <dl class="facts">
        <div>
          <dt>Entry</dt>
          <dd>
            <a href={`/streams/${id}/entries/${seq}`}>{seq}</a> ({kind})
          </dd>
        </div>
        <div>
          <dt>As of</dt>
          <dd>
            <ExactTime at={at} />
          </dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>{bytes(size)}</dd>
        </div>
        <div>
          <dt>SHA-256 (canonical)</dt>
          <dd>
            <code title={hash}>{hash.slice(0, 12)}…</code>
          </dd>
        </div>
      </dl>
      <pre class="document-text">{text}</pre>
      {cut && (
        <p class="muted">
          Truncated. <a href={whole}>Full document</a>
        </p>
      )}
    </section>
  )
}

function Versions({
  id,
  zoom,
  versions,
  shown,
}: At & Pick<DocumentPageData, 'versions'> & { shown: number | undefined }) {
  return (
    <section class="panel" aria-labelledby="versions-heading">
      <h2 id="versions-heading">Versions, newest first</h2>
      {versions.length === 0 && <p class="muted">No versions yet.</p>}
      <ol class="versions">
        {versions.map(({ seq, at, kind, bytes: size, paths }) => (
          <li>
            <a href={documentLink(id, seq, zoom)} aria-current={seq === shown ? 'true' : undefined}>
              <span class="mono">{seq}</span>
              <ExactTime at={at} />
              <span class="number">{size === undefined ? '' : bytes(size)}</span>
              <span class="where">{kind === 'snapshot' ? 'whole document' : places(paths)}</span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  )
}

function places(paths: readonly string[] | undefined): string {
  const [first, ...others] = paths ?? []
  if (first === undefined) return 'large patch'
  return others.length === 0 ? first : `${first} and ${others.length} more`
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`
}
