import type { Clock } from './injection/clock.ts'
import { type Mishap, Program } from './program.ts'

/** Processes of a Weir that has several. */
export const WEBS = 2
export const WORKERS = 3
/** An event stream silent for this long is connected anew, in milliseconds: short, so that runs see it. */
const SILENCE_MS = 3_000

export interface FleetOptions {
  /** One process that does all, or web processes and workers. */
  isEmbedded: boolean
  /** The settings of the set-up. */
  environment: Record<string, string>
  clock(name: string): Clock | undefined
  mishap(mishap: Mishap): void
  logFile: string | undefined
}

/** The processes of one Weir. */
export class Fleet {
  /** The processes that answer; the only one of an embedded Weir also holds every stream. */
  readonly webs: readonly Program[]
  readonly workers: readonly Program[]
  readonly #options: FleetOptions
  readonly #ports = new Map<string, string>()

  constructor(options: FleetOptions) {
    this.#options = options
    const names = (count: number, what: string) =>
      Array.from({ length: count }, (_, index) => `${what}-${index}`)
    const webs = options.isEmbedded ? ['weir'] : names(WEBS, 'web')
    this.webs = webs.map((name) =>
      this.#program(name, options.isEmbedded ? 'all' : 'web', /listening on (http:\S+)/),
    )
    this.workers = names(options.isEmbedded ? 0 : WORKERS, 'worker').map((name) =>
      this.#program(name, 'worker', /running as a worker/),
    )
  }

  get programs(): readonly Program[] {
    return [...this.webs, ...this.workers]
  }

  /** Where the web processes answer. */
  get urls(): readonly string[] {
    return this.webs.map(({ name }) => `http://127.0.0.1:${this.#ports.get(name)}`)
  }

  /** Starts every process; those that answer find a port, and keep it whenever they are started again. */
  async start(): Promise<void> {
    for (const web of this.webs) {
      const [, url] = await web.start()
      this.#ports.set(web.name, new URL(url as string).port)
    }
    await Promise.all(this.workers.map((worker) => worker.start()))
  }

  /**
   * Ends every process in order.
   * @returns the names of those that did not end as they should, with how they did
   */
  async close(): Promise<string[]> {
    await Promise.all(this.programs.map((program) => program.terminate()))
    return this.programs
      .filter(({ lastExit }) => lastExit !== 0)
      .map(({ name, lastExit }) => `${name}: ${lastExit}`)
  }

  async kill(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.kill()))
  }

  #program(name: string, role: string, ready: RegExp): Program {
    const { environment, clock, mishap, logFile } = this.#options
    return new Program({
      name,
      command: () => ['bun', 'src/main.ts'],
      environment: () => ({
        BUN_CONFIG_MAX_HTTP_REQUESTS: '65336',
        SILENCE_MS: String(SILENCE_MS),
        ...environment,
        ROLE: role,
        PORT: this.#ports.get(name) ?? '0',
      }),
      clock: clock(name),
      ready,
      mishap,
      logFile,
    })
  }
}
