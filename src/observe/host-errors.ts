import { HOUR_MS } from '../core/time.ts'
import type { Sample } from './metrics.ts'

/** Hosts with their own series; further ones are counted together as `other`. */
const MAX_HOSTS = 50
/** A host without an error for this long, in milliseconds, may be replaced by another. */
const STALE_MS = HOUR_MS
const OTHER = 'other'

interface Host {
  /** By error code. */
  counts: Map<string, number>
  lastAt: number
}

/**
 * Upstream errors by host, for a bounded number of hosts. A replaced host takes its series with it; the remaining
 * ones only ever grow, so that rates are correct.
 */
export class HostErrors {
  readonly #hosts = new Map<string, Host>()
  readonly #other: Host = { counts: new Map(), lastAt: 0 }
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  add(host: string, code: string): void {
    const at = this.#now()
    const { counts } = this.#of(host, at)
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }

  *samples(): Iterable<Sample> {
    for (const [host, { counts }] of [...this.#hosts, [OTHER, this.#other] as const]) {
      for (const [code, value] of counts) yield { labels: { host, code }, value }
    }
  }

  #of(name: string, at: number): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) {
      known.lastAt = at
      return known
    }
    if (this.#hosts.size >= MAX_HOSTS && !this.#makeRoom(at)) return this.#other
    const host = { counts: new Map<string, number>(), lastAt: at }
    this.#hosts.set(name, host)
    return host
  }

  #makeRoom(at: number): boolean {
    for (const [name, { lastAt }] of this.#hosts) {
      if (at - lastAt > STALE_MS) return this.#hosts.delete(name)
    }
    return false
  }
}
