import { Elysia } from 'elysia'
import { type TwinRow, TwinsPage, type TwinsPageData } from '../../../views/twins/twins.tsx'
import { callerOf } from '../../auth/caller.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { HEADLINE } from '../../core/saved.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Window } from '../../streams/measures/measures.ts'
import { addSavings, type ScopeSavings } from '../../streams/measures/savings.ts'
import { firstOrder, ORDERS, type Order } from '../../streams/registry/listing.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import type { Visibility } from '../../streams/registry/visibility.ts'
import {
  addUp,
  MAX_PAIRS,
  measuredSaving,
  type SavedPair,
  savedPairs,
  sortPairs,
  TWIN_SORTS,
  type TwinSort,
  type TwinSums,
  twinCandidates,
  twinPairs,
  twinSteps,
} from '../../streams/twins/twins.ts'
import { type Reader, readerOf } from '../access/reader.ts'
import { created, json } from '../answers/answer.ts'
import { Stream } from '../answers/streams.ts'
import { Twins } from '../answers/twins.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { invalid, oneOf, query as queryOf, readForm } from '../http/input.ts'
import { PAGES, SPAN } from '../http/parameters.ts'
import { choice, otherwise, parameters } from '../http/query.ts'
import { redirect } from '../http/redirect.ts'
import { shared } from '../http/shared.ts'
import { streamJson } from '../streams/streams.ts'

/** Time ranges of the page, the rollups they use, and the length of a point; in milliseconds. */
const RANGES: Record<TwinsPageData['range'], { spanMs: number; step: Step; pointMs: number }> = {
  '1h': { spanMs: STEPS_MS.hour, step: 'minute', pointMs: 2 * STEPS_MS.minute },
  '24h': { spanMs: STEPS_MS.day, step: 'hour', pointMs: STEPS_MS.hour },
  '7d': { spanMs: 7 * STEPS_MS.day, step: 'hour', pointMs: 6 * STEPS_MS.hour },
  '30d': { spanMs: 30 * STEPS_MS.day, step: 'day', pointMs: STEPS_MS.day },
  '90d': { spanMs: 90 * STEPS_MS.day, step: 'day', pointMs: 3 * STEPS_MS.day },
}
const DEFAULT_SORT: TwinSort = 'saved'
const RANGE_NAMES = Object.keys(RANGES) as TwinsPageData['range'][]
/** Maximum number of streams offered for a twin, and how long the list is cached, in milliseconds. */
const MAX_CANDIDATES = 5
const CANDIDATES_MS = 30_000
const MAX_FORM_BYTES = 4_096

export interface TwinRoutesDeps {
  db: Database
  streams: Streams
  visibility: Visibility
  now(): number
}

