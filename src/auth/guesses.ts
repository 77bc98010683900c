import { siteOf } from '../limits/address.ts'
import { digestOf } from './secrets.ts'

/** Different wrong secrets that an address may send within … */
const MAX_GUESSES = 10
/** … this time, counted from the first; then it waits for the rest, in milliseconds. */
const WINDOW_MS = 15 * 60_000
/** Most addresses remembered; beyond it, the oldest is forgotten. */
const MAX_ADDRESSES = 10_000

interface Guessing {
  /** Digests of the secrets: sending one again isn't a new guess, so a program with an old token locks nobody out. */
  digests: Set<string>
  untilMs: number
}

/** Counts wrong secrets by the address they come from. */
export class Guesses {
  readonly #byAddress = new Map<string, Guessing>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @returns how long an address must wait before it may try another secret, in milliseconds; 0: not at all */
  waitMs(address: string): number {
    const guessing = this.#current(siteOf(address))
    if (guessing === undefined || guessing.digests.size < MAX_GUESSES) return 0
    return guessing.untilMs - this.#now()
  }

  /** Called with each wrong secret. */
  wrong(address: string, secret: string): void {
    const site = siteOf(address)
    const guessing = this.#current(site) ?? { digests: new Set(), untilMs: this.#now() + WINDOW_MS }
    if (guessing.digests.size < MAX_GUESSES) guessing.digests.add(digestOf(secret))
    this.#byAddress.set(site, guessing)
    const [oldest] = this.#byAddress.keys()
    if (this.#byAddress.size > MAX_ADDRESSES && oldest !== undefined) this.#byAddress.delete(oldest)
  }

  #current(site: string): Guessing | undefined {
    const guessing = this.#byAddress.get(site)
    if (guessing === undefined || guessing.untilMs > this.#now()) return guessing
    this.#byAddress.delete(site)
    return undefined
  }
}
