import type { SERVICE_KINDS } from '../graph/graph.ts'
import { Colors } from '../service/colors.ts'
import { type SimWorld, untilClosed } from '../world.ts'
import type { SimClient } from './client.ts'

/** A restarted Weir learns of the services again within this time. */
export const ANNOUNCE_EVERY_MS = 30_000
/** Wait after a failed announcement; doubled up to {@link ANNOUNCE_EVERY_MS}. */
const FIRST_RETRY_MS = 500
/** Calls are collected for this long into one report. */
const GATHER_MS = 100
/** Maximum items that `POST /api/topology` accepts in each list. */
const MAX_REPORTED = 500
/** Calls that wait to be reported. Beyond it the oldest is dropped: outdated rates help nobody. */
export const MAX_WAITING_CALLS = 5_000

export interface ServiceReport {
  id: string
  url: string
  kind?: (typeof SERVICE_KINDS)[number]
  group?: string
}

/** A call without `status` only declares the edge. */
export interface CallReport {
  from: string
  to: string
  status?: number
  durationMs?: number
}

/** One service, and its calls as far as they are known. */
export interface Announcement {
  service: ServiceReport
  calls: CallReport[]
}

export interface ReportsOptions {
  client: SimClient
  world: SimWorld
  closing: AbortSignal
}

/** Reports all services to Weir in few requests. Never delays a service, and never fails. */
export class Reports {
  readonly #options: ReportsOptions
  readonly #colors: Colors
  #calls: CallReport[] = []
  #sending = false

  constructor(options: ReportsOptions) {
    this.#options = options
    const { client, world, closing } = options
    const send = (item: string, color: string) => client.report('/activate', { item, color })
    this.#colors = new Colors({ send, world, closing })
  }

  /** Reports a service's color, after those reported before. */
  show(name: string, color: string): void {
    this.#colors.push(name, color)
  }

  call(call: CallReport): void {
    this.#calls.push(call)
    if (this.#calls.length > MAX_WAITING_CALLS) this.#calls.shift()
    if (!this.#sending) void untilClosed(this.#options.closing, () => this.#drain())
  }

  /**
   * Announces all services repeatedly.
   * @throws AbortError when `closing` aborts.
   */
  async keepAnnouncing(announce: () => Announcement[]): Promise<never> {
    const { world, closing } = this.#options
    for (let retryMs = FIRST_RETRY_MS; ; ) {
      const taken = await this.#announce(announce())
      await world.sleep(taken ? ANNOUNCE_EVERY_MS : retryMs, closing)
      retryMs = taken ? FIRST_RETRY_MS : Math.min(retryMs * 2, ANNOUNCE_EVERY_MS)
    }
  }

  /** Whether all were accepted. Services come first, because a call would create its unknown callee without a name. */
  async #announce(announcements: Announcement[]): Promise<boolean> {
    const services = chunks(announcements.map(({ service }) => service))
    const calls = chunks(announcements.flatMap((announcement) => announcement.calls))
    for (let at = 0; at < Math.max(services.length, calls.length); at++) {
      const report = { services: services[at] ?? [], calls: calls[at] ?? [] }
      if (!(await this.#options.client.report('/api/topology', report))) return false
    }
    return true
  }

  async #drain(): Promise<void> {
    const { client, world, closing } = this.#options
    this.#sending = true
    while (this.#calls.length > 0) {
      await world.sleep(GATHER_MS, closing)
      await client.report('/api/topology', { calls: this.#calls.splice(0, MAX_REPORTED) })
    }
    this.#sending = false
  }
}

function chunks<T>(items: T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / MAX_REPORTED) }, (_, chunk) =>
    items.slice(chunk * MAX_REPORTED, (chunk + 1) * MAX_REPORTED),
  )
}
