import { and, eq, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import { checkpoints, states, streams } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import { batched } from '../../core/batch.ts'
import { Problem } from '../../errors.ts'
import { LOCKS } from '../../storage/locks.ts'
import { againAfterDeadlock, transact } from '../../storage/sql-state.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import type { Fetch, Limits } from '../ingest/upstream.ts'
import { lastSeqs } from '../log/logs.ts'
import { type Looked, Looks } from '../preview/preview.ts'
import { changeTwin, makeTwin } from '../twins/twin.ts'
import { type ChangedHeaders, changedHeaders } from './changed-headers.ts'
import { fromRegistration } from './from-registration.ts'
import { hasTag, type ListQuery, listStreams } from './listing.ts'
import { insertStreams, opening } from './new-stream.ts'
import { findKind } from './probe.ts'
import { type Change, type Looking, MAX_TAGS, type Registration } from './registration.ts'
import { removeStream } from './remove.ts'
import { isUuid, noStream } from './uuid.ts'
import { visibleTo } from './visibility.ts'

/** What makes workers act on a change of what should run. Lost messages cost seconds: reconcile repairs them. */
export interface Control {
  /** Sees to it that a job holds each of the streams. */
  runLater(streamIds: readonly string[]): Promise<void>
  /** Makes whoever holds the streams look at them again. */
  interrupt(streamIds: readonly string[]): void
  /** Tells pages and subscribers that something about the streams changed. */
  changed(streamIds: readonly string[]): void
  /** Tells them that streams came or went. */
  listed(): void
}

/** A stream's job that a worker has. */
export interface Claim {
  /** The stream's. */
  id: string
  worker: string | undefined
  /** Milliseconds since the epoch. */
  at: number
}

/** What workers do beside with the jobs of streams. */
export interface JobControl extends Control {
  /** The claims of jobs, as far as they are asked for. */
  claims(isAskedFor: (streamId: string) => boolean): Promise<Claim[]>
  /** Takes jobs from whoever has claimed them, for another one to do so; those that nobody has stay as they are. */
  free(streamIds: readonly string[]): Promise<void>
}

export interface StreamsDeps {
  db: Database
  control: Control
  limits: Limits
  /** Throws a Problem for an API that Weir must not ask. */
  mayReach?(url: string): Promise<void>
  fetch?: Fetch
}

/** A stream as it is after a change. */
export interface Changed extends Pick<ChangedHeaders, 'droppedHeaders'> {
  stream: Stream
}

/** Watchers told from one statement; further ones wait for the next. */
const MAX_JOINS = 1_000
/** Streams told of that follow an API already. */
const KNOWN_TOLD = 3
/** What a change of these invalidates: the document and everything that proves it goes on. */
const DEFINING: readonly (keyof Change)[] = [
  'url',
  'kind',
  'method',
  'headers',
  'body',
  'payloadPointer',
  'ignorePaths',
]
/** What the URL of a proxied stream says, beside those. */
const ASKED: readonly (keyof Change)[] = [...DEFINING, 'intervalMs', 'arrayKeys']
/** The registered APIs: everything their owners can do with them, but for reading what was recorded. */
export class Streams {
  readonly #deps: StreamsDeps
  readonly #looks: Looks
  readonly #lastSeq: (id: string) => Promise<number | undefined>

  constructor(deps: StreamsDeps) {
    this.#deps = deps
    this.#looks = new Looks(deps)
    this.#lastSeq = batched(async (ids) => {
      const known = await lastSeqs(deps.db, ids)
      return ids.map((id) => known.get(id))
    }, MAX_JOINS)
  }

  /**
   * Registers an API, and starts it unless told otherwise; with a twin, which streams what this one polls.
   * @throws Problem as {@link explore}; `invalid_field` for the twin of an API that streams already.
   */
  async register(registration: Registration): Promise<Stream> {
    const added = fromRegistration(await this.explore(registration))
    await this.#deps.db.transaction((tx) => insertStreams(tx, added))
    await this.#begin(added)
    return added[0]
  }

  /**
   * Stores many new streams at once, as they are: {@link explore} comes before. Starts those that should run.
   * @param choose makes them, in the transaction that stores them: no other call's comes in between, so what it finds
   *   to be missing still is
   */
  async registerMany(choose: (tx: Database) => Promise<readonly Stream[]>): Promise<void> {
    const added = await this.#deps.db.transaction(async (tx) => {
      await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.registration})`)
      const chosen = await choose(tx)
      return chosen.length === 0 ? [] : insertStreams(tx, chosen)
    })
    if (added.length > 0) await this.#begin(added)
  }

  /**
   * Adds a twin to a polled stream: it streams what that one polls, and runs where that one does.
   * @throws Problem `conflict` when there is one already, or the stream is a twin or proxied; `invalid_field` where
   *   there is nothing to compare
   */
  async addTwin(id: string): Promise<Stream> {
    const stream = await this.get(id)
    if (stream.twinOf !== null) throw new Problem('conflict', 'This is a twin itself.')
    if (stream.proxyKey !== null) throw new Problem('conflict', 'It is streamed already, by the proxy.')
    const twin = makeTwin(stream)
    await this.registerMany(async (tx) => {
      const [known] = await tx
        .select({ id: streams.id })
        .from(streams)
        .where(eq(streams.twinOf, stream.id))
        .limit(1)
      if (known !== undefined) throw new Problem('conflict', 'The stream has a twin already.')
      return [twin]
    })
    return this.get(twin.id)
  }

  /**
   * Finds out whether Weir may ask an API at all and, where that is left out, its kind by asking it once.
   * @throws Problem `not_allowed`, `host_unknown`; `unreachable` when the API doesn't say its kind
   */
  async explore(registration: Registration): Promise<Registration & Pick<Stream, 'kind'>> {
    const { limits, fetch, mayReach } = this.#deps
    const { url, method = 'GET', headers = {}, body } = registration
    await mayReach?.(url)
    const asked = { url: new URL(url).href, method, headers, body: body ?? null }
    return { ...registration, kind: registration.kind ?? (await findKind(asked, limits, fetch)) }
  }

  /**
   * Asks an API once and tells what is there, with the streams that follow it already. Nothing is stored.
   * @throws Problem `too_many`; the signal's reason when it is aborted
   */
  async look(
    looking: Looking,
    signal: AbortSignal,
  ): Promise<Looked & { known: { id: string; name: string }[] }> {
    const { url, method = 'GET', headers = {}, body } = looking
    const asked = { url: new URL(url).href, method, headers, body: body ?? null }
    const known = await this.#deps.db
      .select({ id: streams.id, name: streams.name })
      .from(streams)
      .where(and(eq(streams.url, asked.url), isNull(streams.proxyKey)))
      .limit(KNOWN_TOLD)
    return { ...(await this.#looks.look(asked, signal)), known }
  }

  /** A page of streams, and the cursor of the next: {@link listStreams}. */
  list(query: ListQuery, now: number = Date.now()): Promise<{ items: Stream[]; next: string | undefined }> {
    return listStreams(this.#deps.db, query, now)
  }

  /** @throws Problem `not_found` */
  async get(id: string): Promise<Stream> {
    const [stream] = await this.#deps.db
      .select()
      .from(streams)
      .where(eq(streams.id, uuid(id)))
    if (stream === undefined) throw noStream(id)
    return stream
  }

  /**
   * What somebody who begins to watch a stream has to know: its id as it is written, and its last entry's number.
   * Those who come together are told from one statement: a crowd that comes back is not a query each.
   * @throws Problem `not_found`
   */
  async watched(id: string): Promise<{ id: string; last: number }> {
    const written = uuid(id).toLowerCase()
    const last = await this.#lastSeq(written)
    if (last === undefined) throw noStream(id)
    return { id: written, last }
  }

  /**
   * Changes a stream; one that runs goes on by the new definition at once. A URL of another origin drops its headers, as
   * {@link changedHeaders} says.
   * @throws Problem `conflict` for what defines a proxied stream: its subscribers asked for exactly that
   */
  async change(id: string, change: Change): Promise<Changed> {
    const { db, control } = this.#deps
    checkChangeable(await this.get(id), change)
    if (change.url !== undefined) await this.#deps.mayReach?.(change.url)
    const { stream, twins, droppedHeaders } = await transact(db, (tx) => carryOut(tx, id, change))
    const ids = [id, ...twins]
    control.interrupt(ids)
    control.changed(ids)
    if (change.alwaysOn) await this.#desire(idle(id), 'running')
    return { stream: change.alwaysOn ? await this.get(id) : stream, droppedHeaders }
  }

  /** Removes a stream with everything recorded of it, and its twin. */
  async remove(id: string): Promise<void> {
    const { db, control } = this.#deps
    await this.get(id)
    const twins = await db.select({ id: streams.id }).from(streams).where(eq(streams.twinOf, id))
    for (const each of [...twins.map((twin) => twin.id), id]) {
      await removeStream(db, each, () => {
        control.interrupt([each])
        control.listed()
      })
    }
  }

  /** Starts a stream; one that should run already is left as it is. */
  start(id: string): Promise<Stream> {
    return this.#desireOne(id, 'running')
  }

  /** Stops a stream; one that is stopped already is left as it is. */
  stop(id: string): Promise<Stream> {
    return this.#desireOne(id, 'stopped')
  }

  /**
   * Starts or stops every stream that has the tag and that a caller sees.
   * @returns how many have it, and how many of them changed.
   */
  async desireTagged(
    tag: string,
    desired: Stream['desired'],
    caller: Caller | undefined,
  ): Promise<{ matched: number; changed: number }> {
    const which = and(hasTag(tag), visibleTo(caller)) as SQL
    const tagged = await this.#deps.db.select({ id: streams.id }).from(streams).where(which)
    const changed = await this.#desire(which, desired)
    return { matched: tagged.length, changed: changed.length }
  }

  /** Starts or stops these streams, with their twins. @returns the ids of those that changed */
  desireMany(ids: readonly string[], desired: 'running' | 'stopped'): Promise<string[]> {
    const which = or(inArray(streams.id, [...ids]), inArray(streams.twinOf, [...ids])) as SQL
    return this.#desire(which, desired)
  }

  /** Gives these streams a tag, or takes it from them. @returns the ids of those that changed */
  async retag(ids: readonly string[], tag: string, isTagged: boolean): Promise<string[]> {
    const tags = isTagged
      ? sql`array_append(${streams.tags}, ${tag}::text)`
      : sql`array_remove(${streams.tags}, ${tag}::text)`
    const hasRoom = isTagged ? sql`cardinality(${streams.tags}) < ${MAX_TAGS}` : undefined
    const rows = await this.#deps.db
      .update(streams)
      .set({ tags, updatedAt: new Date() })
      .where(and(inArray(streams.id, [...ids]), isTagged ? not(hasTag(tag)) : hasTag(tag), hasRoom))
      .returning({ id: streams.id })
    const changed = rows.map((row) => row.id)
    if (changed.length > 0) this.#deps.control.changed(changed)
    return changed
  }

  /** Removes these streams as {@link remove} does; those that are gone already are left out. */
  async removeMany(ids: readonly string[]): Promise<void> {
    const { db, control } = this.#deps
    const which = or(inArray(streams.id, [...ids]), inArray(streams.twinOf, [...ids]))
    const gone = await againAfterDeadlock(() => db.delete(streams).where(which).returning({ id: streams.id }))
    control.interrupt(gone.map(({ id }) => id))
    control.listed()
    for (const { id } of gone) await removeStream(db, id)
  }

  async #begin(added: readonly Stream[]): Promise<void> {
    const { control } = this.#deps
    const running = added.filter(({ desired }) => desired === 'running').map(({ id }) => id)
    if (running.length > 0) await control.runLater(running)
    control.listed()
  }

  async #desireOne(id: string, desired: Stream['desired']): Promise<Stream> {
    await this.#desire(or(eq(streams.id, uuid(id)), eq(streams.twinOf, id)) as SQL, desired)
    return this.get(id)
  }

  async #desire(which: SQL, desired: Stream['desired']): Promise<string[]> {
    const { db, control } = this.#deps
    const now = new Date()
    const ids = await transact(db, async (tx) => {
      const rows = await tx
        .update(streams)
        .set({ desired, updatedAt: now })
        .where(and(which, sql`${streams.desired} <> ${desired}`))
        .returning({ id: streams.id })
      const changed = rows.map((row) => row.id)
      if (changed.length > 0) {
        // A start is asked for now: what an earlier run still owed its upstream in waiting doesn't hold it up.
        const evidence = sql`${states.evidence} - '{nextRetryAt,failingSince}'::text[] || '{"failures":0}'::jsonb`
        await tx
          .update(states)
          .set({ ...opening(desired), evidence, verdictSince: now, subscribedAt: asIfSubscribed(now) })
          .where(inArray(states.streamId, changed))
      }
      return changed
    })
    if (ids.length === 0) return ids
    if (desired === 'running') await control.runLater(ids)
    else control.interrupt(ids)
    control.changed(ids)
    return ids
  }
}

/** Stores a change. The row is locked: where its headers belong can't change in between. */
async function carryOut(tx: Database, id: string, change: Change) {
  const [before] = await tx
    .select({ url: streams.url, headers: streams.headers })
    .from(streams)
    .where(eq(streams.id, uuid(id)))
    .for('update')
  if (before === undefined) throw noStream(id)
  const { droppedHeaders, ...headers } = changedHeaders(before, change)
  const url = change.url && { url: new URL(change.url).href }
  const set = { ...change, ...url, ...headers, updatedAt: new Date() }
  const [stream] = await tx
    .update(streams)
    .set(set)
    .where(eq(streams.id, uuid(id)))
    .returning()
  if (stream === undefined) throw noStream(id)
  const twins = await changeTwin(tx, id, set)
  if (DEFINING.some((field) => change[field] !== undefined)) await startOver(tx, [id, ...twins])
  return { stream, twins, droppedHeaders }
}

function idle(id: string): SQL {
  return and(eq(streams.id, id), eq(streams.desired, 'idle')) as SQL
}

/** A proxied stream that was started runs for a while even if nobody subscribes. */
function asIfSubscribed(now: Date): SQL {
  return sql`CASE WHEN ${states.subscribedAt} IS NOT NULL THEN ${now.toISOString()}::timestamptz END`
}

/**
 * Forgets where streams were, so that they begin anew. In the next epoch: what a run of the old definition still has
 * to say would bring the old checkpoint back.
 */
async function startOver(tx: Database, ids: readonly string[]): Promise<void> {
  await tx
    .update(checkpoints)
    .set({
      snapshotSeq: null,
      bodyHash: null,
      plainBytes: null,
      gzipBytes: null,
      lastEventId: null,
      etag: null,
      lastModified: null,
      epoch: sql`${checkpoints.epoch} + 1`,
    })
    .where(inArray(checkpoints.streamId, [...ids]))
}

function checkChangeable({ proxyKey, twinOf }: Stream, change: Change): void {
  const given = (field: keyof Change) => change[field] !== undefined
  const ofTwin = twinOf === null ? undefined : ASKED.find(given)
  if (ofTwin !== undefined) {
    throw new Problem('conflict', `${ofTwin} is what its twin polls by; change it there.`, ofTwin)
  }
  if (proxyKey === null && given('alwaysOn')) {
    throw new Problem('conflict', 'Only a proxied stream can rest while nobody subscribes.', 'alwaysOn')
  }
  const defining = proxyKey === null ? undefined : ASKED.find(given)
  if (defining === undefined) return
  const detail = `${defining} is part of what this stream's subscribers asked the proxy for; ask for another URL.`
  throw new Problem('conflict', detail, defining)
}

/** @throws Problem `not_found` for what can't be an id at all; Postgres would refuse the query. */
function uuid(text: string): string {
  if (isUuid(text)) return text
  throw noStream(text)
}
