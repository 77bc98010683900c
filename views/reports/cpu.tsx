import { span } from '../../src/core/judging/status.ts'
import { BASELINE_NAMES, BASELINES, HEADLINE } from '../../src/core/saved.ts'
import { savedPercent } from '../../src/core/units.ts'
import type { Report } from '../../src/reports/report.ts'
import { Minute } from '../layout/format.tsx'

type Trial = NonNullable<Report['cpu']>
type Saved = Trial['saved']['plain']

/** What streaming saves a server's CPU, as last measured, with how. */
export function Cpu({ cpu }: Pick<Report, 'cpu'>) {
  return (
    <section>
      <h2>CPU of a server</h2>
      {cpu === null ? (
        <p>
          CPU was never measured for this API. <code>weir bench</code> measures it on your machine, with what
          was recorded, and stores the result for this report.
        </p>
      ) : (
        <Measured {...cpu} />
      )}
    </section>
  )
}

function Measured({ at, subscribers, seconds, recorded, clients, saved }: Trial) {
  const windowMs = Date.parse(recorded.to) - Date.parse(recorded.from)
  return (
    <>
      <p class="lead">{`For ${count(subscribers)} clients, ${sentence(saved[HEADLINE])}.`}</p>
      <table>
        <tbody>
          {BASELINE_NAMES.map((name) => (
            <tr>
              <th scope="row">{`Saved compared with ${BASELINES[name]}`}</th>
              <td class="number">{cpuText(saved[name])}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft small">
        Measured <Minute at={at} /> UTC with <code>weir bench</code>, on one machine: {span(windowMs)} with{' '}
        {count(recorded.polls)} polls and {count(recorded.changes)} changes, replayed by {clients.polling}{' '}
        polling and {clients.streaming} streaming clients, in phases of {seconds} s. In parentheses: the range
        of any two phases. Other machines and servers differ.
      </p>
    </>
  )
}

function sentence(saved: Saved): string {
  const than = BASELINES[HEADLINE]
  if (!saved.isClear) return `there was no clear difference between streaming and ${than}`
  const [least, most] = [saved.least, saved.most].map((share) => savedPercent(Math.abs(share)))
  if (saved.share < 0)
    return `streaming needs ${savedPercent(-saved.share)} more CPU of a server than ${than} (${most} to ${least})`
  return `streaming needs ${savedPercent(saved.share)} less CPU of a server than ${than} (${least} to ${most})`
}

function cpuText({ share, least, most, isClear }: Saved): string {
  return isClear ? `${savedPercent(share)} (${savedPercent(least)} to ${savedPercent(most)})` : 'unclear'
}

function count(value: number): string {
  return value.toLocaleString('en')
}
