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
    for (;;) {
      await this.#whilePaused(name, signal, paused)
      signal.throwIfAborted()
      const host = this.#host(name)
      if (host.active >= REQUESTS_PER_HOST) await this.#queue(host, signal)
      else host.active++
      if (host.notBefore <= this.#now()) return () => this.#leave(name, host)
      // It asked another stream to wait again, or to wait while this one was in line.
      this.#leave(name, host)
    }
  }

  /** Pauses every stream of the host: it asked one of them to wait. */
  pause(url: string, forMs: number): void {
    const host = this.#host(new URL(url).host)
    host.notBefore = Math.max(host.notBefore, this.#now() + forMs)
  }

  /** Waits until the host's pause is over, if there is one. */
  async #whilePaused(name: string, signal: AbortSignal, paused?: (until: number) => void): Promise<void> {
    const { notBefore } = this.#host(name)
    if (notBefore <= this.#now()) return
    paused?.(notBefore)
    await waitUntil(notBefore + this.#random() * SPREAD_MS, signal, this.#now)
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const host: Host = { active: 0, waiting: [], notBefore: 0 }
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
