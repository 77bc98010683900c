import { Elysia } from 'elysia'
import { type ListedAs, listLink } from '../../../views/streams/links.ts'
import { RegisterForm, StreamsPage, type StreamsPageData } from '../../../views/streams/streams.tsx'
import { StreamsTable } from '../../../views/streams/table.tsx'
import { type Caller, callerOf } from '../../auth/caller.ts'
import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import { subscriberOf } from '../../limits/client.ts'
import { countStreams, type Filter, firstOrder, ORDERS } from '../../streams/registry/listing.ts'
import { checkRegistration } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { visibleAmong } from '../../streams/registry/visibility.ts'
import { availabilityAsOf } from '../../streams/status/refresh-availability.ts'
import {
  type Fleet,
  fleet,
  type StatusDeps,
  type StreamStatus,
  statusesOf,
} from '../../streams/status/status.ts'
import { type Reader, readerOf } from '../access/reader.ts'
import { FILTERS, filterOf, sortOf } from '../http/filter.ts'
import { html } from '../http/html.ts'
import { oneOf, query, readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import { MAX_ROWS } from '../settings/preferences.ts'

export interface ConsoleRoutesDeps extends StatusDeps {
  streams: Streams
  hub: Hub
  pages: LivePages
}

/** Query parameters of the list. */
const LIST_QUERY = [...FILTERS, 'sort', 'order', 'after'] as const

/** The console's list of streams, its forms and live parts. */
export function consoleRoutes(deps: ConsoleRoutesDeps) {
  const { streams, db, hub, pages } = deps
  return new Elysia({ detail: { hide: true } })
    .get('/streams', async ({ request }) => {
      const reader = readerOf(request)
      const data = await listData(reader, query(request, ...LIST_QUERY))
      const isFragment = request.headers.has('hx-request')
      return html(isFragment ? <StreamsTable {...data} /> : <StreamsPage reader={reader} {...data} />)
    })
    .post('/streams', ({ request }) => register(request))
    .get('/streams/live', async ({ request, server }) => {
      const { ids = '', as } = query(request, 'ids', 'as')
      const shown = await visibleAmong(db, shownIds(ids), callerOf(request))
      const isCurrent = as === pages.lists.version && !request.headers.has('last-event-id')
      server?.timeout(request, 0)
      return hub.subscribe(pages.lists.topic(shown), {
        ...subscriberOf(request),
        replay: (send) => pages.lists.catchUp(shown, isCurrent, send),
      })
    })

  async function listData(
    { caller, rows }: Reader,
    { after, ...asked }: Partial<Record<(typeof LIST_QUERY)[number], string>>,
  ): Promise<StreamsPageData> {
    const filter = filterOf(asked)
    const sort = sortOf(asked.sort)
    const order = sort && (oneOf('order', asked.order, ORDERS) ?? firstOrder(sort))
    const listed: ListedAs = { ...filter, sort, order }
    // Read first: a stream registered meanwhile changes it.
    const { version } = pages.lists
    const page = await streams.list({ ...filter, sort, order, after, caller, limit: rows }, deps.now())
    const ids = page.items.map(({ id }) => id)
    const isWhole = after === undefined && page.next === undefined
    const [found, all, availableAt] = await Promise.all([
      statusesOf(deps, ids),
      fleet(db, caller),
      availabilityAsOf(db),
    ])
    return {
      rows: await pages.lists.rows(inOrder(ids, found)),
      statuses: all.statuses,
      listed,
      availableAt,
      total: isWhole ? ids.length : await countOf(filter, all, caller),
      next: page.next,
      isFirst: after === undefined,
      form: {},
      self: listLink(listed, after),
      live: liveOf(ids, version),
    }
  }

  /** Reuses the counts of all streams: counting again would read every one of them. */
  function countOf(
    { status, ...narrower }: Filter,
    { streams, statuses }: Fleet,
    caller: Caller | undefined,
  ): number | Promise<number> {
    if (Object.values(narrower).some((each) => each !== undefined)) {
      return countStreams(db, { status, ...narrower }, caller)
    }
    return status === undefined ? streams : statuses[status]
  }

  async function register(request: Request): Promise<Response> {
    const values = await readForm(request)
    const wantsFragment = request.headers.has('hx-request')
    try {
      const stream = await streams.register(checkRegistration(fromForm(values)))
      if (!wantsFragment) return redirect('/streams')
      return await html(<RegisterForm registered={stream.name} />)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const form = { values, error: { field: error.field, detail: error.detail } }
      if (wantsFragment) return html(<RegisterForm {...form} />, { status: error.status })
      const reader = readerOf(request)
      const data = await listData(reader, {})
      return html(<StreamsPage reader={reader} {...data} form={form} />, { status: error.status })
    }
  }
}

/** Statuses in the order of a page, without streams removed meanwhile. */
function inOrder(ids: readonly string[], statuses: readonly StreamStatus[]): StreamStatus[] {
  const byId = new Map(statuses.map((status) => [status.stream.id, status]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}

/** Live updates of a page's rows. Every page has its own ID, so that a new page reconnects. */
function liveOf(ids: readonly string[], version: string): StreamsPageData['live'] {
  const shown = ids.join()
  return {
    id: `live-${Bun.hash(shown).toString(36)}`,
    href: `/streams/live?${new URLSearchParams({ ids: shown, as: version })}`,
  }
}

/** @throws Problem `invalid_field` */
function shownIds(text: string): string[] {
  const ids = text === '' ? [] : text.split(',')
  if (ids.length <= MAX_ROWS && ids.every(isUuid)) return ids
  throw new Problem('invalid_field', `ids: expected at most ${MAX_ROWS} stream IDs.`, 'ids')
}

/** The form as a registration, without empty fields. */
function fromForm({
  url,
  kind,
  intervalSeconds,
  tags,
  twin,
}: Record<string, string>): Record<string, unknown> {
  const registration: Record<string, unknown> = { url: url ?? '' }
  if (kind) registration.kind = kind
  if (twin !== undefined) registration.twin = true
  if (intervalSeconds) registration.intervalMs = Math.round(Number(intervalSeconds) * 1_000)
  const list = (tags ?? '').split(',').map((tag) => tag.trim())
  if (list.some(Boolean)) registration.tags = list.filter(Boolean)
  return registration
}
