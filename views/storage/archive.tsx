import type { Child } from 'hono/jsx'
import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { Ago, bytes, percent } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'

export interface ArchiveView {
  isConfigured: boolean
  target: string | null
  /** Newest first. */
  days: readonly ArchiveDayView[]
  totals: { days: number; objects: number; bytes: number }
  next: { day: string; closesAt: Date; isClosed: boolean } | null
}

export interface ArchiveDayView {
  day: string
  state: 'running' | 'done' | 'failed'
  /** From 0 to 1. */
  progress: number
  /** With an object each. */
  streams: number
  bytes: number
  error: string | null
  endedAt: Date | null
}

export interface TriedView {
  step: string
  isOk: boolean
  request: { method: string; url: string }
  response: { status: number; headers: Record<string, string> } | null
  durationMs: number
  error: { message: string } | null
}

/** What of the log lies on S3, and what is wrong with it. */
export function ArchivePage({
  asked = false,
  tried,
  ...view
}: ArchiveView & {
  /** Whether a run was asked for just now. */
  asked?: boolean
  tried?: readonly TriedView[]
}) {
  return (
    <Page title="Archive" section="/archive">
      <link rel="stylesheet" href="/assets/views/storage/archive.css" />
      <div class="heading">
        <div class="title">
          <h1>Archive</h1>
          <p class="muted wrap">{view.target ?? 'Not set up'}</p>
        </div>
        {view.isConfigured && (
          <div class="actions">
            <form method="post" action="/archive/run">
              <button type="submit">Archive now</button> <Curl path="/api/archive/run" does="archive now" />
            </form>
            <form method="post" action="/archive/test">
              <button type="submit">Test</button> <Curl path="/api/archive/test" does="test the archive" />
            </form>
          </div>
        )}
      </div>
      {!view.isConfigured && <NotSetUp />}
      {tried && <Tried steps={tried} />}
      <ArchiveState {...view} asked={asked} />
    </Page>
  )
}

function NotSetUp() {
  return (
    <section class="panel">
      <p>
        Closed days can be archived to any S3-compatible service, and read from there when they have left the
        database. Set <code>S3_ENDPOINT</code>, <code>S3_BUCKET</code>, <code>S3_ACCESS_KEY_ID</code> and{' '}
        <code>S3_SECRET_ACCESS_KEY</code>, and start Weir again.
      </p>
    </section>
  )
}

/** Asks for itself again while the page is open: with script, what is archived right now is seen to move. */
function ArchiveState({ days, totals, next, isConfigured, asked }: ArchiveView & { asked: boolean }) {
  const failed = days.find(({ state }) => state === 'failed')
  const running = days.find(({ state }) => state === 'running')
  const most = Math.max(...days.map((day) => day.bytes), 1)
  return (
    <div
      id="archive"
      class="stack"
      hx-get="/archive"
      hx-trigger="every 3s, weir-back from:body"
      hx-select="#archive"
      hx-target="#archive"
      hx-swap="outerMorph"
    >
      {failed && (
        <section class="panel archive-failed" role="alert">
          <h2>{failed.day} is not archived</h2>
          <p class="wrap">{failed.error}</p>
          <p class="muted">
            It is tried again by itself. Until then, nothing of it leaves the database. Failed{' '}
            <Ago at={failed.endedAt ?? undefined} />.
          </p>
        </section>
      )}
      {running && (
        <section class="panel" aria-label="Archiving">
          <h2 id="archiving">Archiving {running.day}</h2>
          <progress aria-labelledby="archiving" value={running.progress} max={1} />
          <p class="muted archive-progress">
            {percent(running.progress)} · {count(running.streams, 'stream')} · {bytes(running.bytes)}
          </p>
        </section>
      )}
      {asked && !running && !failed && <p role="status">A worker looks for closed days now.</p>}
      {(isConfigured || days.length > 0) && (
        <section class="panel" aria-label="Archived">
          <dl class="facts">
            <Fact name="Days">{totals.days.toLocaleString('en')}</Fact>
            <Fact name="Objects">{totals.objects.toLocaleString('en')}</Fact>
            <Fact name="Size">{bytes(totals.bytes)}</Fact>
            <Fact name="Next">{isConfigured ? <Next next={next} /> : '–'}</Fact>
          </dl>
        </section>
      )}
      {days.length > 0 && (
        <section class="panel" aria-label="Days">
          <table class="archive-days">
            <thead>
              <tr>
                <th scope="col">Day, UTC</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Streams
                </th>
                <th scope="col" class="number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {days.map((day) => (
                <DayRow day={day} most={most} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  )
}

function DayRow({ day, most }: { day: ArchiveDayView; most: number }) {
  return (
    <tr id={`day-${day.day}`}>
      <th scope="row">
        <span class="archive-day">{day.day}</span>
        <Bar share={day.bytes / most} colour={COLOURS[day.state]} />
      </th>
      <td class={`archive-state ${day.state}`} title={day.error ?? undefined}>
        <span aria-hidden="true">{MARKS[day.state]}</span> {day.state}
      </td>
      <td class="number">{day.streams.toLocaleString('en')}</td>
      <td class="number">{bytes(day.bytes)}</td>
    </tr>
  )
}

const MARKS = { running: '↻', done: '●', failed: '✕' } as const
const COLOURS = { running: 'var(--quiet)', done: 'var(--neon)', failed: 'var(--dead)' } as const

function Next({ next }: Pick<ArchiveView, 'next'>) {
  if (next === null) return 'nothing is recorded'
  return (
    <>
      {next.day}, {next.isClosed ? 'closed' : 'closes'} <Ago at={next.closesAt} />
    </>
  )
}

function Fact({ name, children }: { name: string; children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** What writing, reading and deleting a small object brought. */
function Tried({ steps }: { steps: readonly TriedView[] }) {
  return (
    <section class="panel" aria-label="Test">
      <h2>{steps.every(({ isOk }) => isOk) ? 'The bucket works' : "The bucket can't be used"}</h2>
      <ul class="archive-steps">
        {steps.map(({ step, isOk, request, response, durationMs, error }) => (
          <li>
            <p class={isOk ? 'archive-state done' : 'archive-state failed'}>
              <span aria-hidden="true">{isOk ? '●' : '✕'}</span> {step}{' '}
              <span class="muted">{durationMs.toLocaleString('en')} ms</span>
            </p>
            {error && <p class="wrap">{error.message}</p>}
            <pre>
              {`${request.method} ${request.url}\n\n${response === null ? 'No answer.' : answerText(response)}`}
            </pre>
          </li>
        ))}
      </ul>
    </section>
  )
}

function answerText({ status, headers }: NonNullable<TriedView['response']>): string {
  return [status, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\n')
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? noun : `${noun}s`}`
}
