import { failureText } from '../../src/core/judging/failure.ts'
import { type Evidence, type Hop, span } from '../../src/core/judging/status.ts'
import type { StreamRank, Sums } from '../../src/core/measures.ts'
import { PLAIN_FIELDS, type PlainName, type PlainValues } from '../../src/core/sets/stream-fields.ts'
import { STREAM_KIND } from '../../src/core/sets/stream-kinds.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import type { CacheReport } from '../../src/streams/measures/caching.ts'
import type { StreamStatus } from '../../src/streams/status/status.ts'
import { Curl } from '../layout/curl.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes, Day, percent, rate, Sparkline, StatusBadge } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { live } from '../layout/live.tsx'
import { PushPanel, type PushView } from '../push/panel.tsx'
import { PurposeText } from '../streams/purpose.tsx'
import { TwinOffer, TwinPanel, type TwinView } from '../twins/twin.tsx'
import { type AvailabilityData, AvailabilityPanel } from './availability.tsx'
import { CachingPanel } from './caching.tsx'
import { type ChartsData, ChartsPanel } from './charts.tsx'
import { StreamIncidents, type StreamIncidentsData } from './incidents.tsx'
import { IntervalFacts, type IntervalView } from './interval.tsx'
import { type LogData, LogPanel } from './log.tsx'
import { type NotifyData, NotifyPanel } from './notify.tsx'
import { Redirects } from './redirects.tsx'
import { SavingsPanel, type SavingsView } from './savings.tsx'
import { StartStop } from './start-stop.tsx'
import { type TimelineData, TimelinePanel } from './timeline.tsx'
import { type WeekData, WeekPanel } from './week.tsx'

export type StreamHeader = Pick<
  Stream,
  'id' | 'name' | 'url' | 'kind' | 'intervalMs' | 'desired' | 'deadAfterFailures' | 'deadAfterMs' | PlainName
>

export interface StatusView
  extends Pick<StreamStatus, 'status' | 'reason' | 'statusSince' | 'purpose' | 'run'> {
  stream: StreamHeader
  entries: number
  perMinute: number
  /** How its requests sign in, in words; left out if only by headers. */
  signsIn: string | undefined
  /** Its client certificate, and authorities that are trusted for it. */
  ownCertificates: readonly { subject: string; expiresAt: Date }[]
  evidence: EvidenceView
}

/** Evidence with its times as dates. */
export interface EvidenceView extends Pick<Evidence, 'failures'> {
  lastByteAt: Date | undefined
  lastHeartbeatAt: Date | undefined
  lastEventAt: Date | undefined
  /** Before the last answer. */
  redirects: readonly Hop[]
  /** Attempts to connect, and what became of them, in words; left out if none is counted, or if it is polled. */
  connections: string | undefined
  /** How the last connection ended that didn't fail, in words. */
  lastEnd: { words: string; at: Date } | undefined
  lastPollAt: Date | undefined
  nextRetryAt: Date | undefined
  /** What is left of the host's daily budget; left out unless it fails. */
  retries: { left: number; perDay: number } | undefined
  /** Whether the upstream resumes, in words; left out if nothing is known, or if it is polled. */
  resumes: string | undefined
  certificate: { expiresAt: Date; issuer: string } | undefined
  lastError: { code: string; message: string; body?: string; at: Date } | undefined
}

export interface MeasureView extends IntervalView {
  /** Of the last 24 hours. */
  total: Pick<Sums, 'entries' | 'wireBytes' | 'bodyBytes' | 'patchBytes' | 'compared' | 'changed'>
  rank: StreamRank
  changeRate: number | null
  /** How often it changes, in words; null if nothing was compared. */
  frequency: string | null
  lastChangedAt: Date | undefined
  /** Per minute, over the last hour, oldest first. */
  minutes: readonly Pick<Sums, 'wireBytes' | 'changed' | 'entries'>[]
}

export interface StreamPageData {
  status: StatusView
  measures: MeasureView
  /** Omitted for a stream that isn't polled. */
  savings: SavingsView | undefined
  /** Omitted for a stream that isn't polled. */
  caching: CacheReport | undefined
  /** Omitted for a stream to which nothing is pushed. */
  push: PushView | undefined
  /** Omitted for a stream without a twin. */
  twin: TwinView | undefined
  /** Whether the stream can have a twin. */
  mayHaveTwin: boolean
  availability: AvailabilityData
  charts: ChartsData
  timeline: TimelineData
  week: WeekData
  incidents: StreamIncidentsData
  notify: NotifyData
  log: LogData
}

