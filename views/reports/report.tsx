import { availabilityText } from '../../src/core/availability.ts'
import { period } from '../../src/core/change/words.ts'
import { BASELINE_NAMES, BASELINES, HEADLINE } from '../../src/core/saved.ts'
import { bytes, savedPercent } from '../../src/core/units.ts'
import type { Figure } from '../../src/reports/figures.ts'
import type { Report } from '../../src/reports/report.ts'
import { Minute } from '../layout/format.tsx'
import { type AvailabilityData, BAR, Segments } from '../stream/availability.tsx'
import { Cpu } from './cpu.tsx'
import { Inputs } from './inputs.tsx'
import { Method } from './method.tsx'
import { ReportShell } from './shell.tsx'

export interface ReportData extends Report {
  /** All segments of the period, including those without data. */
  bar: AvailabilityData['segments']
  formulas: Readonly<Record<string, string>>
}

/** What an API does, for readers outside: complete by itself, without scripts, and printable. */
export function ReportPage(data: ReportData) {
  const { subject, figures, version, madeAt, from, to } = data
  const of = byId(figures)
  const isPolled = subject.intervalMs !== null
  return (
    <ReportShell title={`${subject.name}: API report`} {...{ version, madeAt }}>
      <header>
        <p class="soft small">API report</p>
        <h1>{subject.name}</h1>
        <p class="soft mono">{subject.url}</p>
        <p class="small">
          <Minute at={from} /> to <Minute at={to} /> UTC ({period(to.getTime() - from.getTime())}).{' '}
          {isPolled
            ? `Polled every ${period(subject.intervalMs ?? 0)}.`
            : 'Followed as a server-sent event stream.'}{' '}
          Registered <Minute at={subject.registeredAt} /> UTC.
        </p>
      </header>
      <Summary of={of} />
      <Availability {...data} of={of} />
      <Change {...data} of={of} />
      <section>
        <h2>Size</h2>
        <Figures figures={figures} section="size" />
      </section>
      <Savings {...data} of={of} />
      {isPolled && <Cpu cpu={data.cpu} />}
      <Method isPolled={isPolled} />
      <Inputs {...data} />
    </ReportShell>
  )
}

type Find = (id: string) => number | null

function byId(figures: readonly Figure[]): Find {
  const values = new Map(figures.map(({ id, value }) => [id, value]))
  return (id) => values.get(id) ?? null
}

/** The four figures that lead. */
function Summary({ of }: { of: Find }) {
  const perBody = of('size.meanBody') ?? of('size.meanEvent')
  const rank = of('streamRank.rank')
  const facts = [
    ['Availability', availabilityText(of('availability.period'))],
    ['StreamRank, of 100', rank === null ? '–' : String(rank)],
    [of('size.meanBody') === null ? 'Event size' : 'Response size', perBody === null ? '–' : bytes(perBody)],
    [`Saved compared with ${BASELINES[HEADLINE]}`, savedPercent(of(`savings.client.${HEADLINE}`))],
  ]
  return (
    <dl class="big">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

type SectionData = ReportData & { of: Find }

function Availability({ figures, bar, to, of }: SectionData) {
  const share = of('availability.period')
  const said = `Availability: ${share === null ? 'unknown' : availabilityText(share)}`
  return (
    <section>
      <h2>Availability</h2>
      <p class="lead">
        {share === null
          ? 'Nothing is known about this period.'
          : `The API ${availabilityWords(figures, availabilityText(share))}.`}
      </p>
      <svg class="uptime" viewBox={BAR} preserveAspectRatio="none" role="img" aria-label={said}>
        <Segments segments={bar} />
      </svg>
      <p class="ends small soft">
        {bar[0] && <Minute at={bar[0].from} />}
        <span>red: failed, gray: unknown</span>
        <Minute at={to} />
      </p>
      <Figures figures={figures} section="availability" />
      <p class="soft small">All windows end with the period; the longer ones begin before it.</p>
    </section>
  )
}

function availabilityWords(figures: readonly Figure[], share: string): string {
  const inputs = figures.find(({ id }) => id === 'availability.period')?.inputs ?? {}
  const [answered, unanswered] = [Number(inputs.answered), Number(inputs.unanswered)]
  if (inputs.answered == null) return `was available ${share} of the time that it was observed`
  return `answered ${share} of the scheduled checks: ${count(unanswered)} of ${count(answered + unanswered)} failed`
}

function Change({ figures, words }: SectionData) {
  return (
    <section>
      <h2>Change</h2>
      <p class="lead">
        {words.frequency === null ? 'Nothing was compared in this period.' : `${changes(words.frequency)}.`}
      </p>
      <Figures figures={figures} section="change" />
      <h3>StreamRank</h3>
      <p>
        How live the API is: 0 if it changes once a day or less often, 100 if it changes once a second or more
        often. The three shares are those that Streamdata.io published in 2018: requests that found nothing
        new, bytes that were not new, and the frequency of change.
      </p>
      <Figures figures={figures} section="streamRank" />
    </section>
  )
}

/** Estimates are either a time between changes, or a sentence of their own. */
function changes(words: string): string {
  if (words.startsWith('no change')) return `There was ${words}`
  return `The API changes ${words}`
}

function Savings({ figures, words, subject, of }: SectionData) {
  return (
    <section>
      <h2>Savings</h2>
      {words.savings === null ? (
        <p>
          {subject.intervalMs === null
            ? 'The API already sends an event stream, so there is no polling to save.'
            : 'No poll was answered in this period.'}
        </p>
      ) : (
        <>
          <p class="lead">{words.savings}</p>
          <SavingsTable figures={figures} of={of} />
          <p class="soft small">
            The share of bytes that streaming saves; negative where it costs more. For the server, Weir's own
            polls replace those of all clients.
          </p>
        </>
      )}
    </section>
  )
}

function SavingsTable({ figures, of }: { figures: readonly Figure[]; of: Find }) {
  const sides = figures.filter(({ id }) => id.startsWith('savings.') && id.endsWith('.conditional'))
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Saved, compared with</th>
            {BASELINE_NAMES.map((name) => (
              <th scope="col" class="number">
                {BASELINES[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sides.map(({ id, label }) => (
            <tr>
              <th scope="row">{label}</th>
              {BASELINE_NAMES.map((name) => (
                <td class="number">{savedPercent(of(id.replace('conditional', name)))}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Figures({ figures, section }: { figures: readonly Figure[]; section: string }) {
  return (
    <table>
      <tbody>
        {figures
          .filter(({ id }) => id.startsWith(`${section}.`))
          .map((figure) => (
            <tr>
              <th scope="row">{figure.label}</th>
              <td class="number">{shown(figure)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}

function shown({ id, value, unit }: Figure): string {
  if (value === null) return '–'
  if (unit === 'bytes') return bytes(value)
  if (unit === 'rank') return String(value)
  if (unit === 'share') return id.startsWith('availability.') ? availabilityText(value) : savedPercent(value)
  return Number(value.toPrecision(3)).toLocaleString('en')
}

function count(value: number): string {
  return value.toLocaleString('en')
}
