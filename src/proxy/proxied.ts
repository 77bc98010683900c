import { and, asc, count, eq, inArray, isNotNull, lt, type SQL } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { states, streams } from '../../drizzle/schema.ts'
import type { Caller } from '../auth/caller.ts'
import { checkScope } from '../auth/scopes.ts'
import type { Bus } from '../bus/bus.ts'
import { canonicalJson, sha256 } from '../core/documents/document.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { insertStreams, newStream, opening } from '../streams/registry/new-stream.ts'
import { noStream } from '../streams/registry/no-stream.ts'
import { checkRegistration } from '../streams/registry/registration.ts'
import { removeStream } from '../streams/registry/remove.ts'
import type { Control } from '../streams/registry/streams.ts'

/** Maximum proxied streams. Beyond it, the one without subscribers for the longest time is evicted. */
const MAX_PROXIED = 5_000
/** Maximum per key. Beyond it, the key's own least recently used one is evicted, never another key's. */
const MAX_PROXIED_PER_KEY = 500
/** The tag of streams that the proxy created. */
const TAG = 'proxy'

/** What identifies a proxied stream. */
export type ProxiedTarget = Pick<Stream, 'url' | 'intervalMs' | 'headers' | 'ignorePaths' | 'arrayKeys'> & {
  payloadPointer: string | undefined
  select?: string | undefined
  /** How its requests sign in; for twins only. */
  access?: Access | undefined
}

type Access = Pick<Stream, 'auth' | 'tls'>

export interface ProxiedDeps {
  db: Database
  control: Control
  /** Receives `run.interrupt`, `stream.updated` and `list.changed` events. */
  bus: Bus
  /** @throws Problem for a target that Weir must not connect to */
  mayReach(url: string): Promise<void>
}

/** The streams that exist because somebody subscribed: they run while somebody does, and are idle in between. */
export class ProxiedStreams {
  readonly #db: Database
  readonly #control: Control
  readonly #bus: Bus
  readonly #mayReach: ProxiedDeps['mayReach']

  constructor({ db, control, bus, mayReach }: ProxiedDeps) {
    this.#db = db
    this.#control = control
    this.#bus = bus
    this.#mayReach = mayReach
  }

  /**
   * The key of all targets that share a stream: everything is equal, including header values.
   * @throws Problem `invalid_field` for a target that can't be followed
   */
  keyOf({ payloadPointer = '', select, access, ...others }: ProxiedTarget): string {
    const rest = select ? { ...others, select } : others
    const { url } = checkRegistration({ ...rest, payloadPointer, kind: 'poll' })
    const identity = { ...rest, payloadPointer, url: new URL(url).href }
    return sha256(canonicalJson(access ? { ...identity, access: JSON.stringify(access) } : identity))
  }

  /**
   * How the polled stream of a twin signs in.
   * @returns undefined if it doesn't
   * @throws Problem `forbidden_scope` for a caller who may not read credentials, `not_found` unless the twin is of this API
   */
  async accessOf(twinId: string, url: string, caller: Caller | undefined): Promise<Access | undefined> {
    checkScope(caller, 'admin')
    if (!isUuid(twinId)) throw noStream(twinId)
    const twin = alias(streams, 'twin')
    const [polled] = await this.#db
      .select({ url: streams.url, auth: streams.auth, tls: streams.tls })
      .from(streams)
      .innerJoin(twin, eq(twin.twinOf, streams.id))
      .where(eq(twin.id, twinId))
    if (polled === undefined || !URL.canParse(url) || new URL(url).href !== polled.url) throw noStream(twinId)
    const { auth, tls } = polled
    return auth === null && tls === null ? undefined : { auth, tls }
  }

  /**
   * The stream that all subscribers of the target share, created or started if necessary.
   * @param owner ID of the caller: a new stream with its own headers is visible only to that caller and admins
   * @throws Problem `invalid_field` for a target that can't be followed, `not_allowed` for one that must not be,
   * `conflict` if its owner stopped it, `too_many`
   */
  async open({ access, ...target }: ProxiedTarget, owner: string | undefined): Promise<Stream> {
    const proxyKey = this.keyOf({ ...target, access })
    const stream = newStream({
      ...target,
      ...access,
      payloadPointer: target.payloadPointer ?? '',
      select: target.select ?? '',
      url: new URL(target.url).href,
      kind: 'poll',
      tags: [TAG],
      alwaysOn: false,
      proxyKey,
      owner: owner ?? null,
    })
    const [known] = await this.#find(stream)
    return known === undefined ? this.#add(stream) : this.#join(known)
  }

