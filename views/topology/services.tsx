import type { Call, Service } from '../../src/core/graph.ts'
import { statusLabel } from '../../src/core/sets/statuses.ts'
import { percent, rate } from '../layout/format.tsx'
import type { TopologyPageProps } from './topology.tsx'

const FIRST_ERROR_STATUS = 400

/** The services as a table; the script filters it by the search, and a name selects its service. */
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
              <th scope="col">Status</th>
              <th scope="col">Last 5 min</th>
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
      {/* The script copies this for a new service. */}
      <template id="service-row">
        <ServiceRow id="" name="" color="white" recent="idle" lastCall={NO_CALL} />
      </template>
    </section>
  )
}

interface LastCall {
  text: string
  hasFailed: boolean
  calledAt?: string
}

const NO_CALL: LastCall = { text: 'no calls', hasFailed: false }

interface RowProps extends Pick<Service, 'id' | 'name' | 'color' | 'status' | 'reason'> {
  recent: string
  lastCall: LastCall
}

function ServiceRow({ id, name, color, status, reason, recent, lastCall }: RowProps) {
  return (
    <tr data-service={id}>
      <th scope="row" data-part="name">
        <button type="button" class="link" data-part="label">
          {name}
        </button>
      </th>
      <td>
        <span class="state">
          <i class="swatch" data-part="swatch" style={`background:${color}`} />
          <span data-part="color">{color}</span>
        </span>{' '}
        <span class={`status ${status ?? ''}`} data-part="status" title={reason}>
          {status && statusLabel(status)}
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

/** The script on the page uses the same words. */
function toldCall(id: string, last: Call | undefined, names: ReadonlyMap<string, string>): LastCall {
  if (last === undefined) return NO_CALL
  const nameOf = (other: string) => names.get(other) ?? other
  const other = last.to === id ? `from ${nameOf(last.from)}` : `to ${nameOf(last.to)}`
  const hasFailed = (last.lastStatus ?? 0) >= FIRST_ERROR_STATUS
  const duration = last.lastDurationMs === undefined ? '' : ` in ${Math.round(last.lastDurationMs)} ms`
  const text = `${other}: ${last.lastStatus}${hasFailed ? ' failed' : ''}${duration}`
  return { text, hasFailed, calledAt: last.calledAt }
}

/** Recent calls to each service, or from it if nothing calls it. The script uses the same words. */
function recentCalls(calls: readonly Call[]): Map<string, Sum> {
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

function add(sums: Map<string, Sum>, id: string, { recent }: Call): void {
  const { rate: known, errors } = sums.get(id) ?? { rate: 0, errors: 0 }
  const { rate: more, errorShare } = recent ?? { rate: 0, errorShare: 0 }
  sums.set(id, { rate: known + more, errors: errors + more * errorShare })
}

function recentText(sum: Sum | undefined): string {
  if (sum === undefined || sum.rate === 0) return 'idle'
  return `${rate(sum.rate)}/min, ${sum.errors === 0 ? 'no errors' : `${percent(sum.errors / sum.rate)} errors`}`
}

/** Each service's last call, as caller or as called. */
function lastCalls(calls: readonly Call[]): Map<string, Call> {
  const last = new Map<string, Call>()
  for (const call of calls) {
    if (call.calledAt === undefined) continue
    for (const id of [call.from, call.to]) {
      if (call.calledAt >= (last.get(id)?.calledAt ?? '')) last.set(id, call)
    }
  }
  return last
}
