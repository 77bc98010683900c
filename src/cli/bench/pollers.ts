import { gunzipSync } from 'node:zlib'
import { BenchError } from '../command.ts'
import type { PollWay } from './protocol.ts'
import { fingerprint } from './recording.ts'

export interface PollersOptions {
  url: string
  way: PollWay
  clients: number
  /** Polls of each client. */
  polls: number
  /** The document that each client must have in the end. */
  last: string
  signal: AbortSignal
}

export interface Polled {
  notModified: number
  /** Bodies as received. */
  bodyBytes: number
}

/**
 * Sends all polls of all clients: one of each client at a time.
 * @throws BenchError if a client isn't answered, or ends with another document
 */
export async function poll({ clients, polls, last, ...options }: PollersOptions): Promise<Polled> {
  const pollers = Array.from({ length: clients }, () => new Poller(options))
  for (let round = 0; round < polls; round++) await Promise.all(pollers.map((poller) => poller.poll()))
  const wanted = fingerprint(last)
  if (pollers.some((poller) => poller.fingerprint() !== wanted)) {
    throw new BenchError('bench_failed', `A client that polled (${options.way}) ended with another document.`)
  }
  return {
    notModified: pollers.reduce((sum, { notModified }) => sum + notModified, 0),
    bodyBytes: pollers.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
  }
}

async function ask(url: string, init: BunFetchRequestInit) {
  try {
    const response = await fetch(url, init)
    return { response, body: await response.bytes() }
  } catch (error) {
    throw new BenchError('bench_failed', `The polling server doesn't respond: ${(error as Error).message}`)
  }
}

class Poller {
  notModified = 0
  bodyBytes = 0
  readonly #options: Pick<PollersOptions, 'url' | 'way' | 'signal'>
  #body: Uint8Array = new Uint8Array()
  #etag: string | null = null

  constructor(options: Pick<PollersOptions, 'url' | 'way' | 'signal'>) {
    this.#options = options
  }

  async poll(): Promise<void> {
    const { url, way, signal } = this.#options
    const headers: Record<string, string> = { 'Accept-Encoding': way === 'plain' ? 'identity' : 'gzip' }
    if (this.#etag !== null) headers['If-None-Match'] = this.#etag
    const { response, body } = await ask(url, { headers, signal, decompress: false })
    this.bodyBytes += body.byteLength
    if (response.status === 304) {
      this.notModified++
      return
    }
    if (!response.ok) throw new BenchError('bench_failed', `The polling server responded ${response.status}.`)
    this.#body = body
    this.#etag = response.headers.get('etag')
  }

  fingerprint(): string {
    return fingerprint(this.#options.way === 'plain' ? this.#body : gunzipSync(this.#body))
  }
}
