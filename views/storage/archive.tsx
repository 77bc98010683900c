import type { ArchiveReport } from '../../src/archive/report.ts'
import type { TriedStep } from '../../src/archive/try-bucket.ts'
import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes, percent } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

type ArchiveDayReport = ArchiveReport['days'][number]

/** The part of the log that is on S3, and any failures. */
export function ArchivePage({
  reader,
  asked = false,
  tried,
  ...view
}: ArchiveReport & {
  /** Whether a run was just requested. */
  asked?: boolean
  tried?: readonly TriedStep[]
} & ForReader) {
  return (
    <Page reader={reader} title="Archive" section="/archive">
      <link rel="stylesheet" href="/assets/views/storage/archive.css" />
      <div class="heading">
        <div class="title">
          <h1>Archive</h1>
          <p class="muted wrap">{view.target ?? 'Not configured'}</p>
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
        Archive closed days to any S3-compatible service. Weir reads them from there once they have left the
        database. Set <code>S3_ENDPOINT</code>, <code>S3_BUCKET</code>, <code>S3_ACCESS_KEY_ID</code> and{' '}
        <code>S3_SECRET_ACCESS_KEY</code>, then restart Weir.
      </p>
    </section>
  )
}

/** Refreshes itself while the page is open, so that progress is visible with script. */
function ArchiveState({ days, totals, next, isConfigured, asked }: ArchiveReport & { asked: boolean }) {
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
          <h2>Archiving {failed.day} failed</h2>
          <p class="wrap">{failed.error}</p>
          <p class="muted">
            Weir retries automatically. Until it succeeds, the day stays in the database. Last failure{' '}
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
      {asked && !running && !failed && <p role="status">Archiving starts shortly.</p>}
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
                <th scope="col">Day (UTC)</th>
                <th scope="col">Status</th>
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

function DayRow({ day, most }: { day: ArchiveDayReport; most: number }) {
  return (
    <tr id={`day-${day.day}`}>
      <th scope="row">
        <span class="archive-day">{day.day}</span>
        <Bar share={day.bytes / most} color={COLORS[day.state]} />
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
const COLORS = { running: 'var(--quiet)', done: 'var(--neon)', failed: 'var(--dead)' } as const

function Next({ next }: Pick<ArchiveReport, 'next'>) {
  if (next === null) return 'No entries yet'
  return (
    <>
      {next.day}, {next.isClosed ? 'closed' : 'closes'} <Ago at={next.closesAt} />
    </>
  )
}

/** The result of writing, reading and deleting a small object. */
function Tried({ steps }: { steps: readonly TriedStep[] }) {
  return (
    <section class="panel" aria-label="Test">
      <h2>{steps.every(({ isOk }) => isOk) ? 'Bucket test passed' : 'Bucket test failed'}</h2>
      <ul class="archive-steps">
        {steps.map(({ step, isOk, request, response, durationMs, error }) => (
          <li>
            <p class={isOk ? 'archive-state done' : 'archive-state failed'}>
              <span aria-hidden="true">{isOk ? '●' : '✕'}</span> {step}{' '}
              <span class="muted">{durationMs.toLocaleString('en')} ms</span>
            </p>
            {error && <p class="wrap">{error.message}</p>}
            <pre>
              {`${request.method} ${request.url}\n\n${response === null ? 'No response.' : answerText(response)}`}
            </pre>
          </li>
        ))}
      </ul>
    </section>
  )
}

function answerText({ status, headers }: NonNullable<TriedStep['response']>): string {
  return [status, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\n')
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? noun : `${noun}s`}`
}
