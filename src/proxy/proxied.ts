import { and, asc, count, eq, inArray, isNotNull, lt, type SQL } from 'drizzle-orm'
import { states, streams } from '../../drizzle/schema.ts'
import { canonicalJson, sha256 } from '../core/documents/document.ts'
import { Problem } from '../errors.ts'
import { transact } from '../storage/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { insertStreams, newStream, opening } from '../streams/registry/new-stream.ts'
import { checkRegistration } from '../streams/registry/registration.ts'
import { removeStream } from '../streams/registry/remove.ts'
import type { Control } from '../streams/registry/streams.ts'

/** Proxied streams kept while nobody subscribes. At the bound, the one that was left longest ago makes room. */
const MAX_PROXIED = 5_000
/** Most of them for one key. At the bound, the key's own least recently used one is evicted, never another's. */
const MAX_PROXIED_PER_KEY = 500
/** What the streams that the proxy made are tagged with. */
const TAG = 'proxy'

/** What a proxied stream is asked for by. */
export type ProxiedTarget = Pick<Stream, 'url' | 'intervalMs' | 'headers' | 'ignorePaths' | 'arrayKeys'> & {
  payloadPointer: string | undefined
}

/** The streams that exist because somebody subscribed: they run while somebody does, and rest in between. */
export class ProxiedStreams {
  readonly #db: Database
  readonly #control: Control
  readonly #mayReach: (url: string) => Promise<void>

  /** @param mayReach throws a Problem for a target that Weir must not ask */
  constructor(db: Database, control: Control, mayReach: (url: string) => Promise<void>) {
    this.#db = db
    this.#control = control
    this.#mayReach = mayReach
  }

  /**
   * What all targets have in common that share a stream: they are the same, a header's value too.
   * @throws Problem `invalid_field` for a target that can't be followed
   */
  keyOf({ payloadPointer = '', ...rest }: ProxiedTarget): string {
    const { url } = checkRegistration({ ...rest, payloadPointer, kind: 'poll' })
    return sha256(canonicalJson({ ...rest, payloadPointer, url: new URL(url).href }))
  }

  /**
   * The stream that all subscribers of the target share, made or woken for this one.
   * @param owner id of the caller: with headers of its own, a new stream is visible to that caller and admins only
   * @throws Problem `invalid_field` for a target that can't be followed, `not_allowed` for one that must not be,
   *   `conflict` when its owner stopped it, `too_many`
   */
  async open(target: ProxiedTarget, owner: string | undefined): Promise<Stream> {
    const proxyKey = this.keyOf(target)
    const stream = newStream({
      ...target,
      payloadPointer: target.payloadPointer ?? '',
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

  /** Lets streams rest that nobody has subscribed to since an instant. */
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
    this.#control.interrupt(rested)
    this.#control.changed(rested)
    return rested.length
  }

  /** Says that somebody subscribes to a stream, and starts it if it rests. */
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
    this.#control.changed([id])
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
    const [added] = await this.#db.transaction((tx) => insertStreams(tx, [stream]))
    if (added === undefined) {
      // Another subscriber of the same was faster.
      const [known] = await this.#find(stream)
      return this.#join(known as Stream)
    }
    await this.#control.runLater([added.id])
    this.#control.listed()
    return added
  }

  async #join(stream: Stream): Promise<Stream> {
    if (stream.desired === 'stopped') {
      throw new Problem('conflict', 'The stream of this API was stopped; start it to subscribe to it.')
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
      throw new Problem('too_many', `${max} APIs are already proxied ${where}, and all have subscribers.`)
    }
    await removeStream(this.#db, oldest.id)
    this.#control.listed()
  }
}

/** Says of streams that they should run, or rest, and that a worker will have more to say. */
async function desire(tx: Database, ids: readonly string[], desired: Stream['desired']): Promise<void> {
  if (ids.length === 0) return
  await tx
    .update(states)
    .set({ ...opening(desired), verdictSince: new Date() })
    .where(inArray(states.streamId, [...ids]))
}
