import type { LoggedEntry } from '../support/weir.ts'

/** What a stream's status says, as far as the driver reads it. */
export interface StreamStatus {
  status: string
  reason: string
  run: { worker: string; epoch: number } | null
}

/** Longest wait for one answer, in milliseconds. */
const ANSWER_MS = 20_000

/** Weir as its clients see it. */
export class Api {
  readonly #url: () => string

  constructor(url: () => string) {
    this.#url = url
  }

  async register(registration: Record<string, unknown>): Promise<string> {
    const response = await this.#ask('/api/streams', { method: 'POST', body: JSON.stringify(registration) })
    return ((await response.json()) as { id: string }).id
  }

  async status(id: string): Promise<StreamStatus> {
    return (await this.#ask(`/api/streams/${id}/status`)).json() as Promise<StreamStatus>
  }

  /** The newest entry of a few kinds. */
  async newest(id: string, kinds: string): Promise<LoggedEntry | undefined> {
    const response = await this.#ask(`/api/streams/${id}/logs?limit=1&kind=${kinds}`)
    return ((await response.json()) as { items: LoggedEntry[] }).items[0]
  }

  /** The whole log. */
  async log(id: string): Promise<LoggedEntry[]> {
    const headers = { Accept: 'application/x-ndjson' }
    const text = await (await this.#ask(`/api/streams/${id}/logs`, { headers })).text()
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoggedEntry)
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(this.#url() + path, { ...init, signal: AbortSignal.timeout(ANSWER_MS) })
    if (response.ok) return response
    throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
  }
}
