import { and, asc, eq, gt, ilike, inArray, or, type SQL, sql } from 'drizzle-orm'
import { checkpoints, entries, states, streams } from '../../drizzle/schema.ts'
import type { Evidence, Verdict } from '../core/verdict.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { findKind } from './probe.ts'
import type { Change, Registration } from './registration.ts'
import type { Stream } from './run.ts'
import type { Fetch, Limits } from './upstream.ts'

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

export interface StreamsDeps {
  db: Database
  control: Control
  limits: Limits
  fetch?: Fetch
}

export interface ListQuery {
  /** Part of name or URL. */
  q?: string
  tag?: string
  /** A verdict. */
  state?: Verdict
  /** Id of the last stream of the page before. */
  after?: string
  limit: number
}

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
/** Rows of a log removed in one statement, so that recording goes on meanwhile. */
const DELETE_STEP = 10_000

/** The registered APIs: everything their owners can do with them, but for reading what was recorded. */
export class Streams {
  readonly #deps: StreamsDeps

  constructor(deps: StreamsDeps) {
    this.#deps = deps
  }

  /**
   * Registers an API, and starts it unless told otherwise.
   * @throws Problem `unreachable` when the kind was left out and the API doesn't say.
   */
  async register(registration: Registration): Promise<Stream> {
    const { url, start = true } = registration
    const request = {
      url: new URL(url).href,
      method: registration.method ?? 'GET',
      headers: registration.headers ?? {},
      body: registration.body ?? null,
    }
    const kind = registration.kind ?? (await findKind(request, this.#deps.limits, this.#deps.fetch))
    const now = new Date()
    const stream: Stream = {
      ...request,
      id: Bun.randomUUIDv7(),
      name: registration.name ?? defaultName(request.url),
      kind,
      intervalMs: registration.intervalMs ?? 60_000,
      silenceMs: registration.silenceMs ?? null,
      payloadPointer: registration.payloadPointer ?? '',
      ignorePaths: registration.ignorePaths ?? [],
      arrayKeys: registration.arrayKeys ?? [],
      tags: unique(registration.tags ?? []),
      notify: unique(registration.notify ?? []),
      desired: start ? 'running' : 'stopped',
      alwaysOn: true,
      proxyKey: null,
      via: null,
      twinOf: null,
      createdAt: now,
      updatedAt: now,
    }
    await this.#insert(stream, now)
    if (start) await this.#deps.control.runLater([stream.id])
    this.#deps.control.listed()
    return stream
  }

  /** A page of streams in the order of their registration, and the cursor of the next. */
  async list(query: ListQuery): Promise<{ items: Stream[]; next: string | undefined }> {
    const rows = await this.#deps.db
      .select({ stream: streams })
      .from(streams)
      .innerJoin(states, eq(states.streamId, streams.id))
      .where(matching(query))
      .orderBy(asc(streams.id))
      .limit(query.limit + 1)
    const items = rows.slice(0, query.limit).map((row) => row.stream)
    return { items, next: rows.length > query.limit ? items.at(-1)?.id : undefined }
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

  /** Changes a stream; one that runs goes on by the new definition at once. */
  async change(id: string, change: Change): Promise<Stream> {
    const { db, control } = this.#deps
    const set = { ...change, ...(change.url && { url: new URL(change.url).href }), updatedAt: new Date() }
    const changed = await db.transaction(async (tx) => {
      const [stream] = await tx
        .update(streams)
        .set(set)
        .where(eq(streams.id, uuid(id)))
        .returning()
      if (stream === undefined) throw noStream(id)
      if (DEFINING.some((field) => change[field] !== undefined)) {
        const blank = { snapshotSeq: null, bodyHash: null, lastEventId: null, etag: null, lastModified: null }
        // The next epoch: what the run of the old definition still has to say would bring the old checkpoint back.
        await tx
          .update(checkpoints)
          .set({ ...blank, epoch: sql`${checkpoints.epoch} + 1` })
          .where(eq(checkpoints.streamId, id))
      }
      return stream
    })
    control.interrupt([id])
    control.changed([id])
    return changed
  }

  /** Removes a stream with everything recorded of it. */
  async remove(id: string): Promise<void> {
    const { db, control } = this.#deps
    const removed = await db
      .delete(streams)
      .where(eq(streams.id, uuid(id)))
      .returning({ id: streams.id })
    if (removed.length === 0) throw noStream(id)
    control.interrupt([id])
    control.listed()
    await this.#removeEntries(id)
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
   * Starts or stops every stream that has the tag.
   * @returns how many have it, and how many of them changed.
   */
  async desireTagged(tag: string, desired: Stream['desired']): Promise<{ matched: number; changed: number }> {
    const tagged = await this.#deps.db.select({ id: streams.id }).from(streams).where(hasTag(tag))
    const changed = await this.#desire(and(hasTag(tag)) as SQL, desired)
    return { matched: tagged.length, changed: changed.length }
  }

  async #desireOne(id: string, desired: Stream['desired']): Promise<Stream> {
    await this.#desire(eq(streams.id, uuid(id)), desired)
    return this.get(id)
  }

  async #desire(which: SQL, desired: Stream['desired']): Promise<string[]> {
    const { db, control } = this.#deps
    const now = new Date()
    const ids = await db.transaction(async (tx) => {
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
          .set({ ...opening(desired), evidence, verdictSince: now })
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

  async #insert(stream: Stream, now: Date): Promise<void> {
    const evidence: Evidence = { phase: 'idle', phaseSince: now.getTime(), failures: 0 }
    await this.#deps.db.transaction(async (tx) => {
      await tx.insert(streams).values(stream)
      await tx.insert(checkpoints).values({ streamId: stream.id, epoch: 0, seq: 0 })
      await tx
        .insert(states)
        .values({ streamId: stream.id, epoch: 0, evidence, ...opening(stream.desired), verdictSince: now })
    })
  }

  async #removeEntries(streamId: string): Promise<void> {
    const { db } = this.#deps
    for (;;) {
      const step = db
        .select({ seq: entries.seq })
        .from(entries)
        .where(eq(entries.streamId, streamId))
        .limit(DELETE_STEP)
      const removed = await db
        .delete(entries)
        .where(and(eq(entries.streamId, streamId), inArray(entries.seq, step)))
        .returning({ seq: entries.seq })
      if (removed.length < DELETE_STEP) return
    }
  }
}

/** The verdict that holds from the press of a button until a worker has something to say. */
function opening(desired: Stream['desired']): { verdict: Verdict; verdictReason: string } {
  return desired === 'stopped'
    ? { verdict: 'stopped', verdictReason: 'Stopped on request.' }
    : { verdict: 'quiet', verdictReason: 'Starting.' }
}

function matching({ q, tag, state, after }: ListQuery): SQL | undefined {
  const conditions: (SQL | undefined)[] = []
  if (q !== undefined) {
    const part = `%${q.replace(/[\\%_]/g, '\\$&')}%`
    conditions.push(or(ilike(streams.name, part), ilike(streams.url, part)))
  }
  if (tag !== undefined) conditions.push(hasTag(tag))
  if (state !== undefined) conditions.push(eq(states.verdict, state))
  if (after !== undefined) conditions.push(gt(streams.id, uuid(after)))
  return and(...conditions)
}

function hasTag(tag: string): SQL {
  return sql`${streams.tags} @> ARRAY[${tag}]::text[]`
}

function defaultName(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`.slice(0, 200)
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

/** @throws Problem `not_found` for what can't be an id at all; Postgres would refuse the query. */
function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw noStream(text)
}

function noStream(id: string): Problem {
  return new Problem('not_found', `There is no stream ${id.slice(0, 64)}.`)
}
