import { Elysia } from 'elysia'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { DAY_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { type CacheReport, cacheReport } from '../../streams/measures/caching.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import { Cache } from '../answers/caching.ts'
import { describe } from '../http/describe.ts'
import { invalid } from '../http/input.ts'
import { SPAN } from '../http/parameters.ts'
import { parameters } from '../http/query.ts'

/** What caches could do with a stream's polls. */
export function cachingRoutes({ db, streams, now }: { db: Database; streams: Streams; now(): number }) {
  return new Elysia({ detail: { tags: ['Measures'] } }).get(
    '/api/streams/:id/cache',
    async ({ params, query }) => {
      const stream = await streams.get(params.id)
      const to = query.to ?? new Date(now())
      const from = query.from ?? new Date(to.getTime() - DAY_MS)
      if (from >= to) throw invalid('from', '`from` must be before `to`.')
      const report = await cacheReport(db, stream, { from, to })
      return { from, to, ...shown(report), reason: STREAM_KIND[stream.kind].isPolled ? null : NOT_POLLED }
    },
    {
      query: parameters(SPAN),
      response: json(Cache),
      detail: describe('Caching of a stream', CACHING),
    },
  )
}

const NOT_POLLED = 'The API sends an event stream, which no cache can answer.'
const CACHING =
  'What caches do with polls of this stream, and what they could do. `fresh`: polls made while the last answer was still ' +
  'fresh by its own headers (RFC 9111), which a cache could have answered; `freshChanged`: those in which the document ' +
  'had changed, so that the cached answer would have been outdated. `cacheHits`: answers from a shared cache, by ' +
  'Cache-Status, CF-Cache-Status, X-Cache or Age. `headers`: what the last answer promises. `validators`: whether ETag ' +
  'or Last-Modified led to a 304. `suggestedMaxAge`: the longest max-age, in seconds, at which about a tenth of the ' +
  'reused answers would be outdated, by the upper end of the frequency of change. Counts whole minutes; default: the ' +
  'last 24 hours.'

function shown({ headers, suggestedMaxAgeS, ...counts }: CacheReport) {
  return {
    ...counts,
    headers: headers && {
      at: headers.at,
      lifetimeMs: headers.lifetimeMs ?? null,
      sharedLifetimeMs: headers.sharedLifetimeMs ?? headers.lifetimeMs ?? null,
      ageMs: headers.ageMs,
      directives: [...headers.directives],
      etag: headers.hasEtag,
      lastModified: headers.hasLastModified,
    },
    suggestedMaxAge: suggestedMaxAgeS,
  }
}
