import type { LabSpec } from '../graph/graph.ts'
import { learnName } from '../service/downstream.ts'
import { untilClosed, type World } from '../world.ts'
import type { Announcement, Reports } from './reports.ts'

export interface ReporterOptions {
  /** Of the service that reports. */
  name: string
  lab?: Pick<LabSpec, 'kind' | 'group'> | undefined
  /** Whom it calls, as `host:port`. */
  addresses: string[]
  /** The names of those that are known already, by address. */
  names: ReadonlyMap<string, string>
  reports: Reports
  world: World
  closing: AbortSignal
}

/** Tells the web program what one service is and does. Never holds up the service, and never fails. */
export class Reporter {
  readonly #options: ReporterOptions
  /** The names of the called services, by address, as far as they are known. */
  readonly #names: Map<string, string>

  constructor(options: ReporterOptions) {
    this.#options = options
    const { addresses, names } = options
    this.#names = new Map([...names].filter(([address]) => addresses.includes(address)))
  }

  /** Reports the service's colour, after those reported before. */
  show(color: string): void {
    this.#options.reports.show(this.#options.name, color)
  }

  /** The name of the service at an address, or the address as long as it isn't known. */
  nameOf(address: string): string {
    return this.#names.get(address) ?? address
  }

  /** Reports a call that was made; unless the name of the service at that address isn't known yet. */
  called(address: string, status: number, durationMs: number): void {
    const { name: from, reports } = this.#options
    const to = this.#names.get(address)
    if (to !== undefined) reports.call({ from, to, status, durationMs })
  }

  /** What the service is, under its URL, and whom it calls. */
  announcement(url: string): Announcement {
    const { name, lab } = this.#options
    const calls = [...this.#names.values()].map((to) => ({ from: name, to }))
    const { kind, group } = lab ?? {}
    return {
      service: {
        id: name,
        url,
        ...(kind === undefined ? {} : { kind }),
        ...(group === undefined ? {} : { group }),
      },
      calls,
    }
  }

  /** Learns whom it calls, until `closing` aborts. */
  async learnNames(): Promise<void> {
    const { addresses, closing } = this.#options
    const unknown = addresses.filter((address) => !this.#names.has(address))
    await Promise.all(unknown.map((address) => untilClosed(closing, () => this.#learn(address))))
  }

  /** Declares a call as soon as the name is known: the announcement with all of them may be long off. */
  async #learn(address: string): Promise<void> {
    const { name, reports, world, closing } = this.#options
    const to = await learnName(address, world, closing)
    this.#names.set(address, to)
    reports.call({ from: name, to })
  }
}
