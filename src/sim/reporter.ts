import { learnName } from './downstream.ts'
import { Outbox } from './outbox.ts'
import type { WeirClient } from './weir-client.ts'
import { untilClosed, type World } from './world.ts'

/** A web program that was restarted learns the services again within this. */
export const ANNOUNCE_EVERY_MS = 30_000
/** First wait after an announcement that wasn't taken; doubled up to {@link ANNOUNCE_EVERY_MS}. */
const FIRST_RETRY_MS = 500

/** A report to `POST /api/topology`. */
interface TopologyReport {
  services?: { id: string; url: string }[]
  /** A call without `status` only declares that one calls the other. */
  calls?: { from: string; to: string; status?: number; durationMs?: number }[]
}

export interface ReporterOptions {
  /** Of the service that reports. */
  name: string
  /** Whom it calls, as `host:port`. */
  addresses: string[]
  client: WeirClient
  world: World
  closing: AbortSignal
}

/** Tells the web program what one service is and does. Never holds up the service, and never fails. */
export class Reporter {
  readonly #options: ReporterOptions
  /** The names of the called services, by address, as far as they are known. */
  readonly #names = new Map<string, string>()
  readonly #colors: Outbox<string>
  readonly #topology: Outbox<TopologyReport>

  constructor(options: ReporterOptions) {
    this.#options = options
    const { client, name } = options
    this.#colors = new Outbox((color) => client.report('/activate', { item: name, color }))
    this.#topology = new Outbox((report) => client.report('/api/topology', report))
  }

  /** Reports the service's colour, after those reported before. */
  show(color: string): void {
    this.#colors.push(color)
  }

  /** Reports a call that was made; unless the name of the service at that address isn't known yet. */
  called(address: string, status: number, durationMs: number): void {
    const { name: from } = this.#options
    const to = this.#names.get(address)
    if (to !== undefined) this.#topology.push({ calls: [{ from, to, status, durationMs }] })
  }

  /** Announces the service under its URL, and learns whom it calls, until `closing` aborts. */
  async run(url: string): Promise<void> {
    const { addresses, closing } = this.#options
    await Promise.all([
      untilClosed(closing, () => this.#keepAnnouncing(url)),
      ...addresses.map((address) => untilClosed(closing, () => this.#learn(address))),
    ])
  }

  async #keepAnnouncing(url: string): Promise<never> {
    const { name, client, world, closing } = this.#options
    for (let retryMs = FIRST_RETRY_MS; ; ) {
      const report: TopologyReport = { services: [{ id: name, url }], calls: this.#edges() }
      const taken = await client.report('/api/topology', report)
      await world.sleep(taken ? ANNOUNCE_EVERY_MS : retryMs, closing)
      retryMs = taken ? FIRST_RETRY_MS : Math.min(retryMs * 2, ANNOUNCE_EVERY_MS)
    }
  }

  /** Declares a call as soon as the name is known: the announcement with all of them may be long off. */
  async #learn(address: string): Promise<void> {
    const { name, world, closing } = this.#options
    const to = await learnName(address, world, closing)
    this.#names.set(address, to)
    this.#topology.push({ calls: [{ from: name, to }] })
  }

  #edges(): NonNullable<TopologyReport['calls']> {
    return [...this.#names.values()].map((to) => ({ from: this.#options.name, to }))
  }
}