/** What streaming saves over polling, measured side by side: the pairs, and creating more. */
export function twinRoutes({ db, streams, visibility, now }: TwinRoutesDeps) {
  const candidatesNow = shared(() => twinCandidates(db, now(), MAX_CANDIDATES + 1), {
    ...{ now, forMs: CANDIDATES_MS },
    // The first stream should appear at once.
    isFinal: (found) => found.length > 0,
  })
  const api = new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/twins',
      async ({ query }) => {
        const window = windowOf(query)
        const { pairs, isCut } = await pairsIn(window)
        const sorted = sortPairs(pairs, query.sort, orderOf(query))
        const { items, next } = pageOf(sorted, query.after, query.limit)
        const total = totalOf(pairs)
        return {
          ...window,
          count: pairs.length,
          isCut,
          total: { ...total.sums, ...figures(total), median: total.saved?.median[HEADLINE] ?? null },
          items: items.map(({ saved, ...pair }) => ({ ...pair, ...figures({ sums: pair, saved }) })),
          next: next ?? null,
        }
      },
      {
        query: parameters({
          ...SPAN,
          sort: otherwise(choice(TWIN_SORTS), DEFAULT_SORT),
          order: choice(ORDERS),
          ...PAGES,
        }),
        response: json(Twins),
        detail: describe('List twins', TWINS),
      },
    )
    .post(
      '/api/streams/:id/twin',
      async ({ params }) => {
        const twin = await streams.addTwin(params.id)
        return Response.json(streamJson(twin), {
          status: 201,
          headers: { Location: `/api/streams/${twin.id}` },
        })
      },
      {
        response: created(Stream),
        detail: describe('Create a twin', MAKE, { problems: ['conflict', 'invalid_field'] }),
      },
    )
  const pages = new Elysia({ detail: { hide: true } })
    .get('/twins', async ({ request }) => {
      const reader = readerOf(request)
      return html(<TwinsPage reader={reader} {...(await pageData(request, reader))} />)
    })
    .post('/twins', async ({ request }) => {
      const { stream = '', from } = await readForm(request, MAX_FORM_BYTES)
      await visibility.check(callerOf(request), stream)
      const twin = await streams.addTwin(stream)
      return redirect(from === 'stream' ? `/streams/${twin.twinOf}#twin` : '/twins?range=1h')
    })
  return new Elysia().use(api).use(pages)

  async function pageData(request: Request, { rows }: Reader): Promise<TwinsPageData> {
    const asked = queryOf(request, 'range', 'sort', 'order', 'after')
    const range = oneOf('range', asked.range, RANGE_NAMES) ?? '24h'
    const sort = oneOf('sort', asked.sort, TWIN_SORTS) ?? DEFAULT_SORT
    const order = orderOf({ sort, order: oneOf('order', asked.order, ORDERS) })
    const { spanMs, pointMs, step } = RANGES[range]
    const first = Math.floor((now() - spanMs) / pointMs) * pointMs + pointMs
    const window = { from: new Date(first), to: new Date(now()) }
    const { pairs, isCut } = await pairsIn(window)
    const sorted = sortPairs(pairs, sort, order)
    const { items, next } = pageOf(sorted, asked.after, rows)
    const points = await twinSteps(db, pairs, window, { step, pointMs })
    const at = Array.from(
      { length: Math.ceil((now() - first) / pointMs) || 1 },
      (_, index) => first + index * pointMs,
    )
    const candidates = (await candidatesNow()).filter(({ id }) => pairs.every((pair) => pair.id !== id))
    const byPair = Map.groupBy(points, ({ id }) => id)
    const byTime = Map.groupBy(points, (point) => point.at)
    const total = totalOf(pairs)
    return {
      ...{
        range,
        ranges: RANGE_NAMES,
        sort,
        order,
        pointMs,
        isCut,
        next,
        after: asked.after,
        count: pairs.length,
      },
      total: { ...total.sums, ...figures(total) },
      median: total.saved?.median,
      points: at.map((time) => ({
        at: new Date(time),
        ...addUp((byTime.get(time) ?? []).map(({ sums }) => sums)),
      })),
      rows: items.map(({ saved, ...pair }): TwinRow => {
        const mine = new Map((byPair.get(pair.id) ?? []).map((point) => [point.at, point.sums]))
        const trend = at.map((time) => {
          const sums = mine.get(time)
          return { polled: sums?.conditionalBytes ?? 0, streamed: sums?.streamedBytes ?? 0 }
        })
        return { ...pair, ...figures({ sums: pair, saved }), trend }
      }),
      candidates: candidates.slice(0, MAX_CANDIDATES),
    }
  }

  async function pairsIn(window: Window) {
    const { pairs, isCut } = await twinPairs(db, window)
    return { pairs: await savedPairs(db, pairs, window), isCut }
  }

  function windowOf({ from, to = new Date(now()) }: { from?: Date; to?: Date }): Window {
    const start = from ?? new Date(to.getTime() - STEPS_MS.day)
    if (start < to) return { from: start, to }
    throw invalid('from', '`from` must be before `to`.')
  }
}

function totalOf(pairs: readonly SavedPair[]) {
  return { sums: addUp(pairs), saved: addSavings(pairs.flatMap(({ saved }) => saved ?? [])) }
}

/** What streaming saves, calculated as everywhere, and as the twins measured it. */
function figures({
  sums,
  saved,
}: {
  sums: TwinSums
  saved: Pick<ScopeSavings, 'saving' | 'networkSaving'> | undefined
}) {
  return {
    saving: saved?.saving ?? null,
    networkSaving: saved?.networkSaving ?? null,
    measuredSaving: measuredSaving(sums),
  }
}

function orderOf({ sort, order }: { sort: TwinSort; order?: Order }): Order {
  return order ?? (sort === 'name' ? firstOrder('name') : 'desc')
}

/** @throws Problem `invalid_field` when the last pair of the previous page is gone */
function pageOf(sorted: readonly SavedPair[], after: string | undefined, limit: number) {
  const start = after === undefined ? 0 : sorted.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && start === 0) {
    throw new Problem('invalid_field', 'after: that pair is gone. Start with the first page.', 'after')
  }
  const items = sorted.slice(start, start + limit)
  return { items, next: sorted.length > start + limit ? items.at(-1)?.id : undefined }
}

const TWINS =
  'The same API, polled and streamed by Weir at the same time. `plainBytes`, `gzipBytes` and `conditionalBytes`: bytes ' +
  'that a client transfers when it polls plainly, with gzip, and with gzip and ETag (304 if unchanged); `polledBytes`: ' +
  'bytes that Weir actually polled, as efficiently as the upstream allows; `streamedBytes`: bytes that the twin received ' +
  'as JSON Patch, including heartbeats and snapshots. All include response headers. `measuredSaving` = 1 − streamedBytes / ' +
  'conditionalBytes. Polls before the twin was created don’t count in these. `saving` and `networkSaving` are what ' +
  '`/api/streams/:id/savings` says for the whole window: calculated, and the same in every answer; null before the first ' +
  'poll. Default: the last 24 ' +
  'hours, by whole minutes, or by whole hours where per-minute rollups are gone. ' +
  `\`total\` covers all pairs, at most ${MAX_PAIRS}; if there are more, \`isCut\` is true and the newest pairs are listed.`
const MAKE =
  'Adds a twin to a stream that is polled with GET: the same API, streamed through the proxy. It starts, stops, changes ' +
  'and is deleted with the stream. Fails with `conflict` if the stream has a twin, and with `invalid_field` if there is ' +
  'nothing to compare.'
