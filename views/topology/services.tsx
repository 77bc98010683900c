import { percent, rate, verdictText } from '../layout/format.tsx'
import type { CallView, TopologyPageProps } from './topology.tsx'

const FIRST_ERROR_STATUS = 400

export interface ServiceView {
  id: string
  name: string
  url?: string
  colour: string
  verdict?: string
  reason?: string
}

/** The services as a table; the script filters it by the search, and its names choose a service. */
export function Services({ services, calls }: Pick<TopologyPageProps, 'services' | 'calls'>) {
  const last = lastCalls(calls)
  const recent = recentCalls(calls)
  const names = new Map(services.map(({ id, name }) => [id, name]))
  return (
    <section class="panel services" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      {/* biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields */}
      <div class="services-scroll" tabindex={0} role="group" aria-labelledby="services-title">
        <table>
          <thead>
            <tr>
              <th scope="col">Service</th>
              <th scope="col">State</th>
              <th scope="col">Of late</th>
              <th scope="col">Last call</th>
            </tr>
          </thead>
          <tbody id="services">
            {services.map((service) => (
              <ServiceRow
                {...service}
                recent={recentText(recent.get(service.id))}
                lastCall={toldCall(service.id, last.get(service.id), names)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {/* What the script copies for a service that appears. */}
      <template id="service-row">
        <ServiceRow id="" name="" colour="white" recent="idle" lastCall={NO_CALL} />
      </template>
    </section>
  )
}

interface LastCall {
  text: string
  hasFailed: boolean
  calledAt?: string
}

const NO_CALL: LastCall = { text: 'none yet', hasFailed: false }

interface RowProps extends ServiceView {
  recent: string
  lastCall: LastCall
}

function ServiceRow({ id, name, colour, verdict, reason, recent, lastCall }: RowProps) {
  return (
    <tr data-service={id}>
      <th scope="row" data-part="name">
        <button type="button" class="link" data-part="label">
          {name}
        </button>
      </th>
      <td>
        <span class="state">
          <i class="swatch" data-part="swatch" style={`background:${colour}`} />
          <span data-part="colour">{colour}</span>
        </span>{' '}
        <span class={`verdict ${verdict ?? ''}`} data-part="verdict" title={reason}>
          {verdict && verdictText(verdict)}
        </span>
      </td>
      <td data-part="recent">{recent}</td>
      <td>
        <span data-part="call" class={lastCall.hasFailed ? 'error' : undefined}>
          {lastCall.text}
        </span>{' '}
        <time class="muted" data-part="time" datetime={lastCall.calledAt}>
          {lastCall.calledAt?.slice(11, 19)}
        </time>
      </td>
    </tr>
  )
}

/** The script on the page says it in the same words. */
function toldCall(id: string, last: CallView | undefined, names: ReadonlyMap<string, string>): LastCall {
  if (last === undefined) return NO_CALL
  const nameOf = (other: string) => names.get(other) ?? other
  const other = last.to === id ? `from ${nameOf(last.from)}` : `to ${nameOf(last.to)}`
  const hasFailed = (last.lastStatus ?? 0) >= FIRST_ERROR_STATUS
  const duration = last.lastDurationMs === undefined ? '' : ` in ${Math.round(last.lastDurationMs)} ms`
  const text = `${other}: ${last.lastStatus}${hasFailed ? ' failed' : ''}${duration}`
  return { text, hasFailed, calledAt: last.calledAt }
}

/** How calls to each service went of late; calls of it where nobody calls it. The script says it in the same words. */
function recentCalls(calls: readonly CallView[]): Map<string, Sum> {
  const [to, from] = [new Map<string, Sum>(), new Map<string, Sum>()]
  for (const call of calls) {
    add(to, call.to, call)
    add(from, call.from, call)
  }
  return new Map([...from, ...to])
}

interface Sum {
  rate: number
  errors: number
}

function add(sums: Map<string, Sum>, id: string, { recent }: CallView): void {
  const { rate: known, errors } = sums.get(id) ?? { rate: 0, errors: 0 }
  const { rate: more, errorShare } = recent ?? { rate: 0, errorShare: 0 }
  sums.set(id, { rate: known + more, errors: errors + more * errorShare })
}

function recentText(sum: Sum | undefined): string {
  if (sum === undefined || sum.rate === 0) return 'idle'
  return `${rate(sum.rate)}/min, ${sum.errors === 0 ? 'no errors' : `${percent(sum.errors / sum.rate)} errors`}`
}

/** Each service's last call, as caller or as called. */
function lastCalls(calls: readonly CallView[]): Map<string, CallView> {
  const last = new Map<string, CallView>()
  for (const call of calls) {
    if (call.calledAt === undefined) continue
    for (const id of [call.from, call.to]) {
      if (call.calledAt >= (last.get(id)?.calledAt ?? '')) last.set(id, call)
    }
  }
  return last
}
