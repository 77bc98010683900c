import type { CallReport, ServiceReport, TopologyReport } from '../topology/topology.ts'
import { Addresses } from './addresses.ts'
import { fitName } from './names.ts'
import {
  databaseOf,
  httpStatusOf,
  namedPeerOf,
  type Peer,
  peerAddressOf,
  queueOf,
  transferOf,
} from './peers.ts'
import { RecentIds } from './recent-ids.ts'
import type { ReceivedSpan } from './spans.ts'

/**
 * How long one end of a call waits for the other, in milliseconds. SDKs send every 5 s, and retry for some more
 * seconds.
 */
export const WAIT_MS = 15_000
/** Ends of calls that wait for the other one. At the bound the oldest is settled early, as if its time were over. */
export const MAX_WAITING = 20_000

export interface SpanCallsOptions {
  report(report: TopologyReport): void
  warn(message: string, error: unknown): void
  waitMs?: number
  /** A clock in milliseconds, only used for differences. */
  now?: () => number
}

/** What the caller reports about a call. */
interface ClientEnd {
  from: string
  status: number
  durationMs: number | undefined
  /** The service it names as the callee, if any. */
  named: string | undefined
  address: string | undefined
}

/** One end of a call. */
interface Waiting {
  until: number
  client?: ClientEnd
  /** The service that answered. */
  server?: string
}

/** Services and calls found so far, before they are reported. */
class Findings {
  readonly services = new Map<string, ServiceReport>()
  readonly calls: CallReport[] = []

  know({ id, kind }: Peer, group?: string): void {
    this.services.set(id, { id, kind, ...(group !== undefined && { group }) })
  }

  call(from: string, to: string, { status, durationMs }: Pick<ClientEnd, 'status' | 'durationMs'>): void {
    this.calls.push({ from, to, status, ...(durationMs !== undefined && { durationMs }) })
  }
}

/**
 * Turns spans into services and calls. The senders' clocks are used only for durations: a call counts at the time
 * when it becomes known.
 */
export class SpanCalls {
  readonly #options: Required<SpanCallsOptions>
  readonly #seen = new RecentIds()
  readonly #addresses = new Addresses()
  /** By the ID of the calling span. All wait equally long, so the first one expires first. */
  readonly #waiting = new Map<string, Waiting>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor({ waitMs = WAIT_MS, now = () => performance.now(), ...options }: SpanCallsOptions) {
    this.#options = { waitMs, now, ...options }
  }

  /** Takes the spans of one request; spans that were seen before, as in a retried request, are skipped. */
  take(spans: readonly ReceivedSpan[]): void {
    const findings = new Findings()
    for (const span of spans) {
      const { service, kind, traceId, spanId } = span
      findings.know({ id: service.id, kind: 'service' }, service.group)
      // Some tracers give both ends of a call the same ID.
      if (this.#seen.add(`${traceId}${spanId}${kind}`)) this.#derive(span, findings)
    }
    this.#settle(findings)
  }

  /** Forgets everything that waits. */
  close(): void {
    clearTimeout(this.#timer)
    this.#waiting.clear()
  }

  #derive(span: ReceivedSpan, findings: Findings): void {
    const { kind } = span
    if (kind === 'server') return void this.#server(span, findings)
    if (kind === 'internal') return
    const queue = queueOf(span)
    if (queue !== undefined) return void exchange(span, queue, findings)
    if (kind !== 'client') return
    const database = databaseOf(span)
    if (database === undefined) return void this.#client(span, findings)
    findings.know(database)
    findings.call(span.service.id, database.id, outcomeOf(span))
  }

  #client(span: ReceivedSpan, findings: Findings): void {
    const key = span.traceId + span.spanId
    const client = clientEnd(span)
    const server = this.#waiting.get(key)?.server
    if (server === undefined) return void this.#wait(key, { client })
    this.#waiting.delete(key)
    this.#join(client, server, findings)
  }

  #server({ traceId, parentSpanId, service }: ReceivedSpan, findings: Findings): void {
    if (parentSpanId === undefined) return
    const key = traceId + parentSpanId
    const client = this.#waiting.get(key)?.client
    if (client === undefined) return void this.#wait(key, { server: service.id })
    this.#waiting.delete(key)
    this.#join(client, service.id, findings)
  }

  #join(client: ClientEnd, server: string, findings: Findings): void {
    if (client.address !== undefined) this.#addresses.learn(client.address, server)
    findings.call(client.from, server, client)
  }

  #wait(key: string, end: Pick<Waiting, 'client' | 'server'>): void {
    const { now, waitMs } = this.#options
    if (!this.#waiting.has(key)) this.#waiting.set(key, { ...end, until: now() + waitMs })
  }

  /** Settles what has waited long enough, reports what was found, and schedules the next time. */
  #settle(findings: Findings): void {
    const { now, report, warn } = this.#options
    const time = now()
    for (const [key, { until, client }] of this.#waiting) {
      if (until > time && this.#waiting.size <= MAX_WAITING) break
      this.#waiting.delete(key)
      if (client !== undefined) this.#alone(client, findings)
    }
    this.#comeBack(time)
    if (findings.services.size === 0 && findings.calls.length === 0) return
    try {
      report({ services: [...findings.services.values()], calls: findings.calls })
    } catch (error) {
      warn('Spans could not be reported', error)
    }
  }

  /** A call whose other end never arrived goes to whatever the caller named; if it named nothing, it is dropped. */
  #alone(client: ClientEnd, findings: Findings): void {
    const { from, named, address } = client
    const to = named ?? (address && (this.#addresses.serviceAt(address) ?? address))
    if (to) findings.call(from, to, client)
  }

  #comeBack(time: number): void {
    clearTimeout(this.#timer)
    const [next] = this.#waiting.values()
    if (next === undefined) return
    this.#timer = setTimeout(() => this.#settle(new Findings()), next.until - time)
  }
}

function clientEnd(span: ReceivedSpan): ClientEnd {
  const address = fitName(peerAddressOf(span.attributes) ?? '')
  return { from: span.service.id, named: namedPeerOf(span), address, ...outcomeOf(span) }
}

function outcomeOf(span: ReceivedSpan): Pick<ClientEnd, 'status' | 'durationMs'> {
  return { status: httpStatusOf(span), durationMs: span.durationMs }
}

/** Sending to a queue or receiving from it is a call of its own: neither end waits for the other. */
function exchange(span: ReceivedSpan, queue: Peer, findings: Findings): void {
  const service = span.service.id
  switch (transferOf(span)) {
    case 'sent':
      findings.know(queue)
      return void findings.call(service, queue.id, outcomeOf(span))
    case 'received':
      findings.know(queue)
      return void findings.call(queue.id, service, outcomeOf(span))
    case 'looked':
      findings.know(queue)
      return void findings.calls.push({ from: queue.id, to: service })
    case 'other':
      return
  }
}
