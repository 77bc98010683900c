import { and, eq, gt, inArray, lte } from 'drizzle-orm'
import { sessions } from '../../drizzle/schema.ts'
import type { Bus, Subscription } from '../bus/bus.ts'
import { DAY_MS } from '../core/time.ts'
import type { Database } from '../storage/storage.ts'
import { type Caller, OWNER } from './caller.ts'
import type { Keys } from './keys.ts'
import { Remembered } from './remembered.ts'
import { digestOf, isSameSecret, newSecret, proofOf, type RandomBytes } from './secrets.ts'

/** How long a browser stays signed in, in milliseconds. */
export const SESSION_MS = 7 * DAY_MS
/** How long a process caches a session, in milliseconds. */
const REMEMBER_MS = 3_000
const SHAPE = /^[\w-]{43}$/

export interface SessionsDeps {
  db: Database
  keys: Keys
  token: string | undefined
  now(): number
  random: RandomBytes
  bus: Bus
}

type Session = typeof sessions.$inferSelect

/** Signed-in browsers. They are stored in the database, so that each can be ended; publishes `session.ended`. */
export class Sessions {
  readonly #deps: SessionsDeps
  readonly #known: Remembered<Session>
  readonly #subscription: Subscription

  constructor(deps: SessionsDeps) {
    this.#deps = deps
    this.#known = new Remembered(REMEMBER_MS, deps.now)
    this.#subscription = deps.bus.subscribe('The sessions', {
      'session.ended': () => this.#known.forget(),
      'relay.restored': () => this.#known.forget(),
    })
  }

  /** @param keyId the key used to sign in; undefined: WEIR_TOKEN. @returns the value of the cookie */
  async begin(keyId: string | undefined): Promise<string> {
    const { db, token = '', now, random } = this.#deps
    const secret = newSecret(random)
    await db.insert(sessions).values({
      digest: digestOf(secret),
      keyId: keyId ?? null,
      tokenProof: keyId === undefined ? proofOf(secret, token) : null,
      createdAt: new Date(now()),
      expiresAt: new Date(now() + SESSION_MS),
    })
    this.#known.forget()
    return secret
  }

  /**
   * Whether it was a session when last looked up here, or can't be one: in both cases, checking it doesn't count as a
   * guess.
   */
  isProven(secret: string): boolean {
    return !SHAPE.test(secret) || this.#known.has(digestOf(secret))
  }

  /** Which of the sessions, by digest, are still valid, and the credentials that started them. */
  async stillValid(digests: readonly string[]): Promise<Set<string>> {
    const { db, keys, now } = this.#deps
    const found = await db
      .select({ digest: sessions.digest, keyId: sessions.keyId })
      .from(sessions)
      .where(and(inArray(sessions.digest, [...digests]), gt(sessions.expiresAt, new Date(now()))))
    const valid = await keys.stillValid(found.flatMap(({ keyId }) => keyId ?? []))
    const lasting = found.filter(({ keyId }) => keyId === null || valid.has(keyId))
    return new Set(lasting.map(({ digest }) => digest))
  }

  /** The caller, as long as the session and the credential that started it are valid. */
  async find(secret: string, address: string): Promise<Caller | undefined> {
    if (!SHAPE.test(secret)) return undefined
    const { db, keys, token, now } = this.#deps
    const digest = digestOf(secret)
    const session = await this.#known.get(digest, async () => {
      const [found] = await db.select().from(sessions).where(eq(sessions.digest, digest))
      return found
    })
    if (session === undefined || session.expiresAt.getTime() <= now()) return undefined
    if (session.keyId !== null) return keys.callerById(session.keyId, address)
    const { tokenProof } = session
    const isOwner =
      token !== undefined && tokenProof !== null && isSameSecret(proofOf(secret, token), tokenProof)
    return isOwner ? OWNER : undefined
  }

  /** Signs out; idempotent. */
  async end(secret: string): Promise<void> {
    const { db, bus } = this.#deps
    await db.delete(sessions).where(eq(sessions.digest, digestOf(secret)))
    bus.publish({ type: 'session.ended' })
  }

  close(): void {
    this.#subscription.end()
  }
}

/** Removes expired sessions. */
export async function forgetSessions(db: Database, nowMs: number): Promise<void> {
  await db.delete(sessions).where(lte(sessions.expiresAt, new Date(nowMs)))
}