export function StreamPage({ reader, ...data }: StreamPageData & ForReader) {
  const { status, measures, availability, charts, timeline, week, savings, caching, twin, push } = data
  const { incidents, notify, log } = data
  const { stream } = status
  return (
    <Page
      reader={reader}
      title={stream.name}
      section="/streams"
      scripts={[
        'uplot.js',
        'views/stream/client/charts.ts',
        'views/stream/client/week.ts',
        'views/stream/client/log.ts',
      ]}
    >
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <link rel="stylesheet" href="/assets/views/layout/operations.css" />
      <link rel="stylesheet" href="/assets/uplot.css" />
      <link rel="stylesheet" href="/assets/views/stream/stream.css" />
      <div class="stack" {...live(liveLink(log))}>
        <StatusPanel {...status} />
        {push && <PushPanel {...push} />}
        <AvailabilityPanel {...availability} />
        <MeasuresPanel {...measures} />
        <ChartsPanel {...charts} />
        <TimelinePanel {...timeline} />
        <WeekPanel {...week} />
        {twin && <TwinPanel {...twin} />}
        {savings && <SavingsPanel {...savings} />}
        {caching && <CachingPanel {...caching} />}
        {data.mayHaveTwin && <TwinOffer {...stream} />}
        <StreamIncidents {...incidents} />
        <NotifyPanel {...notify} />
        <LogPanel {...log} />
      </div>
    </Page>
  )
}

function liveLink({ streamId, lines, filter }: LogData): string {
  const asked = new URLSearchParams({ after: String(lines[0]?.seq ?? 0) })
  if (filter.kind !== undefined) asked.set('kind', filter.kind)
  if (filter.q !== undefined) asked.set('q', filter.q)
  return `/streams/${streamId}/live?${asked}`
}

/** Plain fields that the page shows, without empty ones. */
function PlainFacts(stream: PlainValues) {
  return (
    <>
      {PLAIN_FIELDS.filter(({ isFact, name }) => isFact && stream[name].length > 0).map(({ name, label }) => (
        <Fact name={label}>{[stream[name]].flat().join(', ')}</Fact>
      ))}
    </>
  )
}

/** The status with its evidence: on the first page and in every live update. */
export function StatusPanel(status: StatusView) {
  const { stream } = status
  return (
    <section id="status" class="panel" aria-label="Status">
      <div class="heading">
        <div class="title">
          <h1>{stream.name}</h1>
          <p class="muted mono wrap">{stream.url}</p>
          {status.purpose && (
            <p class="muted">
              <PurposeText {...status.purpose} />
            </p>
          )}
        </div>
        <Actions {...stream} />
      </div>
      <p class="judgement">
        <StatusBadge status={status.status} /> {status.reason}
      </p>
      <Facts {...status} />
    </section>
  )
}

function Actions({ id, name, desired }: StreamHeader) {
  return (
    <div class="actions">
      <a class="button" href={`/streams/${id}/document`}>
        Document
      </a>
      <a class="button" href={`/streams/${id}/report`}>
        Report
      </a>
      <a class="button" href={`/streams/${id}/edit`}>
        Edit
      </a>
      <StartStop id={id} name={name} desired={desired} target="#status" from="page" />
      <form
        method="post"
        action={`/streams/${id}/remove`}
        hx-post={`/streams/${id}/remove`}
        hx-confirm={`Delete ${name} and its log? This can't be undone.`}
      >
        <button type="submit">Delete</button>{' '}
        <Curl method="DELETE" path={`/api/streams/${id}`} does={`delete ${name}`} />
      </form>
    </div>
  )
}

/** What the stream sets itself; empty if the global settings apply. */
function deadAfter({ deadAfterFailures, deadAfterMs }: StatusView['stream']): string {
  const failures =
    deadAfterFailures === null
      ? []
      : [`${deadAfterFailures} ${deadAfterFailures === 1 ? 'failure' : 'failures'}`]
  const time = deadAfterMs === null ? [] : [span(deadAfterMs)]
  return [...failures, ...time].join(' and ')
}

