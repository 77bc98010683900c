import { Elysia } from 'elysia'
import { type TwinRow, TwinsPage, type TwinsPageData } from '../../../views/twins/twins.tsx'
import { callerOf } from '../../auth/caller.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Window } from '../../streams/measures/measures.ts'
import { firstOrder, ORDERS, type Order } from '../../streams/registry/listing.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import type { Visibility } from '../../streams/registry/visibility.ts'
import {
  addUp,
  MAX_PAIRS,
  sortPairs,
  TWIN_SORTS,
  type TwinPair,
  type TwinSort,
  twinCandidates,
  twinPairs,
  twinSaving,
  twinSteps,
} from '../../streams/twins/twins.ts'
import { created, json } from '../answers/answer.ts'
import { Stream } from '../answers/streams.ts'
import { Twins } from '../answers/twins.ts'
import { html } from '../http/html.ts'
import { dateOf, integerOf, oneOf, query, readForm } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { redirect } from '../http/redirect.ts'
import { shared } from '../http/shared.ts'
import { typed } from '../http/typed.ts'
import { preferencesOf } from '../settings/preferences.ts'
import { streamJson } from '../streams/streams.ts'

/** How far back the page shows, from what sums, and how long one of its points is; in milliseconds. */
const RANGES: Record<TwinsPageData['range'], { spanMs: number; step: Step; pointMs: number }> = {
  '1h': { spanMs: STEPS_MS.hour, step: 'minute', pointMs: 2 * STEPS_MS.minute },
  '24h': { spanMs: STEPS_MS.day, step: 'hour', pointMs: STEPS_MS.hour },
  '7d': { spanMs: 7 * STEPS_MS.day, step: 'hour', pointMs: 6 * STEPS_MS.hour },
  '30d': { spanMs: 30 * STEPS_MS.day, step: 'day', pointMs: STEPS_MS.day },
}
const RANGE_NAMES = Object.keys(RANGES) as TwinsPageData['range'][]
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** Streams told of that could have a twin, and how long they are as good as new, in milliseconds. */
const MAX_CANDIDATES = 5
const CANDIDATES_MS = 30_000
const MAX_FORM_BYTES = 4_096

interface TwinsQuery {
  from?: string
  to?: string
  sort?: TwinSort
  order?: Order
  after?: string
  limit?: number
}

export interface TwinRoutesDeps {
  db: Database
  streams: Streams
  visibility: Visibility
  now(): number
}

