import { and, inArray } from 'drizzle-orm'
import { streams as table } from '../../../drizzle/schema.ts'
import type { Caller } from '../../auth/caller.ts'
import { Problem, type ProblemCode } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { countStreams, type Filter, matchingIds } from './listing.ts'
import { type DeadAfter, MAX_TAGS } from './registration.ts'
import type { Streams } from './streams.ts'
import { visibleTo } from './visibility.ts'

export const BULK_ACTIONS = ['start', 'stop', 'tag', 'untag', 'deadAfter', 'delete'] as const
export type BulkAction = (typeof BULK_ACTIONS)[number]

/** Maximum streams that a request may name, and that its filter may match. */
export const MAX_NAMED = 10_000
export const MAX_MATCHED = 100_000
/** Streams changed in one statement; fewer if they are removed with their logs. */
const BATCH = 500
const BATCH_DELETED = 50

export interface Bulk {
  action: BulkAction
  /** By ID, or all that match. */
  streams: { ids: readonly string[] } | { filter: Filter }
  /** For `tag` and `untag`. */
  tag?: string
  /** For `deadAfter`. */
  deadAfter?: DeadAfter
  /** The number of streams that the caller expects: if more match by now, nothing is done. */
  atMost?: number
}

/** The result of a batch. */
export interface BulkStep {
  /** Total number of streams. */
  total: number
  changed: number
  /** Streams that needed no change. */
  unchanged: number
  failed: readonly BulkFailure[]
}

export interface BulkFailure {
  id: string
  problem: { code: ProblemCode; detail: string }
}

export interface BulkDeps {
  db: Database
  streams: Streams
  /** Some streams may not be visible to the caller. */
  caller: Caller | undefined
}

/**
 * Applies one action to many streams in batches; each batch is all or nothing.
 * @throws Problem `conflict` if more match than the caller expects, `too_many` if more than {@link MAX_MATCHED}
 */
export async function* bulk(deps: BulkDeps, asked: Bulk): AsyncGenerator<BulkStep> {
  const ids = await idsOf(deps, asked)
  const size = asked.action === 'delete' ? BATCH_DELETED : BATCH
  for (let first = 0; first < ids.length; first += size) {
    yield { total: ids.length, ...(await carryOut(deps, asked, ids.slice(first, first + size))) }
  }
}

async function idsOf({ db, caller }: BulkDeps, { streams, atMost = MAX_MATCHED }: Bulk): Promise<string[]> {
  if ('ids' in streams) return [...new Set(streams.ids)]
  const limit = Math.min(atMost, MAX_MATCHED)
  const ids = await matchingIds(db, streams.filter, limit + 1, caller)
  if (ids.length <= limit) return ids
  const matched = await countStreams(db, streams.filter, caller)
  if (limit < MAX_MATCHED) throw new Problem('conflict', `${matched} streams match now, more than ${atMost}.`)
  throw new Problem('too_many', `${matched} streams match; at most ${MAX_MATCHED} can be changed at once.`)
}

async function carryOut(
  { db, streams, caller }: BulkDeps,
  { action, tag = '', deadAfter = {} }: Bulk,
  ids: string[],
): Promise<Omit<BulkStep, 'total'>> {
  const rows = await db
    .select({ id: table.id, tags: table.tags })
    .from(table)
    .where(and(inArray(table.id, ids), visibleTo(caller)))
  const known = new Map(rows.map((row) => [row.id, row.tags]))
  const missing = ids.filter((id) => !known.has(id)).map(notFound)
  const changed = new Set(await ACTIONS[action](streams, [...known.keys()], { tag, deadAfter }))
  const kept = [...known].filter(([id]) => !changed.has(id))
  const isFull = (tags: readonly string[]) =>
    action === 'tag' && !tags.includes(tag) && tags.length >= MAX_TAGS
  const full = kept.filter(([, tags]) => isFull(tags)).map(([id]) => hasNoRoom(id))
  return {
    // Twins that changed along with them weren't requested.
    changed: known.size - kept.length,
    unchanged: kept.length - full.length,
    failed: [...missing, ...full],
  }
}

type Carry = (
  streams: Streams,
  ids: readonly string[],
  values: { tag: string; deadAfter: DeadAfter },
) => Promise<readonly string[]>

const ACTIONS: Record<BulkAction, Carry> = {
  start: (streams, ids) => streams.desireMany(ids, 'running'),
  stop: (streams, ids) => streams.desireMany(ids, 'stopped'),
  tag: (streams, ids, { tag }) => streams.retag(ids, tag, true),
  untag: (streams, ids, { tag }) => streams.retag(ids, tag, false),
  deadAfter: (streams, ids, { deadAfter }) => streams.setDeadAfter(ids, deadAfter),
  async delete(streams, ids) {
    await streams.removeMany(ids)
    return ids
  },
}

function notFound(id: string): BulkFailure {
  return { id, problem: { code: 'not_found', detail: 'Stream not found.' } }
}

function hasNoRoom(id: string): BulkFailure {
  return { id, problem: { code: 'conflict', detail: `The stream already has ${MAX_TAGS} tags.` } }
}