function Facts(view: StatusView) {
  const { stream, status, statusSince, perMinute, entries, evidence, run } = view
  const { label, isPolled, counts, lastEvent } = STREAM_KIND[stream.kind]
  return (
    <dl class="facts">
      <Fact name={`${status[0]?.toUpperCase()}${status.slice(1)} since`}>
        <Ago at={statusSince} />
      </Fact>
      <Fact name="Kind">{isPolled ? `Polled every ${stream.intervalMs / 1000} s` : label}</Fact>
      <Fact name={counts === 'polls' ? 'Polls per minute' : 'Events per minute'}>{rate(perMinute)}</Fact>
      <Fact name="Entries">{entries.toLocaleString('en')}</Fact>
      <Fact name="Last byte">
        <Ago at={evidence.lastByteAt} />
      </Fact>
      <Fact name={lastEvent}>
        <Ago at={evidence.lastEventAt} />
      </Fact>
      {isPolled ? (
        <Fact name="Last poll">
          <Ago at={evidence.lastPollAt} />
        </Fact>
      ) : (
        <Fact name="Last heartbeat">
          <Ago at={evidence.lastHeartbeatAt} />
        </Fact>
      )}
      {evidence.redirects.length > 0 && (
        <Fact name="Redirects">
          <Redirects hops={evidence.redirects} />
        </Fact>
      )}
      {evidence.connections && <Fact name="Connections">{evidence.connections}</Fact>}
      {evidence.lastEnd && (
        <Fact name="Last connection ended">
          <Ago at={evidence.lastEnd.at} /> <span class="below">{evidence.lastEnd.words}</span>
        </Fact>
      )}
      {evidence.resumes && <Fact name="Resumes">{evidence.resumes}</Fact>}
      <PlainFacts {...stream} />
      {deadAfter(stream) && <Fact name="Dead after">{deadAfter(stream)}</Fact>}
      {view.signsIn && <Fact name="Authentication">{view.signsIn}</Fact>}
      {view.ownCertificates.length > 0 && (
        <Fact name="Own certificates">
          {view.ownCertificates.map(({ subject, expiresAt }) => (
            <span class="below">
              {subject}, expires <Day at={expiresAt} />
            </span>
          ))}
        </Fact>
      )}
      {evidence.certificate && (
        <Fact name="Certificate">
          expires <Day at={evidence.certificate.expiresAt} />
          {evidence.certificate.issuer && <span class="below">issued by {evidence.certificate.issuer}</span>}
        </Fact>
      )}
      <Fact name="Consecutive failures">{evidence.failures}</Fact>
      {evidence.nextRetryAt && (
        <Fact name="Next retry">
          <Ago at={evidence.nextRetryAt} />
          {evidence.retries && (
            <span class="below">
              {evidence.retries.left} of {evidence.retries.perDay} retries left today for this host
            </span>
          )}
        </Fact>
      )}
      <Fact name="Runner">
        {run ? (
          <>
            <span class="mono">{run.worker}</span>
            <span class="below">
              run {run.epoch}, started <Ago at={run.since} />,{' '}
              <a href={`/jobs/queue/streams/${stream.id}`}>job</a>
            </span>
          </>
        ) : (
          <span class="muted">none</span>
        )}
      </Fact>
      {evidence.lastError && (
        <Fact name="Last error">
          <code>{evidence.lastError.code}</code> {failureText(evidence.lastError)}{' '}
          <Ago at={evidence.lastError.at} />
        </Fact>
      )}
    </dl>
  )
}

/** Size and change of the last day, with charts of the last hour. */
export function MeasuresPanel(view: MeasureView) {
  const { total, rank, changeRate, frequency, lastChangedAt, minutes } = view
  return (
    <section id="measures" class="panel measures" aria-label="Size and change">
      <div>
        <h2>Size</h2>
        <Sparkline
          values={minutes.map((minute) => minute.wireBytes)}
          label="Bytes received per minute, last hour"
        />
        <dl class="facts">
          <Fact name="Received (24 h)">{bytes(total.wireBytes)}</Fact>
          <Fact name="Decoded">{bytes(total.bodyBytes)}</Fact>
          {(view.intervalMs !== null || total.patchBytes > 0) && (
            <Fact name="As patches">{bytes(total.patchBytes)}</Fact>
          )}
          <Fact name="Entries">{total.entries.toLocaleString('en')}</Fact>
        </dl>
      </div>
      <div>
        <h2>Change</h2>
        <Sparkline values={minutes.map((minute) => minute.changed)} label="Changes per minute, last hour" />
        <dl class="facts">
          <Fact name="Frequency (24 h)">{frequency ?? '–'}</Fact>
          <Fact name="Changed">
            {total.changed.toLocaleString('en')} of {total.compared.toLocaleString('en')}{' '}
            <span class="muted">{percent(changeRate)}</span>
          </Fact>
          <IntervalFacts {...view} />
          <Fact name="Stream rank">
            {rank.rank ?? '–'} <span class="muted">of 100</span>
            <span class="below muted">
              unchanged polls {percent(rank.time)}, unchanged bytes {percent(rank.size)}
            </span>
          </Fact>
          <Fact name="Last change">
            <Ago at={lastChangedAt} />
          </Fact>
        </dl>
      </div>
    </section>
  )
}
