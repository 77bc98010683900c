import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import { keys } from '../../drizzle/schema.ts'
import type { Bus, Subscription } from '../bus/bus.ts'
import type { Scope } from '../core/sets/scopes.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Caller } from './caller.ts'
import { Remembered } from './remembered.ts'
import { digestOf, isKeyShaped, newKey, prefixOf, type RandomBytes } from './secrets.ts'

export type Key = typeof keys.$inferSelect
/** A key as others may see it. */
export type KeyView = Omit<Key, 'digest'>

export interface KeyInput {
  name: string
  scope: Scope
  /** Omitted: the key doesn't expire. */
  expiresAt?: Date
}

export interface KeysDeps {
  db: Database
  /** Milliseconds since the epoch. */
  now(): number
  random: RandomBytes
  warn(message: string, error: unknown): void
  bus: Bus
}

/** Maximum number of valid keys; more are refused. */
export const MAX_KEYS = 500
/** Maximum number of keys listed, newest first: the valid ones and some past ones. */
const MAX_LISTED = 1_000
/** How long a process caches a key, in milliseconds: the longest delay of a revocation elsewhere. */
const REMEMBER_MS = 3_000
/** How often the last use is stored, in milliseconds. */
const USE_MS = 60_000

/** The API keys of programs and people; publishes `key.updated`. */
export class Keys {
  readonly #deps: KeysDeps
  readonly #known: Remembered<Key>
  readonly #subscription: Subscription
  readonly #writing = new Set<Promise<unknown>>()

  constructor(deps: KeysDeps) {
    this.#deps = deps
    this.#known = new Remembered(REMEMBER_MS, deps.now)
    this.#subscription = deps.bus.subscribe('The keys', {
      'key.updated': () => this.#known.forget(),
      'relay.restored': () => this.#known.forget(),
    })
  }

  /** @returns the key with its secret, which is shown only once. @throws Problem `too_many`, `invalid_field` */
  async add({ name, scope, expiresAt }: KeyInput, by: string): Promise<{ key: KeyView; secret: string }> {
    const { db, bus, now, random } = this.#deps
    const createdAt = new Date(now())
    if (expiresAt !== undefined && expiresAt <= createdAt)
      throw new Problem('invalid_field', 'expiresAt: must be in the future.', 'expiresAt')
    if ((await db.$count(keys, isValidAt(createdAt))) >= MAX_KEYS)
      throw new Problem('too_many', `The limit of ${MAX_KEYS} keys is reached. Revoke one first.`)
    const secret = newKey(random)
    const values = {
      id: Bun.randomUUIDv7(),
      name,
      scope,
      createdAt,
      createdBy: by,
      expiresAt: expiresAt ?? null,
    }
    const row = { ...values, digest: digestOf(secret), prefix: prefixOf(secret) }
    const [added] = await db.insert(keys).values(row).returning()
    if (added === undefined) throw new Error('The key was not stored')
    bus.publish({ type: 'key.updated' })
    return { key: viewOf(added), secret }
  }

  /** All of them, the newest first. */
  async list(): Promise<KeyView[]> {
    const rows = await this.#deps.db
      .select()
      .from(keys)
      .orderBy(desc(keys.createdAt), desc(keys.id))
      .limit(MAX_LISTED)
    return rows.map(viewOf)
  }

  /** @throws Problem `not_found` */
  async view(id: string): Promise<KeyView> {
    const key = isUuid(id) ? await this.#read(eq(keys.id, id)) : undefined
    if (key === undefined) throw noKey(id)
    return viewOf(key)
  }

  /** Which of the keys are still valid. */
  async stillValid(ids: readonly string[]): Promise<Set<string>> {
    const { db, now } = this.#deps
    const found = await db
      .select({ id: keys.id })
      .from(keys)
      .where(and(inArray(keys.id, [...ids]), isValidAt(new Date(now()))))
    return new Set(found.map(({ id }) => id))
  }

  /** Revokes a key, here at once and elsewhere within seconds; idempotent. @throws Problem `not_found` */
  async revoke(id: string): Promise<void> {
    const { db, bus, now } = this.#deps
    if (!isUuid(id)) throw noKey(id)
    const set = { revokedAt: sql`coalesce(${keys.revokedAt}, ${new Date(now()).toISOString()}::timestamptz)` }
    const revoked = await db.update(keys).set(set).where(eq(keys.id, id)).returning({ id: keys.id })
    if (revoked.length === 0) throw noKey(id)
    bus.publish({ type: 'key.updated' })
  }

  /** Whether a secret was a key when last looked up here: then looking it up again doesn't count as a guess. */
  isProven(secret: string): boolean {
    return this.#known.has(digestOf(secret))
  }

  /** The caller with a secret; undefined if it isn't a valid key. */
  async find(secret: string, address: string): Promise<{ caller: Caller; id: string } | undefined> {
    if (!isKeyShaped(secret)) return undefined
    const digest = digestOf(secret)
    // Found by an index over digests, so the time it takes reveals nothing about the secret.
    const key = await this.#known.get(digest, () => this.#read(eq(keys.digest, digest)))
    const caller = this.#admitted(key, address)
    return caller && key && { caller, id: key.id }
  }

  /** The caller of a session that was started with a key, while the key is valid. */
  async callerById(id: string, address: string): Promise<Caller | undefined> {
    return this.#admitted(await this.#known.get(id, () => this.#read(eq(keys.id, id))), address)
  }

  /** Waits for pending writes. */
  async close(): Promise<void> {
    this.#subscription.end()
    await Promise.all(this.#writing)
  }

  #admitted(key: Key | undefined, address: string): Caller | undefined {
    const nowMs = this.#deps.now()
    if (key === undefined || key.revokedAt !== null || (key.expiresAt?.getTime() ?? Infinity) <= nowMs)
      return undefined
    if (nowMs - (key.usedAt?.getTime() ?? -Infinity) >= USE_MS) this.#used(key, new Date(nowMs), address)
    return { id: `key:${key.id}`, name: key.name, scope: key.scope }
  }

  async #read(which: ReturnType<typeof eq>): Promise<Key | undefined> {
    const [key] = await this.#deps.db.select().from(keys).where(which)
    return key
  }

  /** Stored in the background. */
  #used(key: Key, usedAt: Date, usedFrom: string): void {
    const { db, warn } = this.#deps
    Object.assign(key, { usedAt, usedFrom })
    const writing: Promise<unknown> = db
      .update(keys)
      .set({ usedAt, usedFrom })
      .where(eq(keys.id, key.id))
      .catch((error: unknown) => warn("Can't record the last use of a key", error))
      .finally(() => this.#writing.delete(writing))
    this.#writing.add(writing)
  }
}

function isValidAt(instant: Date) {
  return and(
    isNull(keys.revokedAt),
    sql`coalesce(${keys.expiresAt} > ${instant.toISOString()}::timestamptz, true)`,
  )
}

function viewOf({ digest: _hidden, ...shown }: Key): KeyView {
  return shown
}

function noKey(id: string): Problem {
  return new Problem('not_found', `No key has the ID ${id.slice(0, 64)}.`)
}
