import type { KINDS } from '../graph/graph.ts'
import { Colours } from '../service/colours.ts'
import { untilClosed, type World } from '../world.ts'
import type { WeirClient } from './client.ts'

/** A web program that was restarted learns the services again within this. */
export const ANNOUNCE_EVERY_MS = 30_000
/** First wait after an announcement that wasn't taken; doubled up to {@link ANNOUNCE_EVERY_MS}. */
const FIRST_RETRY_MS = 500
/** Calls are gathered for so long, to go out as one report. */
const GATHER_MS = 100
/** What `POST /api/topology` takes of each list at once. */
const MAX_REPORTED = 500
/** Calls that wait to be reported. At the bound the oldest is dropped: rates of old calls serve nobody. */
export const MAX_WAITING_CALLS = 5_000

export interface ServiceReport {
  id: string
  url: string
  kind?: (typeof KINDS)[number]
  group?: string
}

/** A call without `status` only declares that one calls the other. */
export interface CallReport {
  from: string
  to: string
  status?: number
  durationMs?: number
}

/** What one service is, and whom it calls as far as that is known. */
export interface Announcement {
  service: ServiceReport
  calls: CallReport[]
}

export interface ReportsOptions {
  client: WeirClient
  world: World
  closing: AbortSignal
}

/** Tells the web program what all services are and do, in few requests. Never holds up a service, never fails. */
export class Reports {
  readonly #options: ReportsOptions
  readonly #colours: Colours
  #calls: CallReport[] = []
  #sending = false

  constructor(options: ReportsOptions) {
    this.#options = options
    const { client, world, closing } = options
    const send = (item: string, color: string) => client.report('/activate', { item, color })
    this.#colours = new Colours({ send, world, closing })
  }

  /** Reports a service's colour, after those reported before. */
  show(name: string, color: string): void {
    this.#colours.push(name, color)
  }

  call(call: CallReport): void {
    this.#calls.push(call)
    if (this.#calls.length > MAX_WAITING_CALLS) this.#calls.shift()
    if (!this.#sending) void untilClosed(this.#options.closing, () => this.#drain())
  }

  /**
   * Announces all services, again and again.
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

  /** Whether all were taken. The services go first: a call would else make a nameless one of whom it calls. */
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
