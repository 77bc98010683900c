import { and, desc, eq, gte, inArray, isNotNull } from 'drizzle-orm'
import { entries, states } from '../../../drizzle/schema.ts'
import { type Caching, readCaching } from '../../core/change/caching.ts'
import type { Estimate } from '../../core/change/rate.ts'
import type { Evidence } from '../../core/judging/status.ts'
import { ENTRY_KIND, ENTRY_KINDS } from '../../core/sets/entry-kinds.ts'
import { HOUR_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import type { Exchange } from '../recording/entry.ts'
import { changesOf } from './comparisons.ts'
import { sumsOf, type Window } from './measures.ts'

/** Kinds of entries that are answered polls. */
const POLLS = ENTRY_KINDS.filter((kind) => ENTRY_KIND[kind].isPoll)
/** Changes per lifetime at which about a tenth of the reused answers is outdated. */
const OUTDATED_CHANGES = 0.2
/** Longest lifetime that is suggested, in seconds: a week. */
const MAX_SUGGESTED_S = 604_800

/** Whether an API's ETag or Last-Modified saves bodies: unknown while every poll found a change. */
export type Validators = 'honored' | 'ignored' | 'none' | 'unknown'

/** What caches did with a stream's polls, and what they could have done. */
export interface CacheReport {
  polls: number
  /** Answers that came from a shared cache. */
  cacheHits: number
  /** Polls while the last answer was still fresh by its headers, and those of them that had changed. */
  fresh: number
  freshChanged: number
  notModified: number
  /** From the last answer; null without one in the window. */
  headers: (Caching & { at: Date }) | null
  validators: Validators
  /** The longest `max-age` at which about a tenth of the reused answers would be outdated, in seconds; null if unknown. */
  suggestedMaxAgeS: number | null
}

export async function cacheReport(
  db: Database,
  stream: Pick<Stream, 'id' | 'kind' | 'intervalMs' | 'createdAt'>,
  window: Window,
): Promise<CacheReport> {
  const [sums, estimate, last] = await Promise.all([
    sumsOf(db, { streamId: stream.id }, window),
    changesOf(db, stream, window),
    lastAnswer(db, stream.id, window.from),
  ])
  const { polls, cacheHits, fresh, freshChanged, notModified, compared, changed } = sums
  const hasValidators = last !== null && (last.hasEtag || last.hasLastModified)
  return {
    ...{ polls, cacheHits, fresh, freshChanged, notModified },
    headers: last,
    validators: validatorsOf({ notModified, hasValidators, unchanged: compared - changed }),
    suggestedMaxAgeS: suggestedMaxAge(estimate),
  }
}

function validatorsOf(seen: { notModified: number; hasValidators: boolean; unchanged: number }): Validators {
  if (seen.notModified > 0) return 'honored'
  if (!seen.hasValidators) return 'none'
  return seen.unchanged > 0 ? 'ignored' : 'unknown'
}

/** By the upper end of the interval: an answer that is reused too long is worse than one that is asked for again. */
function suggestedMaxAge(estimate: Estimate | null): number | null {
  if (!estimate?.high) return null
  return Math.min(MAX_SUGGESTED_S, Math.floor(((OUTDATED_CHANGES / estimate.high) * HOUR_MS) / 1_000))
}

/** The headers of the last answer. A 304 without a lifetime has that of the answer it stands for. */
async function lastAnswer(db: Database, streamId: string, from: Date): Promise<CacheReport['headers']> {
  const [[entry], [state]] = await Promise.all([
    db
      .select({ at: entries.at, exchange: entries.exchange })
      .from(entries)
      .where(
        and(
          eq(entries.streamId, streamId),
          gte(entries.at, from),
          inArray(entries.kind, POLLS),
          isNotNull(entries.exchange),
        ),
      )
      .orderBy(desc(entries.seq))
      .limit(1),
    db.select({ evidence: states.evidence }).from(states).where(eq(states.streamId, streamId)),
  ])
  const response = (entry?.exchange as Exchange | null | undefined)?.response
  if (entry === undefined || response === undefined) return null
  const caching = readCaching((name) => response.headers[name])
  const known = (state?.evidence as Evidence | undefined)?.fresh?.lifetimeMs
  const isRenewed = response.status === 304 && caching.lifetimeMs === undefined && known !== undefined
  return { at: entry.at, ...caching, ...(isRenewed && { lifetimeMs: known }) }
}
