import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SseFaults } from '../../../src/sim/faults/faults.ts'
import type { Action } from '../../../src/sim/service/readers.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../ports.ts'
import { type Mishap, Program } from '../program.ts'
import { isPolled, newestOf, type Source, sources } from './content.ts'
import { type Journal, readJournal } from './journal.ts'

/** Longest wait for the upstream to do what it is told, in milliseconds: it may be frozen. */
const CONTROL_MS = 15_000
/** From the order to make no more numbers to when it takes effect, in milliseconds. */
const HUSH_NOTICE_MS = 1_000

/** Something done once to the connections that are open, or faults for a while. */
export type Misbehavior = Action | SseFaults

/** The driver's handle on the upstream process. */
export class UpstreamProcess {
  readonly program: Program
  /** Those that streams follow. */
  readonly followed: readonly Source[]
  /** The one that is read through the proxy alone. */
  readonly proxied: Source
  readonly #journal: string
  /** When every source began to count, in milliseconds since the epoch. */
  readonly startedAt = Date.now()
  readonly #firstPort: number
  #hushedAt = Number.POSITIVE_INFINITY

  constructor(directory: string, count: number, mishap: (mishap: Mishap) => void, logFile?: string) {
    const all = sources(count)
    this.followed = all.filter(({ behavior }) => behavior !== 'proxied')
    this.proxied = all.find(({ behavior }) => behavior === 'proxied') as Source
    this.#journal = join(directory, 'sent')
    this.#firstPort = freePorts(count)
    const main = join(import.meta.dir, 'main.ts')
    this.program = new Program({
      name: 'upstream',
      command: () => ['bun', main, ...[this.#firstPort, this.startedAt, count].map(String), this.#journal],
      ready: /the upstream runs/,
      mishap,
      logFile,
    })
  }

  async start(): Promise<void> {
    await this.program.start()
  }

  urlOf(source: Source): string {
    return this.#base(source) + (isPolled(source) ? '/feed' : '/events')
  }

  /** Misbehaves on every `every`th source, from `offset`; what lasts is over when this returns. */
  async misbehave(how: Misbehavior, every: number, offset: number, forMs: number): Promise<void> {
    const chosen = [...this.followed, this.proxied].filter(({ index }) => (index + offset) % every === 0)
    const order = (path: string, method: string, body: object) =>
      Promise.all(chosen.map((source) => this.#ask(source, path, { method, body: JSON.stringify(body) })))
    if (typeof how === 'string') {
      await order('/faults/actions', 'POST', { action: how })
      return
    }
    await order('/faults', 'PUT', { sse: how })
    await Bun.sleep(forMs)
    await order('/faults', 'PUT', {})
  }

  /** The newest number of a source. */
  newest(source: Source): number {
    return newestOf(source, this.startedAt, Math.min(Date.now(), this.#hushedAt))
  }

  /** Connections that it has open for event streams. */
  async open(): Promise<number> {
    const states = await Promise.all(this.followed.map((source) => this.#ask(source, '/health')))
    return states.reduce((sum, { readers = 0 }) => sum + readers, 0)
  }

  /** Makes no more numbers, only heartbeats. */
  async hush(): Promise<void> {
    this.#hushedAt = Date.now() + HUSH_NOTICE_MS
    writeFileSync(`${this.#journal}.hushing`, String(this.#hushedAt))
    renameSync(`${this.#journal}.hushing`, `${this.#journal}.hush`)
    await Bun.sleep(HUSH_NOTICE_MS)
  }

  /** What it did so far. */
  journal(): Journal {
    return readJournal(readFileSync(this.#journal, 'utf8'))
  }

  #base({ index }: Source): string {
    return `http://127.0.0.1:${this.#firstPort + index}`
  }

  async #ask(source: Source, path: string, init: RequestInit = {}): Promise<{ readers?: number }> {
    // A connection kept open to a process that was killed since fails at its next use: the next one is new.
    const response = await until('the upstream answers', () =>
      fetch(this.#base(source) + path, { ...init, signal: AbortSignal.timeout(CONTROL_MS) }).catch(
        () => undefined,
      ),
    )
    if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
    return response.json() as Promise<{ readers?: number }>
  }
}
