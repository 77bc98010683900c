import { createHmac } from 'node:crypto'
import { Problem } from '../errors.ts'
import { siteOf } from '../limits/address.ts'
import { type SharedCounts, script } from '../limits/shared-counts.ts'

/** Different wrong secrets that an address may send within … */
const MAX_GUESSES = 10
/** … this time, counted from the first; then it waits for the rest, in milliseconds. */
const WINDOW_MS = 15 * 60_000
/** Maximum number of addresses remembered; beyond it, the oldest is forgotten. */
const MAX_ADDRESSES = 10_000
/** An address that just sent the right secret isn't asked about again for this long, in milliseconds. */
const TRUSTED_MS = 1_000

/** Adds a wrong secret, or none, to those of an address. Returns how long it must wait, in milliseconds. */
const COUNT = script(`
local most, window, digest = tonumber(ARGV[1]), ARGV[2], ARGV[3]
if redis.call('SCARD', KEYS[1]) >= most then return math.max(1, redis.call('PTTL', KEYS[1])) end
if digest ~= '' and redis.call('SADD', KEYS[1], digest) == 1 and redis.call('SCARD', KEYS[1]) == 1 then
  redis.call('PEXPIRE', KEYS[1], window)
end
return 0`)

interface Guessing {
  /** Digests of the secrets: sending one again isn't a new guess, so a program with an old token locks nobody out. */
  digests: Set<string>
  untilMs: number
  /** Whether it has to wait because of what it sent to other processes. */
  isElsewhere: boolean
}

export interface GuessesOptions {
  now(): number
  /** Counts shared by all processes; omitted: this process counts on its own. */
  shared?: SharedCounts | undefined
  /**
   * Key for the digests of wrong secrets, which may be almost right: without it, anyone who reads Redis could try
   * candidates against them.
   */
  pepper: string
}

/** Counts wrong secrets by the address they come from. */
export class Guesses {
  readonly #options: GuessesOptions
  readonly #byAddress = new Map<string, Guessing>()
  /** When an address last sent the right secret, in chronological order. */
  readonly #proven = new Map<string, number>()

  constructor(options: GuessesOptions) {
    this.#options = options
  }

  /** @returns how long an address must wait, as far as this process knows, in milliseconds; 0: not at all */
  waitMs(address: string): number {
    const site = siteOf(address)
    const guessing = this.#byAddress.get(site)
    if (guessing === undefined) return 0
    const waitMs = guessing.untilMs - this.#options.now()
    if (waitMs <= 0) this.#byAddress.delete(site)
    return waitMs > 0 && (guessing.isElsewhere || guessing.digests.size >= MAX_GUESSES) ? waitMs : 0
  }

  /**
   * Counts an attempt, and decides whether it may succeed. Reading this process's own count and adding to it is one
   * step, so that simultaneous attempts don't all pass.
   * @returns how long the address must wait before it may try another secret, in milliseconds; 0: not at all
   * @throws Problem `unavailable` if the attempts at other processes can't be counted
   */
  async count(address: string, secret: string, isRight: boolean): Promise<number> {
    const waitMs = this.waitMs(address)
    if (waitMs > 0) return waitMs
    const site = siteOf(address)
    const digest = createHmac('sha256', this.#options.pepper).update(secret).digest('base64url')
    if (!isRight) this.#guessing(site).digests.add(digest)
    const { shared } = this.#options
    return shared === undefined ? 0 : this.#countShared(shared, site, isRight ? '' : digest)
  }

  /** @param digest of a wrong secret; empty: it was right */
  async #countShared(shared: SharedCounts, site: string, digest: string): Promise<number> {
    const now = this.#options.now()
    const provenMs = now - (this.#proven.get(site) ?? Number.NEGATIVE_INFINITY)
    if (digest === '' && provenMs < TRUSTED_MS) return 0
    const waitMs = await shared.run(COUNT, [`guesses:${site}`], [MAX_GUESSES, WINDOW_MS, digest])
    if (typeof waitMs !== 'number') {
      // Without the shared count, only an address that sent the right secret before is accepted.
      if (provenMs < WINDOW_MS) return 0
      throw new Problem('unavailable', "Can't count sign-in attempts: Redis doesn't respond. Try again.")
    }
    if (waitMs > 0) {
      Object.assign(this.#guessing(site), { untilMs: now + waitMs, isElsewhere: true })
      this.#proven.delete(site)
    } else if (digest === '') {
      this.#proven.delete(site)
      this.#proven.set(site, now)
      forgetOldest(this.#proven)
    }
    return waitMs
  }

  #guessing(site: string): Guessing {
    const known = this.#byAddress.get(site)
    if (known !== undefined) return known
    const guessing = {
      digests: new Set<string>(),
      untilMs: this.#options.now() + WINDOW_MS,
      isElsewhere: false,
    }
    this.#byAddress.set(site, guessing)
    forgetOldest(this.#byAddress)
    return guessing
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (map.size > MAX_ADDRESSES && oldest !== undefined) map.delete(oldest)
}
