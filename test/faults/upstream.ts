import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { type Source, sources } from './content.ts'
import { type Mishap, Program } from './program.ts'

/** Longest wait for the upstream to do what it is told, in milliseconds: it may be frozen. */
const CONTROL_MS = 15_000

export type Misbehaviour = 'drop' | 'end' | 'cut' | 'stall'

/** Every number of a source that was written to a connected socket, with the instants when it was. */
export type Sent = Map<number, number[]>

/** What the upstream says of itself. */
interface State {
  newest: number
  open: number
}

/** The driver's handle on the upstream process. */
export class UpstreamProcess {
  readonly program: Program
  readonly sources: readonly Source[]
  readonly #journal: string
  readonly #startedAt = Date.now()
  #port = 0

  constructor(directory: string, count: number, mishap: (mishap: Mishap) => void, logFile?: string) {
    this.sources = sources(count)
    this.#journal = join(directory, 'sent')
    const main = join(import.meta.dir, 'upstream-main.ts')
    this.program = new Program({
      name: 'upstream',
      command: () => ['bun', main, ...[this.#port, this.#startedAt, count].map(String), this.#journal],
      ready: /listening on (\d+)/,
      mishap,
      logFile,
    })
  }

  async start(): Promise<void> {
    this.#port = Number((await this.program.start())[1])
  }

  urlOf({ name }: Source): string {
    return `http://127.0.0.1:${this.#port}/${name}`
  }

  /** Misbehaves on the connections of every `every`th source, from `offset`. */
  async misbehave(how: Misbehaviour, every: number, offset: number, forMs: number): Promise<void> {
    await this.#control(how, { every, offset, forMs })
  }

  /** @returns the newest number of every source */
  async newest(): Promise<number> {
    return (await this.#control('state')).newest
  }

  /** Connections that it has open for event streams. */
  async open(): Promise<number> {
    return (await this.#control('state')).open
  }

  /** Makes no more numbers, only heartbeats. */
  async hush(): Promise<number> {
    return (await this.#control('hush')).newest
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

  async #control(verb: string, query: Record<string, number> = {}): Promise<State> {
    const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
    const url = `http://127.0.0.1:${this.#port}/control/${verb}?${search}`
    // A connection kept open to a process that was killed since fails at its next use: the next one is new.
    const response = await until('the upstream answers', () =>
      fetch(url, { method: 'POST', signal: AbortSignal.timeout(CONTROL_MS) }).catch(() => undefined),
    )
    return response.json() as Promise<State>
  }
}
