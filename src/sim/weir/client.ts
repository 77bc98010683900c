import { isObject, parseJson, readText } from '../service/body.ts'
import type { World } from '../world.ts'

/** Reports are only worth sending while they are fresh. */
export const REPORT_TIMEOUT_MS = 1_000
/** The largest answer that is read. */
const MAX_ANSWER_BYTES = 1_048_576

export interface WeirClientOptions {
  /** The web program's URL without a slash at its end, e.g. `http://127.0.0.1:3000`. */
  web: string
  /** Sent as a bearer token with every request. */
  token: string | undefined
  world: World
  /** Ends every request when it aborts. */
  closing: AbortSignal
}

export interface WeirAnswer {
  status: number
  /** The parsed body; undefined when it isn't JSON or is too large. */
  json: unknown
}

/** Speaks to the web program, and says once, not every time, that it can't be reached. */
export class WeirClient {
  readonly web: string
  readonly #options: WeirClientOptions
  readonly #refused = new Set<string>()
  #away = false

  constructor(options: WeirClientOptions) {
    this.web = options.web
    this.#options = options
  }

  get(path: string, timeoutMs: number): Promise<WeirAnswer | undefined> {
    return this.#send('GET', path, undefined, timeoutMs)
  }

  /** Posts JSON. The answer of any status, or `undefined` when none came in time. */
  post(path: string, body: object, timeoutMs: number): Promise<WeirAnswer | undefined> {
    return this.#send('POST', path, JSON.stringify(body), timeoutMs)
  }

  /** Posts a report; whether the web program took it. Says once for each path and status that it refuses. */
  async report(path: string, body: object): Promise<boolean> {
    const answer = await this.post(path, body, REPORT_TIMEOUT_MS)
    if (answer === undefined) return false
    if (answer.status < 300) return true
    const refusal = `${answer.status} ${path}`
    if (!this.#refused.has(refusal)) {
      this.#refused.add(refusal)
      this.#options.world.log(`${this.web}${path} refuses reports: ${describeProblem(answer)}`)
    }
    return false
  }

  async #send(
    method: string,
    path: string,
    body: string | undefined,
    timeoutMs: number,
  ): Promise<WeirAnswer | undefined> {
    const { token, world, closing } = this.#options
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (token !== undefined) headers.Authorization = `Bearer ${token}`
    try {
      const response = await world.fetch(this.web + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        // The token is for this address only.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), closing]),
      })
      const answer = {
        status: response.status,
        json: parseJson(await readText(response.body, MAX_ANSWER_BYTES)),
      }
      this.#reached(true)
      return answer
    } catch {
      if (!closing.aborted) this.#reached(false)
      return undefined
    }
  }

  #reached(reached: boolean): void {
    if (reached === !this.#away) return
    this.#away = !reached
    this.#options.world.log(
      reached
        ? `${this.web} answers again`
        : `${this.web} doesn't answer; the services go on without it, and it is tried again`,
    )
  }
}

/** What an RFC 9457 problem says to people, or the bare status. */
export function describeProblem({ status, json }: WeirAnswer): string {
  const { detail, title } = isObject(json) ? json : {}
  const words = [detail, title].find((text) => typeof text === 'string' && text !== '')
  return words === undefined ? `status ${status}` : `${words} (status ${status})`
}