  /** Makes streams idle that have had no subscribers since an instant. */
  async rest(since: Date): Promise<number> {
    const rested = await transact(this.#db, async (tx) => {
      const rows = await tx
        .update(streams)
        .set({ desired: 'idle' })
        .from(states)
        .where(
          and(
            eq(states.streamId, streams.id),
            eq(streams.alwaysOn, false),
            eq(streams.desired, 'running'),
            lt(states.subscribedAt, since),
          ),
        )
        .returning({ id: streams.id })
      const ids = rows.map((row) => row.id)
      await desire(tx, ids, 'idle')
      return ids
    })
    if (rested.length === 0) return 0
    this.#bus.publish({ type: 'run.interrupt', streamIds: rested })
    this.#bus.publish({ type: 'stream.updated', streamIds: rested })
    return rested.length
  }

  /** Records that somebody subscribes to a stream, and starts it if it is idle. */
  async wake(id: string): Promise<void> {
    const woken = await transact(this.#db, async (tx) => {
      await tx.update(states).set({ subscribedAt: new Date() }).where(eq(states.streamId, id))
      const rows = await tx
        .update(streams)
        .set({ desired: 'running' })
        .where(and(eq(streams.id, id), eq(streams.desired, 'idle')))
        .returning({ id: streams.id })
      if (rows.length > 0) await desire(tx, [id], 'running')
      return rows.length > 0
    })
    if (!woken) return
    await this.#control.runLater([id])
    this.#bus.publish({ type: 'stream.updated', streamIds: [id] })
  }

  #find({ proxyKey }: Stream): Promise<Stream[]> {
    return this.#db
      .select()
      .from(streams)
      .where(eq(streams.proxyKey, proxyKey as string))
  }

  async #add(stream: Stream): Promise<Stream> {
    await this.#mayReach(stream.url)
    await this.#makeRoom(stream)
    const [added] = await transact(this.#db, (tx) => insertStreams(tx, [stream]))
    if (added === undefined) {
      // Another subscriber of the same target was faster.
      const [known] = await this.#find(stream)
      return this.#join(known as Stream)
    }
    await this.#control.runLater([added.id])
    this.#bus.publish({ type: 'list.changed' })
    return added
  }

  async #join(stream: Stream): Promise<Stream> {
    if (stream.desired === 'stopped') {
      throw new Problem('conflict', 'The stream for this API is stopped. Start it to subscribe.')
    }
    await this.wake(stream.id)
    return stream
  }

  async #makeRoom({ owner }: Stream): Promise<void> {
    if (owner?.startsWith('key:')) {
      await this.#makeRoomAmong(eq(streams.owner, owner), MAX_PROXIED_PER_KEY, 'for your key')
    }
    await this.#makeRoomAmong(isNotNull(streams.proxyKey), MAX_PROXIED, 'here')
  }

  async #makeRoomAmong(which: SQL, max: number, where: string): Promise<void> {
    const [all] = await this.#db.select({ count: count() }).from(streams).where(which)
    if ((all?.count ?? 0) < max) return
    const [oldest] = await this.#db
      .select({ id: streams.id })
      .from(streams)
      .innerJoin(states, eq(states.streamId, streams.id))
      .where(and(which, eq(streams.desired, 'idle'), eq(streams.alwaysOn, false)))
      .orderBy(asc(states.subscribedAt))
      .limit(1)
    if (oldest === undefined) {
      throw new Problem(
        'too_many',
        `The limit of ${max} proxied APIs ${where} is reached, and all of them have subscribers.`,
      )
    }
    await removeStream(this.#db, oldest.id)
    this.#bus.publish({ type: 'list.changed' })
  }
}

/** Sets whether streams should run, or be idle, with the status until a worker reports. */
async function desire(tx: Database, ids: readonly string[], desired: Stream['desired']): Promise<void> {
  if (ids.length === 0) return
  await tx
    .update(states)
    .set({ ...opening(desired), statusSince: new Date() })
    .where(inArray(states.streamId, [...ids]))
}
