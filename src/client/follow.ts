import { EventSource } from 'eventsource'
import type { Fetch, WeirClient } from './client.ts'
import { UnreachableError, WeirError } from './errors.ts'

const SILENCE_MS = 40_000
/** Messages buffered for a slow reader. Beyond it the connection is closed, and resumed once they are read. */
const MAX_WAITING = 1_000
/** Wait after a temporary error response, in milliseconds. */
const REFUSED_WAIT_MS = 2_000
/** Temporary statuses: a proxy in front of a restarting Weir, or a Weir that is starting. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504])

export type LiveMessage =
  /** One entry as JSON text, so that numbers keep their digits. */
  | { kind: 'entry'; seq: number; json: string }
  /** Entries that are no longer available, as JSON text; it continues after `seq`. */
  | { kind: 'gap'; seq: number; json: string }
  | { kind: 'away' }
  | { kind: 'back' }

export interface FollowOptions {
  /** The last known entry; 0 for all entries. */
  after: number
  /** Ends the iteration. */
  signal: AbortSignal
  /** Longest silence of a connection, in milliseconds. Default 40,000: Weir sends a heartbeat every 15 s. */
  silenceMs?: number
}

/**
 * The entries of a stream as they are stored, each once and in order, across reconnects.
 * @throws WeirError for a permanent error: no such stream, no token
 */
export async function* followEntries(
  client: WeirClient,
  streamId: string,
  options: FollowOptions,
): AsyncGenerator<LiveMessage> {
  let last = options.after
  let isAway = false
  while (!options.signal.aborted) {
    const connection = new Connection(client, streamId, { ...options, after: last })
    try {
      for await (const message of connection) {
        if (message.kind === 'away' || message.kind === 'back') {
          if (isAway === (message.kind === 'away')) continue
          isAway = !isAway
        } else {
          if (message.kind === 'entry' && message.seq <= last) continue
          last = message.seq
        }
        yield message
      }
    } finally {
      connection.close()
    }
  }
}

/** One EventSource with its queue of messages, until it is closed. */
class Connection implements AsyncIterable<LiveMessage> {
  readonly #source: EventSource
  readonly #waiting: LiveMessage[] = []
  readonly #signal: AbortSignal
  readonly #silenceMs: number
  #silence: Timer | undefined
  /** Its reconnect timers don't keep the process alive; this does. */
  readonly #alive = setInterval(() => {}, 60_000)
  readonly #abort = () => this.close()
  #refusal: WeirError | undefined
  #isClosed = false
  /** Wait after the messages are read, before the next connection. */
  #waitMs = 0
  #wake: () => void = () => {}

  constructor(
    client: WeirClient,
    streamId: string,
    { after, signal, silenceMs = SILENCE_MS }: FollowOptions,
  ) {
    this.#signal = signal
    this.#silenceMs = silenceMs
    signal.addEventListener('abort', this.#abort, { once: true })
    const fetch = this.#fetching(client, after)
    this.#source = new EventSource(`${client.url}/api/streams/${streamId}/events`, { fetch: fetch as never })
    this.#source.addEventListener('open', () => this.#push({ kind: 'back' }))
    this.#source.addEventListener('entry', ({ data, lastEventId }) =>
      this.#push({ kind: 'entry', seq: Number(lastEventId), json: data }),
    )
    this.#source.addEventListener('gap', ({ data, lastEventId }) =>
      this.#push({ kind: 'gap', seq: Number(lastEventId), json: data }),
    )
    this.#source.addEventListener('error', () => this.#failed())
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveMessage> {
    for (;;) {
      const message = this.#waiting.shift()
      if (this.#signal.aborted) return
      if (message !== undefined) yield message
      else if (this.#isClosed) break
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    if (this.#refusal !== undefined) throw this.#refusal
    if (this.#waitMs > 0) await pause(this.#waitMs, this.#signal)
  }

  close(): void {
    this.#isClosed = true
    this.#source.close()
    clearInterval(this.#alive)
    clearTimeout(this.#silence)
    this.#signal.removeEventListener('abort', this.#abort)
    this.#wake()
  }

  #push(message: LiveMessage): void {
    this.#waiting.push(message)
    if (this.#waiting.length >= MAX_WAITING) this.close()
    this.#wake()
  }

  #failed(): void {
    this.#push({ kind: 'away' })
    if (this.#source.readyState !== this.#source.CLOSED) return
    this.#waitMs = REFUSED_WAIT_MS
    this.close()
  }

  /** Adds what the package lacks: the token, the resume position, and a limit on silence. */
  #fetching(client: WeirClient, after: number): Fetch {
    return async (input, init) => {
      const given = new Headers(init?.headers)
      const headers: Record<string, string> = Object.fromEntries(given)
      headers['last-event-id'] ??= String(after)
      const silence = new AbortController()
      const signal = AbortSignal.any([silence.signal, ...(init?.signal ? [init.signal] : [])])
      const path = String(input).slice(client.url.length)
      try {
        return this.#watched(await client.open(path, { headers, signal }), silence)
      } catch (error) {
        if (error instanceof UnreachableError) throw error.cause
        if (!(error instanceof WeirError)) throw error
        if (!PASSING.has(error.status)) this.#refusal = error
        // Any status but 200 closes the source, which reads nothing else of the response.
        return new Response(null, { status: 500 })
      }
    }
  }

  /** The response, ended with an error after too long without a byte. */
  #watched(response: Response, silence: AbortController): Response {
    const heard = () => {
      clearTimeout(this.#silence)
      if (!this.#isClosed)
        this.#silence = setTimeout(() => silence.abort(new Error('silent')), this.#silenceMs)
    }
    heard()
    const listen = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        heard()
        controller.enqueue(chunk)
      },
    })
    return new Response(response.body?.pipeThrough(listen), response)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
