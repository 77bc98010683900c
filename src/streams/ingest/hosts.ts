import { waitUntil } from './wait.ts'

/** Requests to one host that are on their way at a time, from this process; further ones wait their turn. */
const REQUESTS_PER_HOST = 100
/** After a pause that a host asked for, its streams come back over this long, in milliseconds, not all at once. */
const SPREAD_MS = 2_000

interface Host {
  active: number
  waiting: (() => void)[]
  /** Not before this instant, milliseconds since the epoch: a `Retry-After` that holds for all its streams. */
  notBefore: number
}

/** How gently this process treats each host: a bound on what is under way, and pauses that one stream was told. */
export class Hosts {
  readonly #hosts = new Map<string, Host>()
  readonly #now: () => number
  readonly #random: () => number

  constructor(now: () => number = Date.now, random: () => number = Math.random) {
    this.#now = now
    this.#random = random
  }

  /**
   * Waits for the host's pause to end and for a place.
   * @returns gives the place back; call it once, when the request is done
   * @throws the signal's reason when it aborts first
   */
  async enter(url: string, signal: AbortSignal): Promise<() => void> {
    const name = new URL(url).host
    const host = this.#host(name)
    if (host.notBefore > this.#now()) {
      await waitUntil(host.notBefore + this.#random() * SPREAD_MS, signal, this.#now)
      signal.throwIfAborted()
    }
    if (host.active >= REQUESTS_PER_HOST) await this.#queue(host, signal)
    else host.active++
    return () => this.#leave(name, host)
  }

  /** Keeps every stream of the host away for a while: it told one of them so. */
  pause(url: string, forMs: number): void {
    const host = this.#host(new URL(url).host)
    host.notBefore = Math.max(host.notBefore, this.#now() + forMs)
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
    // A place goes straight to the next in line: the number of places taken stays as it is.
    const next = host.waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    host.active--
    if (host.active === 0 && host.notBefore <= this.#now()) this.#hosts.delete(name)
  }
}
