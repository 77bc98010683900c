import { waitUntil } from './wait.ts'

/** Concurrent requests to one host from this process; further ones wait. */
const REQUESTS_PER_HOST = 100
/** After a pause that a host asked for, its streams resume spread over this long, in milliseconds. */
const SPREAD_MS = 2_000

interface Host {
  active: number
  waiting: (() => void)[]
  /** No requests before this time, in milliseconds since the epoch: a `Retry-After` applies to all its streams. */
  notBefore: number
  /** How long that pause is: a clock that is set back doesn't make it longer. */
  pauseMs: number
}

/**
 * Protects hosts: limits the concurrent requests to each, and pauses all streams of a host that asked one of them to
 * wait.
 */
export class Hosts {
  readonly #hosts = new Map<string, Host>()
  readonly #now: () => number
  readonly #random: () => number

  constructor(now: () => number = Date.now, random: () => number = Math.random) {
    this.#now = now
    this.#random = random
  }

  /**
   * Waits for the host's pause to end and for a free slot.
   * @param paused called if there is a pause, with its end in milliseconds since the epoch
   * @returns a function that releases the slot; call it once, when the request is done
   * @throws the signal's reason when it aborts first
   */
  async enter(url: string, signal: AbortSignal, paused?: (until: number) => void): Promise<() => void> {
    const name = new URL(url).host
    let waitedFor = 0
    for (;;) {
      waitedFor = await this.#whilePaused(this.#host(name), waitedFor, signal, paused)
      signal.throwIfAborted()
      const host = this.#host(name)
      if (host.active >= REQUESTS_PER_HOST) await this.#queue(host, signal)
      else host.active++
      if (!this.#isPaused(host, waitedFor)) return () => this.#leave(name, host)
      // It asked another stream to wait again, or to wait while this one was in line.
      this.#leave(name, host)
    }
  }

  /** Pauses every stream of the host: it asked one of them to wait. */
  pause(url: string, forMs: number): void {
    const host = this.#host(new URL(url).host)
    const until = this.#now() + forMs
    if (until <= host.notBefore) return
    host.notBefore = until
    host.pauseMs = forMs
  }

  /** Waits for the end of the host's pause, if there is one that it hasn't waited for. @returns which one that was */
  async #whilePaused(
    host: Host,
    waitedFor: number,
    signal: AbortSignal,
    paused?: (until: number) => void,
  ): Promise<number> {
    if (!this.#isPaused(host, waitedFor)) return waitedFor
    const { notBefore, pauseMs } = host
    const until = Math.min(notBefore, this.#now() + pauseMs)
    paused?.(until)
    await waitUntil(until + this.#random() * SPREAD_MS, signal, this.#now)
    return notBefore
  }

  /** A pause that is over doesn't begin again when the clock is set back. */
  #isPaused({ notBefore }: Host, waitedFor: number): boolean {
    return notBefore > this.#now() && notBefore !== waitedFor
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const host: Host = { active: 0, waiting: [], notBefore: 0, pauseMs: 0 }
    this.#hosts.set(name, host)
    return host
  }

  #queue(host: Host, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        host.waiting.splice(host.waiting.indexOf(go), 1)
        reject(signal.reason)
      }
      host.waiting.push(go)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  #leave(name: string, host: Host): void {
    // The slot goes directly to the next in line, so the count stays the same.
    const next = host.waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    host.active--
    if (host.active === 0 && host.notBefore <= this.#now()) this.#hosts.delete(name)
  }
}
