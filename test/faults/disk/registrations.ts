import { until } from '../../support/until.ts'

/** Time between two registrations, in milliseconds. */
const EVERY_MS = 100
const ANSWER_MS = 10_000

/** Registers streams and removes some, one after the other, and remembers what was acknowledged. */
export class Registrations {
  /** Acknowledged, by ID, with whether the stream is there. */
  readonly #known = new Map<string, boolean>()
  readonly #url: string
  #isRunning = true
  #done: Promise<void> | undefined

  constructor(url: string) {
    this.#url = url
  }

  get count(): number {
    return this.#known.size
  }

  start(): void {
    this.#done = this.#run()
  }

  async close(): Promise<void> {
    this.#isRunning = false
    await this.#done
  }

  /** What was acknowledged, and isn't so. */
  async missing(): Promise<string[]> {
    const known = new Map(this.#known)
    const there = new Set(await this.#listed())
    return [...known].flatMap(([id, exists]) => {
      if (there.has(id) === exists) return []
      return exists
        ? `API: stream ${id} was registered, and is gone`
        : `API: stream ${id} was removed, and is back`
    })
  }

  async #run(): Promise<void> {
    for (let count = 0; this.#isRunning; count++) {
      const registration = { name: `kept ${count}`, url: 'http://127.0.0.1:9/', kind: 'poll', start: false }
      const answer = await this.#ask('/api/streams', { method: 'POST', body: JSON.stringify(registration) })
      const { id } = ((await answer?.json().catch(() => undefined)) ?? {}) as { id?: string }
      if (id !== undefined && answer?.ok) {
        this.#known.set(id, true)
        if (count % 3 === 0) await this.#remove(id)
      }
      await Bun.sleep(EVERY_MS)
    }
  }

  /** Until the answer is known, the stream may be there or not. */
  async #remove(id: string): Promise<void> {
    this.#known.delete(id)
    const answer = await this.#ask(`/api/streams/${id}`, { method: 'DELETE' })
    if (answer?.ok) this.#known.set(id, false)
  }

  async #listed(): Promise<string[]> {
    const response = await until('the streams are listed', () =>
      this.#ask('/api/streams/export?format=ndjson'),
    )
    return (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { id: string }).id)
  }

  #ask(path: string, init: RequestInit = {}): Promise<Response | undefined> {
    return fetch(this.#url + path, { ...init, signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => undefined)
  }
}
