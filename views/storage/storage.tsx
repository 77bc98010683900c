import { Bar } from '../layout/bar.tsx'
import { Ago, bytes } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'

export interface StorageView {
  days: { day: string; bytes: number; entries: number; archive: 'running' | 'done' | 'failed' | null }[]
  log: { bytes: number; entries: number }
  sums: { bytes: number }
  bounds: { days: number; maxEntries: number | null; maxBytes: number | null; minutesDays: number }
  blocked: { since: Date; day: string } | null
  lastDrop: { at: Date; day: string; reason: 'age' | 'entries' | 'bytes'; bytes: number } | null
  lastTrim: Date | null
}

const REASONS = {
  age: 'for its age',
  entries: 'as there were too many entries',
  bytes: 'to make room',
} as const

/** What the log takes on disk, day by day, and what bounds it. */
export function StoragePage({ days, log, sums, bounds, blocked, lastDrop, lastTrim }: StorageView) {
  const most = Math.max(...days.map((day) => day.bytes), 1)
  return (
    <Page title="Storage" section="/storage">
      <h1>Storage</h1>
      {blocked && (
        <section class="panel" role="alert">
          <h2>The log is at its cap</h2>
          <p>
            Nothing may be dropped before {blocked.day} is archived. Recording goes on, beyond the cap, since{' '}
            <Ago at={blocked.since} />. <a href="/archive">What the archive says</a>
          </p>
        </section>
      )}
      <section class="panel" aria-label="Bounds">
        <dl class="facts">
          <Fact name="Log">
            {bytes(log.bytes)}
            {bounds.maxBytes !== null && ` of ${bytes(bounds.maxBytes)}`}
          </Fact>
          <Fact name="Entries recorded">
            {log.entries.toLocaleString('en')}
            {bounds.maxEntries !== null && ` of ${bounds.maxEntries.toLocaleString('en')}`}
          </Fact>
          <Fact name="Kept">{bounds.days} days</Fact>
          <Fact name="Sums">
            {bytes(sums.bytes)}, minutes for {bounds.minutesDays} days
          </Fact>
          <Fact name="Last dropped">
            {lastDrop === null ? (
              'nothing yet'
            ) : (
              <>
                {lastDrop.day}, {bytes(lastDrop.bytes)}, {REASONS[lastDrop.reason]}, <Ago at={lastDrop.at} />
              </>
            )}
          </Fact>
          {lastTrim !== null && (
            <Fact name="Today shortened">
              <Ago at={lastTrim} />
            </Fact>
          )}
        </dl>
      </section>
      <section class="panel" aria-label="Days">
        <table>
          <thead>
            <tr>
              <th scope="col">Day, UTC</th>
              <th scope="col" class="number">
                Recorded
              </th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col">Archive</th>
            </tr>
          </thead>
          <tbody>
            {days.map((day) => (
              <tr id={`day-${day.day}`}>
                <th scope="row">
                  {day.day}
                  <Bar share={day.bytes / most} colour="var(--quiet)" />
                </th>
                <td class="number">{day.entries.toLocaleString('en')}</td>
                <td class="number">{bytes(day.bytes)}</td>
                <td>{day.archive ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Page>
  )
}

function Fact({ name, children }: { name: string; children: unknown }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children as string}</dd>
    </div>
  )
}
