import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SseFaults } from '../../src/sim/faults/faults.ts'
import type { Action } from '../../src/sim/service/readers.ts'
import { until } from '../support/until.ts'
import { newestOfAll, type Source, sources } from './content.ts'
import { freePorts } from './ports.ts'
import { type Mishap, Program } from './program.ts'

/** Longest wait for the upstream to do what it is told, in milliseconds: it may be frozen. */
const CONTROL_MS = 15_000
/** From the order to make no more numbers to when it takes effect, in milliseconds. */
const HUSH_NOTICE_MS = 1_000

/** Something done once to the connections that are open, or faults for a while. */
export type Misbehaviour = Action | SseFaults

/** Every number of a source that was written to a connected socket, with the instants when it was. */
export type Sent = Map<number, number[]>

/** The driver's handle on the upstream process. */
export class UpstreamProcess {
  readonly program: Program
  readonly sources: readonly Source[]
  readonly #journal: string
  readonly #startedAt = Date.now()
  readonly #firstPort: number
  #hushedAt = Number.POSITIVE_INFINITY

  constructor(directory: string, count: number, mishap: (mishap: Mishap) => void, logFile?: string) {
    this.sources = sources(count)
    this.#journal = join(directory, 'sent')
    this.#firstPort = freePorts(count)
    const main = join(import.meta.dir, 'upstream-main.ts')
    this.program = new Program({
      name: 'upstream',
      command: () => ['bun', main, ...[this.#firstPort, this.#startedAt, count].map(String), this.#journal],
      ready: /the upstream runs/,
      mishap,
      logFile,
    })
  }

  async start(): Promise<void> {
    await this.program.start()
  }

  urlOf(source: Source): string {
    return this.#base(source) + (source.behaviour === 'polled' ? '/feed' : '/events')
  }

  /** Misbehaves on every `every`th source, from `offset`; what lasts is over when this returns. */
  async misbehave(how: Misbehaviour, every: number, offset: number, forMs: number): Promise<void> {
    const chosen = this.sources.filter(({ index }) => (index + offset) % every === 0)
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

  /** The newest number of every source. */
  newest(): number {
    return newestOfAll(this.#startedAt, Math.min(Date.now(), this.#hushedAt))
  }

  /** Connections that it has open for event streams. */
  async open(): Promise<number> {
    const states = await Promise.all(this.sources.map((source) => this.#ask(source, '/health')))
    return states.reduce((sum, { readers = 0 }) => sum + readers, 0)
  }

  /** Makes no more numbers, only heartbeats. @returns the newest number of every source from then on */
  async hush(): Promise<number> {
    this.#hushedAt = Date.now() + HUSH_NOTICE_MS
    writeFileSync(`${this.#journal}.hushing`, String(this.#hushedAt))
    renameSync(`${this.#journal}.hushing`, `${this.#journal}.hush`)
    await Bun.sleep(HUSH_NOTICE_MS)
    return this.newest()
  }

  /** What was sent so far, by the index of its source. */
  sent(): Map<number, Sent> {
    const all = new Map<number, Sent>(this.sources.map(({ index }) => [index, new Map()]))
    for (const line of readFileSync(this.#journal, 'utf8').split('\n')) {
      const [index, number, at] = line.split(' ').map(Number) as [number, number, number]
      const sent = all.get(index)
      if (sent === undefined || at === undefined) continue
      const times = sent.get(number)
      if (times === undefined) sent.set(number, [at])
      else times.push(at)
    }
    return all
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
