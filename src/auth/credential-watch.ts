import type { Bus, Subscription } from '../bus/bus.ts'
import { causeOf } from '../errors.ts'
import type { Keys } from './keys.ts'
import type { Sessions } from './sessions.ts'

/** How often subscribers' credentials are checked again, in milliseconds: another process may have revoked them. */
const EVERY_MS = 2_000
const KEY = 'key:'
const SESSION = 'session:'

/** Open connections by key and session. */
export interface Subscribers {
  /** As {@link Admission.credential} has them. */
  readonly credentials: readonly string[]
  endCredential(credential: string): void
}

export interface CredentialWatchDeps {
  keys: Pick<Keys, 'stillValid'>
  sessions: Pick<Sessions, 'stillValid'>
  subscribers: Subscribers
  bus: Bus
  warn(message: string, error?: unknown): void
  everyMs?: number
}

/** Ends the event streams of revoked or expired keys and sessions, whichever process revoked them. */
export class CredentialWatch {
  readonly #deps: CredentialWatchDeps
  readonly #timer: Timer
  readonly #subscription: Subscription
  #checking: Promise<void> | undefined

  constructor(deps: CredentialWatchDeps) {
    this.#deps = deps
    this.#timer = setInterval(() => void this.check(), deps.everyMs ?? EVERY_MS)
    this.#timer.unref()
    const check = () => void this.check()
    this.#subscription = deps.bus.subscribe('The watch of credentials', {
      'key.updated': check,
      'session.ended': check,
      'relay.restored': check,
    })
  }

  /** Checks now, unless a check is already running. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#subscription.end()
    await this.#checking
  }

  async #check(): Promise<void> {
    const { keys, sessions, subscribers, warn } = this.#deps
    const held = subscribers.credentials
    const named = (prefix: string) =>
      held.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length))
    const [ids, digests] = [named(KEY), named(SESSION)]
    if (ids.length === 0 && digests.length === 0) return
    try {
      const [validIds, validDigests] = await Promise.all([keys.stillValid(ids), sessions.stillValid(digests)])
      for (const id of ids) if (!validIds.has(id)) subscribers.endCredential(KEY + id)
      for (const digest of digests) if (!validDigests.has(digest)) subscribers.endCredential(SESSION + digest)
    } catch (error) {
      // A database outage revokes no access; nothing new can be read from the database meanwhile, either.
      warn(`Can't check whether keys are still valid: ${causeOf(error)}`)
    }
  }
}
