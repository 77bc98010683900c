import { and, eq, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import { checkpoints, states, streams } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import type { Bus } from '../../bus/bus.ts'
import { batched } from '../../core/batch.ts'
import {
  isPushed,
  isSocketUrl,
  kindsOfUrl,
  OTHERWISE,
  PUSHED_KINDS,
  STREAM_KIND,
} from '../../core/sets/stream-kinds.ts'
import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import type { EgressConnect } from '../../net/egress.ts'
import { transact } from '../../storage/errors/sql-state.ts'
import { LOCKS } from '../../storage/locks.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import type { Limits, UpstreamFetch } from '../ingest/upstream.ts'
import { lastSeqs } from '../log/logs.ts'
import { type Preview, Previews, type PreviewsDeps } from '../preview/preview.ts'
import { meansOf } from '../requests/means.ts'
import { changeTwin, makeTwin } from '../twins/twin.ts'
import { type ChangedHeaders, changedHeaders } from './changed-headers.ts'
import { fromRegistration } from './from-registration.ts'
import { hasTag, type ListQuery, listStreams } from './listing.ts'
import { insertStreams, opening } from './new-stream.ts'
import { noStream } from './no-stream.ts'
import { findKind } from './probe.ts'
import { changedPush } from './push-settings.ts'
import {
  checkKindOfUrl,
  checkPushed,
  checkSubscription,
  type DeadAfter,
  MAX_TAGS,
  type PreviewRequest,
  type Registration,
  type StreamChange,
} from './registration.ts'
import { removeStream } from './remove.ts'
import { optionColumns } from './request-options.ts'
import { visibleTo } from './visibility.ts'

/** Makes workers act on a change of a desired state. A lost message costs seconds: reconcile makes up for it. */
export interface Control {
  /** Makes sure that each of the streams has a job. */
  runLater(streamIds: readonly string[]): Promise<void>
}

/** A stream's job that a worker has claimed. */
export interface Claim {
  /** The ID of the stream. */
  id: string
  worker: string | undefined
  /** Milliseconds since the epoch. */
  at: number
}

/** What workers additionally do with the jobs of streams. */
export interface JobControl extends Control {
  /** The claimed jobs of the streams in question. */
  claims(isAskedFor: (streamId: string) => boolean): Promise<Claim[]>
  /** Releases claimed jobs, so that other workers can claim them; unclaimed jobs aren't affected. */
  free(streamIds: readonly string[]): Promise<void>
}

export interface StreamsDeps {
  db: Database
  control: Control
  /** Receives `run.interrupt`, `stream.updated` and `list.changed` events. */
  bus: Bus
  limits: Limits
  /** Throws a Problem if Weir must not connect to the URL. */
  mayReach?(url: string): Promise<void>
  fetch?: UpstreamFetch
  /** Opens the sockets of WebSockets. */
  connect?: EgressConnect
  /** Selects parts of pages in previews. */
  large?: PreviewsDeps['large']
}

/** A stream after a change. */
export interface Changed extends Pick<ChangedHeaders, 'droppedHeaders'> {
  stream: Stream
}

/** Watchers answered by one statement; more wait for the next. */
const MAX_JOINS = 1_000
/** Maximum streams reported that already follow an API. */
const KNOWN_TOLD = 3
/** Changing one of these invalidates the document and everything that proves its continuity. */
const DEFINING: readonly (keyof StreamChange)[] = [
  'url',
  'kind',
  'method',
  'headers',
  'auth',
  'tls',
  'body',
  'messages',
  'payloadPointer',
  'select',
  'ignorePaths',
]
/** What the URL of a proxied stream contains in addition. */
const ASKED: readonly (keyof StreamChange)[] = [
  ...DEFINING,
  'cookies',
  'repeatable',
  'intervalMs',
  'arrayKeys',
]
/** The registered APIs: everything their owners can do with them, except reading what was recorded. */
export class Streams {
  readonly #deps: StreamsDeps
  readonly #looks: Previews
  readonly #lastSeq: (id: string) => Promise<number | undefined>

  constructor(deps: StreamsDeps) {
    this.#deps = deps
    this.#looks = new Previews(deps)
    this.#lastSeq = batched(async (ids) => {
      const known = await lastSeqs(deps.db, ids)
      return ids.map((id) => known.get(id))
    }, MAX_JOINS)
  }

  /**
   * Registers an API, and starts it by default; optionally with a twin, which streams what this one polls.
   * @param explored called with why it is of its kind, if that was determined
   * @throws Problem as {@link explore}; `invalid_field` for a twin of an API that already streams.
   */
  async register(registration: Registration, explored?: (kindReason: string) => void): Promise<Stream> {
    const added = fromRegistration(await this.explore(registration, explored))
    await transact(this.#deps.db, (tx) => insertStreams(tx, added))
    await this.#begin(added)
    return added[0]
  }

  /**
   * Stores many new streams as they are, without {@link explore}. Starts those that should run.
   * @param choose returns them, inside the transaction that stores them: no other call can add streams in between, so
   * what it finds missing stays missing
   */
  async registerMany(choose: (tx: Database) => Promise<readonly Stream[]>): Promise<void> {
    // Not run again after a deadlock: the caller notes in `choose` what becomes of each line.
    const added = await this.#deps.db.transaction(async (tx) => {
      await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.registration})`)
      const chosen = await choose(tx)
      return chosen.length === 0 ? [] : insertStreams(tx, chosen)
    })
    if (added.length > 0) await this.#begin(added)
  }

  /**
   * Adds a twin to a polled stream: it streams what the other polls, and runs when the other does.
   * @throws Problem `conflict` if there is a twin already, or the stream is a twin or proxied; `invalid_field` if
   * there is nothing to compare
   */
  async addTwin(id: string): Promise<Stream> {
    const stream = await this.get(id)
    if (stream.twinOf !== null) throw new Problem('conflict', 'This stream is a twin itself.')
    if (stream.proxyKey !== null) throw new Problem('conflict', 'The proxy already streams it.')
    const twin = makeTwin(stream)
    await this.registerMany(async (tx) => {
      const [known] = await tx
        .select({ id: streams.id })
        .from(streams)
        .where(eq(streams.twinOf, stream.id))
        .limit(1)
      if (known !== undefined) throw new Problem('conflict', 'The stream already has a twin.')
      return [twin]
    })
    return this.get(twin.id)
  }

  /**
   * Checks whether Weir may connect to an API and, if no kind is given, determines it with one request.
   * @param explored called with why it is of that kind, unless its content type says it
   * @throws Problem `not_allowed`, `host_unknown`; `unreachable` if the kind can't be determined
   */
  async explore(
    registration: Registration,
    explored?: (kindReason: string) => void,
  ): Promise<Registration & Pick<Stream, 'kind'>> {
    const { limits, fetch, mayReach } = this.#deps
    const { url, headers = {}, body, kind, auth } = registration
    const method = registration.method ?? STREAM_KIND[kind ?? OTHERWISE].method
    // Nothing is requested from where pushed events come from.
    if (kind !== undefined && isPushed(kind)) return { ...registration, kind }
    await mayReach?.(url)
    if (auth?.type === 'oauth2') await mayReach?.(auth.tokenUrl)
    const asked = { url: new URL(url).href, method, headers, body: body ?? null }
    if (kind !== undefined) return { ...registration, kind }
    const [socketKind] = isSocketUrl(url) ? kindsOfUrl(url) : []
    if (socketKind !== undefined) return { ...registration, kind: socketKind }
    const means = meansOf({ auth: null, tls: null, ...optionColumns(registration) })
    const found = await findKind(asked, limits, fetch, means)
    if (found.kindReason !== null) explored?.(found.kindReason)
    return { ...registration, kind: found.kind }
  }

  /**
   * Sends one request to an API and reports what it returns, and which streams already follow it. Stores nothing.
   * @throws Problem `too_many`; the signal's reason if it is aborted
   */
  async preview(
    looking: PreviewRequest,
    signal: AbortSignal,
  ): Promise<Preview & { known: { id: string; name: string }[] }> {
    const { url, headers = {}, body, kind, messages = null, select, auth, tls } = looking
    const method = looking.method ?? STREAM_KIND[kind ?? OTHERWISE].method
    const asked = { url: new URL(url).href, method, headers, body: body ?? null }
    const known = await this.#deps.db
      .select({ id: streams.id, name: streams.name })
      .from(streams)
      .where(and(eq(streams.url, asked.url), isNull(streams.proxyKey)))
      .limit(KNOWN_TOLD)
    const means = meansOf({ auth: null, tls: null, ...optionColumns({ auth, tls }) })
    const more = { kind, messages, select, means }
    return { ...(await this.#looks.take(asked, signal, more)), known }
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
   * What a new watcher of a stream needs: its ID in canonical form, and the number of its last entry. Simultaneous
   * callers share one statement: a crowd that reconnects doesn't cause a query each.
   * @throws Problem `not_found`
   */
  async watched(id: string): Promise<{ id: string; last: number }> {
    const written = uuid(id).toLowerCase()
    const last = await this.#lastSeq(written)
    if (last === undefined) throw noStream(id)
    return { id: written, last }
  }

  /**
   * Changes a stream; a running one continues with the new definition at once. A URL of another origin drops its
   * headers: see {@link changedHeaders}.
   * @throws Problem `conflict` for what defines a proxied stream, because its subscribers asked for exactly that
   */
  async change(id: string, change: StreamChange): Promise<Changed> {
    const { db, bus } = this.#deps
    checkChangeable(await this.get(id), change)
    if (change.url !== undefined) await this.#deps.mayReach?.(change.url)
    if (change.auth?.type === 'oauth2') await this.#deps.mayReach?.(change.auth.tokenUrl)
    const { stream, twins, droppedHeaders } = await transact(db, (tx) => carryOut(tx, id, change))
    const ids = [id, ...twins]
    bus.publish({ type: 'run.interrupt', streamIds: ids })
    bus.publish({ type: 'stream.updated', streamIds: ids })
    if (change.alwaysOn) await this.#desire(idle(id), 'running')
    return { stream: change.alwaysOn ? await this.get(id) : stream, droppedHeaders }
  }

  /** Removes a stream with everything recorded for it, and its twin. */
  async remove(id: string): Promise<void> {
    const { db, bus } = this.#deps
    await this.get(id)
    const twins = await db.select({ id: streams.id }).from(streams).where(eq(streams.twinOf, id))
    for (const each of [...twins.map((twin) => twin.id), id]) {
      await removeStream(db, each, () => {
        bus.publish({ type: 'run.interrupt', streamIds: [each] })
        bus.publish({ type: 'list.changed' })
      })
    }
  }

  /** Starts a stream; does nothing if it should run already. */
  start(id: string): Promise<Stream> {
    return this.#desireOne(id, 'running')
  }

  /** Stops a stream; does nothing if it is stopped already. */
  stop(id: string): Promise<Stream> {
    return this.#desireOne(id, 'stopped')
  }

  /**
   * Starts or stops every stream with the tag that the caller sees.
   * @returns how many have the tag, and how many of them changed.
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

  /**
   * Starts or stops these streams and their twins.
   * @returns the IDs of those that changed
   */
  desireMany(ids: readonly string[], desired: 'running' | 'stopped'): Promise<string[]> {
    const which = or(inArray(streams.id, [...ids]), inArray(streams.twinOf, [...ids])) as SQL
    return this.#desire(which, desired)
  }

  /**
   * Adds a tag to these streams, or removes it.
   * @returns the IDs of those that changed
   */
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
    if (changed.length > 0) this.#deps.bus.publish({ type: 'stream.updated', streamIds: changed })
    return changed
  }

  /**
   * Sets when these streams are dead; null restores the default.
   * @returns the IDs of those that changed
   */
  async setDeadAfter(ids: readonly string[], deadAfter: DeadAfter): Promise<string[]> {
    const { db, bus } = this.#deps
    const differs = Object.entries(deadAfter).map(
      ([field, value]) => sql`${streams[field as keyof DeadAfter]} IS DISTINCT FROM ${value}::integer`,
    )
    const rows = await db
      .update(streams)
      .set({ ...deadAfter, updatedAt: new Date() })
      .where(and(inArray(streams.id, [...ids]), or(...differs)))
      .returning({ id: streams.id })
    const changed = rows.map((row) => row.id)
    if (changed.length === 0) return changed
    bus.publish({ type: 'run.interrupt', streamIds: changed })
    bus.publish({ type: 'stream.updated', streamIds: changed })
    return changed
  }

  /** Removes these streams, like {@link remove}; those that are gone already are skipped. */
  async removeMany(ids: readonly string[]): Promise<void> {
    const { db, bus } = this.#deps
    const which = or(inArray(streams.id, [...ids]), inArray(streams.twinOf, [...ids]))
    const gone = await db.delete(streams).where(which).returning({ id: streams.id })
    bus.publish({ type: 'run.interrupt', streamIds: gone.map(({ id }) => id) })
    bus.publish({ type: 'list.changed' })
    for (const { id } of gone) await removeStream(db, id)
  }

  async #begin(added: readonly Stream[]): Promise<void> {
    const { control, bus } = this.#deps
    const running = added
      .filter(({ desired, kind }) => desired === 'running' && !isPushed(kind))
      .map(({ id }) => id)
    if (running.length > 0) await control.runLater(running)
    bus.publish({ type: 'list.changed' })
  }

  async #desireOne(id: string, desired: Stream['desired']): Promise<Stream> {
    await this.#desire(or(eq(streams.id, uuid(id)), eq(streams.twinOf, id)) as SQL, desired)
    return this.get(id)
  }

  async #desire(which: SQL, desired: Stream['desired']): Promise<string[]> {
    const { db, control, bus } = this.#deps
    const now = new Date()
    const changedRows = await transact(db, async (tx) => {
      const rows = await tx
        .update(streams)
        .set({ desired, updatedAt: now })
        .where(and(which, sql`${streams.desired} <> ${desired}`))
        .returning({ id: streams.id, kind: streams.kind })
      const changed = rows.map((row) => row.id)
      if (changed.length > 0) {
        // Somebody asks to start it now, so a wait that an earlier run owed its upstream doesn't delay it.
        const evidence = sql`${states.evidence} - '{nextRetryAt,failingSince,checks,degradedSince}'::text[] || '{"failures":0}'::jsonb || ${waitsSince(now)}`
        await tx
          .update(states)
          .set({ ...opening(desired), evidence, statusSince: now, subscribedAt: asIfSubscribed(now) })
          .where(inArray(states.streamId, changed))
      }
      return rows
    })
    const ids = changedRows.map(({ id }) => id)
    if (ids.length === 0) return ids
    const run = changedRows.filter(({ kind }) => !isPushed(kind)).map(({ id }) => id)
    if (desired === 'running' && run.length > 0) await control.runLater(run)
    if (desired !== 'running') bus.publish({ type: 'run.interrupt', streamIds: ids })
    bus.publish({ type: 'stream.updated', streamIds: ids })
    return ids
  }
}

/** Stores a change. The row is locked, so that the origin of its headers can't change in between. */
async function carryOut(tx: Database, id: string, change: StreamChange) {
  const [before] = await tx
    .select({
      ...{ url: streams.url, headers: streams.headers, auth: streams.auth, tls: streams.tls },
      ...{ kind: streams.kind, messages: streams.messages, push: streams.push },
    })
    .from(streams)
    .where(eq(streams.id, uuid(id)))
    .for('update')
  if (before === undefined) throw noStream(id)
  checkKindOfUrl(change.url ?? before.url, change.kind ?? before.kind)
  const { droppedHeaders, ...headers } = changedHeaders(before, change)
  const { cookies, repeatable, auth, tls, ...plain } = change
  const options = optionColumns({ cookies, repeatable, auth, tls }, before, change.url)
  const url = change.url && { url: new URL(change.url).href }
  const set = { ...plain, ...url, ...headers, ...options, ...pushOf(before, change), updatedAt: new Date() }
  const [stream] = await tx
    .update(streams)
    .set(set)
    .where(eq(streams.id, uuid(id)))
    .returning()
  if (stream === undefined) throw noStream(id)
  checkSubscription({ ...stream, body: stream.body ?? '' })
  const twins = await changeTwin(tx, id, set)
  if (DEFINING.some((field) => change[field] !== undefined)) await startOver(tx, [id, ...twins])
  if (new URL(stream.url).host !== new URL(before.url).host) await forgetCookies(tx, id)
  return { stream, twins, droppedHeaders }
}

/** @throws Problem `invalid_field` for settings of a stream to which nothing is pushed */
function pushOf(before: Pick<Stream, 'kind' | 'push'>, { kind = before.kind, push }: StreamChange) {
  if (push === undefined || push === null) return isPushed(kind) || before.push === null ? {} : { push: null }
  checkPushed(kind)
  return { push: changedPush(before.push, push) }
}

function idle(id: string): SQL {
  return and(eq(streams.id, id), eq(streams.desired, 'idle')) as SQL
}

/** What is pushed is expected from now on: no run says since when. */
function waitsSince(now: Date): SQL {
  const pushed = sql`SELECT FROM ${streams} WHERE ${streams.id} = ${states.streamId} AND ${inArray(streams.kind, PUSHED_KINDS)}`
  return sql`CASE WHEN EXISTS (${pushed}) THEN jsonb_build_object('phaseSince', ${now.getTime()}::float8) ELSE '{}' END`
}

/** A proxied stream that was started runs for a while even without subscribers. */
function asIfSubscribed(now: Date): SQL {
  return sql`CASE WHEN ${states.subscribedAt} IS NOT NULL THEN ${now.toISOString()}::timestamptz END`
}

/**
 * Resets the progress of streams, so that they start over. It takes a new epoch, because late writes of a run with
 * the old definition would bring the old checkpoint back.
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

/** Cookies are a host's; those of another would only be kept for nothing. */
async function forgetCookies(tx: Database, id: string): Promise<void> {
  await tx.update(checkpoints).set({ cookies: null }).where(eq(checkpoints.streamId, id))
}

function checkChangeable({ proxyKey, twinOf }: Stream, change: StreamChange): void {
  const given = (field: keyof StreamChange) => change[field] !== undefined
  const ofTwin = twinOf === null ? undefined : ASKED.find(given)
  if (ofTwin !== undefined) {
    throw new Problem(
      'conflict',
      `${ofTwin} is shared with the polled stream of this twin. Change it there.`,
      ofTwin,
    )
  }
  if (proxyKey === null && given('alwaysOn')) {
    throw new Problem('conflict', 'Only a proxied stream can be idle without subscribers.', 'alwaysOn')
  }
  const defining = proxyKey === null ? undefined : ASKED.find(given)
  if (defining === undefined) return
  const detail = `Subscribers of this proxied stream requested its ${defining}, so it can't change. Subscribe to another URL instead.`
  throw new Problem('conflict', detail, defining)
}

/** @throws Problem `not_found` if the text can't be an ID; Postgres would reject the query. */
function uuid(text: string): string {
  if (isUuid(text)) return text
  throw noStream(text)
}
