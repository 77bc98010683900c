import type { StorageReport } from '../../src/retention/report.ts'
import { Bar } from '../layout/bar.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

const REASONS = {
  age: 'age limit',
  entries: 'entry limit',
  bytes: 'size limit',
} as const

interface StoragePageData {
  /** What is wrong with the database, in sentences. */
  troubles: readonly string[]
}

/** The log's size on disk by day, and its limits. */
export function StoragePage({ reader, troubles, ...report }: StorageReport & ForReader & StoragePageData) {
  const { blocked } = report
  return (
    <Page reader={reader} title="Storage" section="/storage">
      <h1>Storage</h1>
      {troubles.length > 0 && (
        <section class="panel" role="alert">
          <h2>The database needs attention</h2>
          {troubles.map((trouble) => (
            <p>{trouble}</p>
          ))}
        </section>
      )}
      {blocked && (
        <section class="panel" role="alert">
          <h2>Log is over its limit</h2>
          <p>
            Old entries can't be deleted until {blocked.day} is archived. Weir keeps recording; the log went
            over its limit <Ago at={blocked.since} />. <a href="/archive">Check the archive</a>
          </p>
        </section>
      )}
      <Limits {...report} />
      <Days days={report.days} />
    </Page>
  )
}

function Limits({ log, sums, bounds, lastDrop, lastTrim }: StorageReport) {
  return (
    <section class="panel" aria-label="Limits">
      <dl class="facts">
        <Fact name="Log">
          {bytes(log.bytes)}
          {bounds.maxBytes !== null && ` of ${bytes(bounds.maxBytes)}`}
        </Fact>
        <Fact name="Entries">
          {log.entries.toLocaleString('en')}
          {bounds.maxEntries !== null && ` of ${bounds.maxEntries.toLocaleString('en')}`}
        </Fact>
        <Fact name="Retention">{bounds.days} days</Fact>
        <Fact name="Rollups">
          {bytes(sums.bytes)}, minutes kept {bounds.minutesDays} days
        </Fact>
        <Fact name="Last deleted">
          {lastDrop === null ? (
            'Never'
          ) : (
            <>
              {lastDrop.day}, {bytes(lastDrop.bytes)}, {REASONS[lastDrop.reason]}, <Ago at={lastDrop.at} />
            </>
          )}
        </Fact>
        {lastTrim !== null && (
          <Fact name="Today trimmed">
            <Ago at={lastTrim} />
          </Fact>
        )}
      </dl>
    </section>
  )
}

function Days({ days }: Pick<StorageReport, 'days'>) {
  const most = Math.max(...days.map((day) => day.bytes), 1)
  return (
    <section class="panel" aria-label="Days">
      <table>
        <thead>
          <tr>
            <th scope="col">Day (UTC)</th>
            <th scope="col" class="number">
              Entries
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
                <Bar share={day.bytes / most} color="var(--quiet)" />
              </th>
              <td class="number">{day.entries.toLocaleString('en')}</td>
              <td class="number">{bytes(day.bytes)}</td>
              <td>{day.archive ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
