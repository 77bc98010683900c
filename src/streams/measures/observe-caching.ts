import { freshUntil, readCaching } from '../../core/change/caching.ts'
import type { Freshness } from '../../core/judging/status.ts'
import type { Run } from '../ingest/run.ts'
import type { UpstreamAnswer } from '../ingest/upstream.ts'

/**
 * Notes in the exchange of a poll how long ago the answer before it was, and what caches had to do with it.
 * @returns what its own headers promise, or those of the answer that a cache would have used; a 304 without a lifetime renews that of the answer it stands for
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
 */
export function observeCaching(
  { stream, evidence: { lastPollAt, fresh } }: Pick<Run, 'stream' | 'evidence'>,
  { response, exchange }: Pick<UpstreamAnswer, 'response' | 'exchange'>,
  at: number,
): Freshness {
  const caching = readCaching((name) => response.headers.get(name))
  const last = fresh !== undefined && fresh.of === lastPollAt ? fresh : undefined
  const askedAt = at - (exchange.response.durationMs ?? 0)
  // A clock that was set back knows no time between the two.
  const elapsedMs = lastPollAt === undefined || lastPollAt >= at ? stream.intervalMs : at - lastPollAt
  exchange.comparedMs = Math.round(elapsedMs)
  if (caching.isCacheHit) exchange.isCacheHit = true
  if (last?.until !== undefined && askedAt < last.until) {
    exchange.isFresh = true
    if (last.isOutdated) exchange.isOutdated = true
    // A cache would have answered, so what it has stays as old as it is.
    return { ...last, of: at }
  }
  const lifetimeMs = caching.lifetimeMs ?? (response.status === 304 ? last?.lifetimeMs : undefined)
  const until = lifetimeMs === undefined ? undefined : freshUntil({ ...caching, lifetimeMs }, at)
  return { of: at, lifetimeMs, until }
}
