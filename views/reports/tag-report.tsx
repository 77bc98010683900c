import { availabilityText } from '../../src/core/availability.ts'
import { period } from '../../src/core/change/words.ts'
import { BASELINES, HEADLINE } from '../../src/core/saved.ts'
import { bytes, savedPercent } from '../../src/core/units.ts'
import type { TagFigure } from '../../src/reports/tag-figures.ts'
import type { TagReport, TagRow } from '../../src/reports/tag-report.ts'
import { Minute } from '../layout/format.tsx'
import { ReportShell } from './shell.tsx'

export interface TagReportData extends TagReport {
  formulas: Readonly<Record<string, string>>
}

/** What the APIs with a tag do, for readers outside: complete by itself, without scripts, and printable. */
export function TagReportPage(data: TagReportData) {
  const { tag, from, to, version, madeAt, words, figures, rows } = data
  return (
    <ReportShell title={`${tag}: API report`} {...{ version, madeAt }}>
      <header>
        <p class="soft small">API report</p>
        <h1>{tag}</h1>
        <p class="small">
          <Minute at={from} /> to <Minute at={to} /> UTC ({period(to.getTime() - from.getTime())}).{' '}
          {contents(data)}
        </p>
      </header>
      <Summary figures={figures} />
      {words.savings !== null && <p class="lead">{words.savings}</p>}
      <section>
        <h2>Streams</h2>
        <p class="soft small">
          Saved: the share that streaming saves compared with {BASELINES[HEADLINE]}, of bytes and of a
          server's CPU.
        </p>
        <Rows rows={rows} />
      </section>
      <section>
        <h2>Totals and medians</h2>
        <table>
          <tbody>
            {figures.map((figure) => (
              <tr>
                <th scope="row">{`${SECTIONS[figure.id.split('.')[0] ?? '']}: ${figure.label}`}</th>
                <td class="number">{shown(figure)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.every(({ cpuSaving }) => cpuSaving === null) && (
          <p class="small">
            CPU was never measured for any of these APIs. <code>weir bench</code> measures it for one, and
            stores the result for its report and this one.
          </p>
        )}
      </section>
      <TagMethod />
      <Recalculate {...data} />
    </ReportShell>
  )
}

const SECTIONS: Readonly<Record<string, string>> = {
  availability: 'Availability',
  size: 'Size',
  change: 'Change',
  savings: 'Savings',
  cpu: 'CPU',
}

function contents({ streams: { total, shown: some }, rows }: TagReportData): string {
  const polled = rows.filter(({ subject }) => subject.intervalMs !== null).length
  const parts = [
    ...(polled > 0 ? [`${polled} polled`] : []),
    ...(polled < some
      ? [`${some - polled} followed as ${some - polled === 1 ? 'an event stream' : 'event streams'}`]
      : []),
  ].join(', ')
  if (total > some)
    return `${total} streams have this tag. This report is of the first ${some} by name (${parts}); its totals leave out the others.`
  return `${some} ${some === 1 ? 'stream' : 'streams'}: ${parts}.`
}

/** The four figures that lead. */
function Summary({ figures }: Pick<TagReport, 'figures'>) {
  const of = (id: string) => figures.find((figure) => figure.id === id)
  const facts = [
    ['Availability, mean', of('availability.mean')],
    ['Availability, lowest', of('availability.lowest')],
    ['Received', of('size.received')],
    [`Saved compared with ${BASELINES[HEADLINE]}`, of('savings.total')],
  ] as const
  return (
    <dl class="big">
      {facts.map(([name, figure]) => (
        <div>
          <dt>{name}</dt>
          <dd>{figure === undefined ? '–' : shown(figure)}</dd>
        </div>
      ))}
    </dl>
  )
}

function Rows({ rows }: Pick<TagReport, 'rows'>) {
  return (
    <div class="scroll">
      <table class="wide">
        <thead>
          <tr>
            <th scope="col">API</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">Change</th>
            <th scope="col" class="number">
              Availability
            </th>
            <th scope="col" class="number">
              Bytes saved
            </th>
            <th scope="col" class="number">
              CPU saved
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row {...row} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ subject, meanBytes, frequency, availability, saving, cpuSaving }: TagRow) {
  const { name, url, intervalMs } = subject
  return (
    <tr>
      <th scope="row" class="name">
        <b>{name}</b>
        <br />
        <span class="soft mono">{url}</span>
        <br />
        <span class="soft small">
          {intervalMs === null ? 'Server-sent event stream' : `Polled every ${period(intervalMs)}`}
        </span>
      </th>
      <td class="number">{meanBytes === null ? '–' : bytes(meanBytes)}</td>
      <td>{frequency?.words ?? 'Nothing was compared'}</td>
      <td class="number">{availabilityText(availability)}</td>
      <td class="number">{savedPercent(saving)}</td>
      <td class="number">{savedPercent(cpuSaving)}</td>
    </tr>
  )
}

function TagMethod() {
  return (
    <section>
      <h2>Method and caveats</h2>
      <ul>
        <li>
          Weir requested the APIs from one place and stored every response. What others see, from elsewhere or
          with other credentials, may differ.
        </li>
        <li>
          <b>Availability.</b> Of polled APIs, the share of scheduled checks that were answered; of event
          streams, the share of the observed time in which they were connected. The mean counts each stream
          once, however often it is polled.
        </li>
        <li>
          <b>Size.</b> The mean size of a response after decompression, or of an event as received.
        </li>
        <li>
          <b>Change.</b> An estimate for random changes, with its 95% interval in parentheses.
        </li>
        <li>
          <b>Saved.</b> The share of bytes that streaming saves compared with {BASELINES[HEADLINE]}; negative
          where it costs more. Event streams have no polling to save.
        </li>
        <li>
          <b>CPU saved.</b> The same share of a server's CPU, as <code>weir bench</code> last measured it for
          each API, on one machine.
        </li>
        <li>What could be a key in a URL is hidden as •••. A dash means that a figure isn't known.</li>
      </ul>
    </section>
  )
}

function Recalculate({ figures, rows, formulas }: TagReportData) {
  return (
    <section>
      <h2>Recalculate</h2>
      <details>
        <summary>Formulas and inputs of every total and median</summary>
        {figures.map(({ id, value, formula, inputs }) => (
          <>
            <h3 class="mono">{id}</h3>
            <p class="small">
              = {formulas[formula]} = {String(value)}
            </p>
            <pre>{JSON.stringify(inputs)}</pre>
          </>
        ))}
        <h3>rows</h3>
        <p class="small">
          meanBytes, receivedBytes, changed, compared, perHour, availability, saving, cpuSaving
        </p>
        <pre>
          {rows
            .map((row) =>
              [
                ...[row.meanBytes, row.receivedBytes, row.changed, row.compared],
                ...[row.frequency?.perHour ?? null, row.availability, row.saving, row.cpuSaving],
              ]
                .map(String)
                .join(', '),
            )
            .join('\n')}
        </pre>
      </details>
    </section>
  )
}

function shown({ id, value, unit }: TagFigure): string {
  if (value === null) return '–'
  if (unit === 'bytes') return bytes(value)
  if (unit === 'share') return id.startsWith('availability.') ? availabilityText(value) : savedPercent(value)
  return Number(value.toPrecision(unit === 'count' ? 15 : 3)).toLocaleString('en')
}
