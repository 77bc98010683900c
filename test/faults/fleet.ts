import { type Mishap, Program } from './program.ts'

/** Workers beside the web process. */
export const WORKERS = 3
/** An event stream silent for this long is connected anew, in milliseconds: short, so that runs see it. */
const SILENCE_MS = 3_000

export interface FleetOptions {
  /** One process that does all, or a web process and workers. */
  isEmbedded: boolean
  /** The settings of the set-up. */
  environment: Record<string, string>
  mishap(mishap: Mishap): void
  logFile?: string
}

/** The processes of one Weir. */
export class Fleet {
  /** The process that answers; alone in an embedded Weir, where it also holds every stream. */
  readonly web: Program
  readonly workers: readonly Program[]
  #port = '0'

  constructor({ isEmbedded, environment, mishap, logFile }: FleetOptions) {
    const program = (name: string, role: string, ready: RegExp) =>
      new Program({
        name,
        command: () => ['bun', 'src/main.ts'],
        environment: () => ({
          BUN_CONFIG_MAX_HTTP_REQUESTS: '65336',
          SILENCE_MS: String(SILENCE_MS),
          ...environment,
          ROLE: role,
          PORT: role === 'worker' ? '0' : this.#port,
        }),
        ready,
        mishap,
        logFile,
      })
    this.web = program(isEmbedded ? 'weir' : 'web', isEmbedded ? 'all' : 'web', /listening on (http:\S+)/)
    this.workers = isEmbedded
      ? []
      : Array.from({ length: WORKERS }, (_, index) =>
          program(`worker-${index}`, 'worker', /running as a worker/),
        )
  }

  get programs(): readonly Program[] {
    return [this.web, ...this.workers]
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Starts every process; the first one finds its port, and keeps it whenever it is started again. */
  async start(): Promise<void> {
    const [, url] = await this.web.start()
    this.#port = new URL(url as string).port
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
}
