import { Elysia } from 'elysia'
import { type ListedAs, listLink } from '../../../views/streams/links.ts'
import { RegisterForm, StreamsPage, type StreamsPageData } from '../../../views/streams/streams.tsx'
import { StreamsTable } from '../../../views/streams/table.tsx'
import { type Caller, callerOf } from '../../auth/caller.ts'
import { Problem } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import { readerOf } from '../../limits/client.ts'
import { countStreams, type Filter, firstOrder, ORDERS, SORTS } from '../../streams/registry/listing.ts'
import { checkRegistration } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { isUuid } from '../../streams/registry/uuid.ts'
import { visibleAmong } from '../../streams/registry/visibility.ts'
import { type Fleet, fleet, type Status, type StatusDeps, statusesOf } from '../../streams/status/status.ts'
import { FILTERS, filterOf } from '../http/filter.ts'
import { html } from '../http/html.ts'
import { oneOf, query, readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import { MAX_ROWS, preferencesOf } from '../settings/preferences.ts'

export interface ConsoleRoutesDeps extends StatusDeps {
  streams: Streams
  hub: Hub
  pages: LivePages
}

/** The console's list of streams, and what its forms and live parts ask for. */
export function consoleRoutes(deps: ConsoleRoutesDeps) {
  const { streams, db, hub, pages } = deps
  return new Elysia({ detail: { hide: true } })
    .get('/streams', async ({ request }) => {
      const data = await listData(request)
      return html(request.headers.has('hx-request') ? <StreamsTable {...data} /> : <StreamsPage {...data} />)
    })
    .post('/streams', ({ request }) => register(request), { parse: 'none' })
    .get('/streams/live', async ({ request, server }) => {
      const { ids = '', as } = query(request, 'ids', 'as')
      const shown = await visibleAmong(db, shownIds(ids), callerOf(request))
      const isCurrent = as === pages.lists.version && !request.headers.has('last-event-id')
      server?.timeout(request, 0)
      return hub.subscribe(pages.lists.topic(shown), {
        ...readerOf(request),
        replay: (send) => pages.lists.catchUp(shown, isCurrent, send),
      })
    })

  async function listData(request: Request, caller = callerOf(request)): Promise<StreamsPageData> {
    const { after, ...asked } = query(request, ...FILTERS, 'sort', 'order', 'after')
    const filter = filterOf(asked)
    const sort = oneOf('sort', asked.sort, SORTS)
    const order = sort && (oneOf('order', asked.order, ORDERS) ?? firstOrder(sort))
    const listed: ListedAs = { ...filter, sort, order }
    // Read first: a stream that is registered meanwhile makes it another.
    const { version } = pages.lists
    const page = await streams.list(
      { ...filter, sort, order, after, caller, limit: preferencesOf(request).rows },
      deps.now(),
    )
    const ids = page.items.map(({ id }) => id)
    const isWhole = after === undefined && page.next === undefined
    const [statuses, all] = await Promise.all([statusesOf(deps, ids), fleet(db, caller)])
    const { verdicts } = all
    return {
      rows: await pages.lists.rows(inOrder(ids, statuses)),
      verdicts,
      listed,
      total: isWhole ? ids.length : await countOf(filter, all, caller),
      next: page.next,
      isFirst: after === undefined,
      form: {},
      self: listLink(listed, after),
      live: liveOf(ids, version),
    }
  }

  /** What is known of all streams isn't counted again: that reads every one of them. */
  function countOf(
    { state, ...narrower }: Filter,
    { streams, verdicts }: Fleet,
    caller: Caller | undefined,
  ): number | Promise<number> {
    if (Object.values(narrower).some((each) => each !== undefined)) {
      return countStreams(db, { state, ...narrower }, caller)
    }
    return state === undefined ? streams : verdicts[state]
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
      const data = await listData(new Request(new URL('/streams', request.url)), callerOf(request))
      return html(<StreamsPage {...data} form={form} />, { status: error.status })
    }
  }
}

/** Statuses in the order of a page; a stream that was removed meanwhile is left out. */
function inOrder(ids: readonly string[], statuses: readonly Status[]): Status[] {
  const byId = new Map(statuses.map((status) => [status.stream.id, status]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}

/** Where a page hears of its rows. Another page has another id, so that it connects anew. */
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
  throw new Problem('invalid_field', `ids: expected at most ${MAX_ROWS} ids of streams.`, 'ids')
}

/** What a form's fields mean as a registration; empty ones are left out. */
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