/** What streaming saves over polling, measured side by side: every pair, and how there come to be more. */
export function twinRoutes({ db, streams, visibility, now }: TwinRoutesDeps) {
  const candidatesNow = shared(() => twinCandidates(db, now(), MAX_CANDIDATES + 1), {
    ...{ now, forMs: CANDIDATES_MS },
    // Whoever registers the first stream wants to see it.
    isFinal: (found) => found.length > 0,
  })
  const api = new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/twins',
      async ({ request }) => {
        const asked = query(request, 'from', 'to', 'sort', 'order', 'after', 'limit')
        const window = windowOf(asked.from, asked.to)
        const limit = integerOf('limit', asked.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT
        const { pairs, isCut } = await twinPairs(db, window)
        const sorted = sortPairs(pairs, ...sortOf(asked.sort, asked.order))
        const { items, next } = pageOf(sorted, asked.after, limit)
        const total = addUp(pairs)
        return {
          ...window,
          count: pairs.length,
          isCut,
          total: { ...total, saving: twinSaving(total) },
          items: items.map((pair) => ({ ...pair, saving: twinSaving(pair) })),
          next: next ?? null,
        }
      },
      {
        ...typed<{ query: TwinsQuery }>(),
        detail: operation('Every stream with a twin', TWINS, {
          parameters: [
            ...['from', 'to'],
            { name: 'sort', schema: { type: 'string', enum: [...TWIN_SORTS], default: 'saved' } },
            ...['order', 'after', 'limit'],
          ],
          answers: json(Twins),
        }),
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
        parse: 'none',
        detail: operation('Make a twin', MAKE, {
          answers: created(Stream),
          problems: ['conflict', 'invalid_field'],
        }),
      },
    )
  const pages = new Elysia({ detail: { hide: true } })
    .get('/twins', async ({ request }) => html(<TwinsPage {...(await pageData(request))} />))
    .post(
      '/twins',
      async ({ request }) => {
        const { stream = '', from } = await readForm(request, MAX_FORM_BYTES)
        await visibility.check(callerOf(request), stream)
        const twin = await streams.addTwin(stream)
        return redirect(from === 'stream' ? `/streams/${twin.twinOf}#twin` : '/twins?range=1h')
      },
      { parse: 'none' },
    )
  return new Elysia().use(api).use(pages)

  async function pageData(request: Request): Promise<TwinsPageData> {
    const asked = query(request, 'range', 'sort', 'order', 'after')
    const range = oneOf('range', asked.range, RANGE_NAMES) ?? '24h'
    const [sort, order] = sortOf(asked.sort, asked.order)
    const { spanMs, pointMs, step } = RANGES[range]
    const first = Math.floor((now() - spanMs) / pointMs) * pointMs + pointMs
    const window = { from: new Date(first), to: new Date(now()) }
    const { pairs, isCut } = await twinPairs(db, window)
    const sorted = sortPairs(pairs, sort, order)
    const { items, next } = pageOf(sorted, asked.after, preferencesOf(request).rows)
    const points = await twinSteps(db, pairs, window, { step, pointMs })
    const at = Array.from(
      { length: Math.ceil((now() - first) / pointMs) || 1 },
      (_, index) => first + index * pointMs,
    )
    const candidates = (await candidatesNow()).filter(({ id }) => pairs.every((pair) => pair.id !== id))
    const byPair = Map.groupBy(points, ({ id }) => id)
    const byTime = Map.groupBy(points, (point) => point.at)
    const total = addUp(pairs)
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
      total: { ...total, saving: twinSaving(total) },
      points: at.map((time) => ({
        at: new Date(time),
        ...addUp((byTime.get(time) ?? []).map(({ sums }) => sums)),
      })),
      rows: items.map((pair): TwinRow => {
        const mine = new Map((byPair.get(pair.id) ?? []).map((point) => [point.at, point.sums]))
        const trend = at.map((time) => {
          const sums = mine.get(time)
          return { polled: sums?.conditionalBytes ?? 0, streamed: sums?.streamedBytes ?? 0 }
        })
        return { ...pair, saving: twinSaving(pair), trend }
      }),
      candidates: candidates.slice(0, MAX_CANDIDATES),
    }
  }

  function windowOf(from: string | undefined, to: string | undefined): Window {
    const end = dateOf('to', to) ?? new Date(now())
    const start = dateOf('from', from) ?? new Date(end.getTime() - STEPS_MS.day)
    if (start < end) return { from: start, to: end }
    throw new Problem('invalid_field', 'from: expected a time before `to`.', 'from')
  }
}

function sortOf(sort: string | undefined, order: string | undefined): [TwinSort, Order] {
  const by = oneOf('sort', sort, TWIN_SORTS) ?? 'saved'
  return [by, oneOf('order', order, ORDERS) ?? (by === 'name' ? firstOrder('name') : 'desc')]
}

/** @throws Problem `invalid_field` when the pair that the page before ended with is gone */
function pageOf(sorted: readonly TwinPair[], after: string | undefined, limit: number) {
  const start = after === undefined ? 0 : sorted.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && start === 0) {
    throw new Problem('invalid_field', 'after: that pair is gone; begin with the first page.', 'after')
  }
  const items = sorted.slice(start, start + limit)
  return { items, next: sorted.length > start + limit ? items.at(-1)?.id : undefined }
}

const TWINS =
  'The same API polled and streamed by Weir at the same time. `plainBytes`, `gzipBytes` and `conditionalBytes` are what a ' +
  'client moves that polls plainly, with gzip, and with gzip and ETag, where an unchanged body is a 304; ' +
  '`polledBytes` is what Weir itself moved by polling, as well as the upstream lets it, and `streamedBytes` what the twin ' +
  'received as JSON Patch, heartbeats and snapshots among it; all with the heads of responses. `saving` = 1 − ' +
  'streamedBytes / conditionalBytes, null before anything was polled. What was polled before the twin was made doesn’t ' +
  'count. The last 24 hours unless asked otherwise, by whole minutes; of times whose minutes are gone, by whole hours. ' +
  `\`total\` is of all pairs, at most ${MAX_PAIRS}: \`isCut\` where there are more, and the last ones made are told.`
const MAKE =
  'Of a stream that is polled by GET: the same API, streamed through the proxy beside it. It runs where the stream runs, ' +
  'changes with it, and goes with it. Problem `conflict` when there is one, `invalid_field` where there is nothing to ' +
  'compare.'
