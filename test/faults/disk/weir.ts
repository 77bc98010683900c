import { appendFileSync } from 'node:fs'
import { spawnWeir, type WeirProcess } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../ports.ts'
import { killAll, stopTree, treeOf } from './tree.ts'

/** Replaces a setting of the database server before Weir is loaded. */
const WITHOUT_SYNC = `${import.meta.dir}/without-sync.ts`

export interface WeirOptions {
  dataDir: string
  environment?: Record<string, string>
  /** Whether its database server doesn't sync: to see that the tests notice. */
  withoutSync?: boolean
  /** Appended with everything that it prints. */
  logFile?: string | undefined
}

/** A Weir that is killed and started again, on one port. */
export class Weir {
  readonly url: string
  readonly #options: WeirOptions
  readonly #port = freePorts(1)
  #process: WeirProcess | undefined
  #pids: readonly number[] = []

  constructor(options: WeirOptions) {
    this.#options = options
    this.url = `http://127.0.0.1:${this.#port}`
  }

  /** Undefined when it doesn't run. */
  get pid(): number | undefined {
    return this.exit === null ? this.#process?.child.pid : undefined
  }

  get output(): string {
    return this.#process?.output() ?? ''
  }

  /** How it ended, if it has. */
  get exit(): number | string | null {
    const child = this.#process?.child
    return child?.signalCode ?? child?.exitCode ?? null
  }

  /** Starts it, unless it runs. */
  start(): void {
    if (this.#process !== undefined && this.exit === null) return
    const { dataDir, environment, withoutSync } = this.#options
    this.#process = spawnWeir({
      DATA_DIR: dataDir,
      PORT: String(this.#port),
      SILENCE_MS: '3000',
      ...(withoutSync === true ? { BUN_OPTIONS: `--preload ${WITHOUT_SYNC}` } : {}),
      ...environment,
    })
  }

  /** @returns whether it serves and everything has started; false when it has ended instead */
  async ready(): Promise<boolean> {
    return until(
      `Weir is ready; its output: ${this.output}`,
      async () => {
        if (this.exit !== null) return 'ended'
        const response = await fetch(`${this.url}/readyz`).catch(() => undefined)
        return response?.ok === true && 'ready'
      },
      60_000,
    ).then((how) => how === 'ready')
  }

  /** Stops everything of it in its tracks. */
  stop(): void {
    this.#pids = stopTree(this.pid as number)
  }

  /** Kills everything of it. */
  async kill(): Promise<void> {
    if (this.#process === undefined) return
    const pids = new Set([...this.#pids, ...(this.pid === undefined ? [] : treeOf(this.pid))])
    await killAll([...pids])
    await this.#process.child.exited
    this.#record()
    this.#pids = []
    this.#process = undefined
  }

  /** Ends it in order. @returns its exit code */
  async close(): Promise<number> {
    const weir = this.#process as WeirProcess
    weir.child.kill('SIGTERM')
    const { code } = await weir.ended()
    this.#record()
    this.#process = undefined
    return code
  }

  #record(): void {
    const { logFile } = this.#options
    if (logFile !== undefined) appendFileSync(logFile, `${this.output}\n--- end of a Weir ---\n`)
  }
}
