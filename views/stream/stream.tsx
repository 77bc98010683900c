import { Curl } from '../layout/curl.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes, percent, rate, Sparkline, VerdictBadge } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { TwinOffer, TwinPanel, type TwinView } from '../twins/twin.tsx'
import { type ChartsData, ChartsPanel } from './charts.tsx'
import { StreamIncidents, type StreamIncidentsData } from './incidents.tsx'
import { type LogData, LogPanel } from './log.tsx'
import { type NotifyData, NotifyPanel } from './notify.tsx'
import { SavingsPanel, type SavingsView } from './savings.tsx'
import { StartStop } from './start-stop.tsx'
import { type TimelineData, TimelinePanel } from './timeline.tsx'
import { type WeekData, WeekPanel } from './week.tsx'

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

export interface StreamPageData {
  status: StatusView
  measures: MeasureView
  /** Left out for a stream that isn't polled. */
  savings: SavingsView | undefined
  /** Left out for a stream without a twin. */
  twin: TwinView | undefined
  /** Whether it could have one. */
  mayHaveTwin: boolean
  charts: ChartsData
  timeline: TimelineData
  week: WeekData
  incidents: StreamIncidentsData
  notify: NotifyData
  log: LogData
}

export function StreamPage(data: StreamPageData) {
  const { status, measures, charts, timeline, week, savings, twin, incidents, notify, log } = data
  const { stream } = status
  return (
    <Page
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
      <div class="stack" hx-sse:connect={liveLink(log)} hx-swap="none">
        <StatusPanel {...status} />
        <MeasuresPanel {...measures} />
        <ChartsPanel {...charts} />
        <TimelinePanel {...timeline} />
        <WeekPanel {...week} />
        {twin && <TwinPanel {...twin} />}
        {savings && <SavingsPanel {...savings} />}
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
          <a class="button" href={`/streams/${stream.id}/document`}>
            Document
          </a>
          <a class="button" href={`/streams/${stream.id}/edit`}>
            Edit
          </a>
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
            <button type="submit">Remove</button>{' '}
            <Curl method="DELETE" path={`/api/streams/${stream.id}`} does={`remove ${stream.name}`} />
          </form>
        </div>
      </div>
      <p class="judgement">
        <VerdictBadge verdict={status.verdict} /> {status.reason}
      </p>
      <dl class="facts">
        <Fact name={`${status.verdict[0]?.toUpperCase()}${status.verdict.slice(1)} since`}>
          <Ago at={status.verdictSince} />
        </Fact>
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
              <span class="mono">{run.worker}</span>
              <span class="below">
                run {run.epoch}, since <Ago at={run.since} />
              </span>
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
