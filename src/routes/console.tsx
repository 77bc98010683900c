import { Elysia } from 'elysia'
import { EntryDetails, EntryPage, StatusPanel, StreamPage } from '../../views/stream.tsx'
import {
  RegisterForm,
  StreamsPage,
  type StreamsPageData,
  StreamsTable,
  StreamTableRow,
} from '../../views/streams.tsx'
import type { Archive } from '../archive/archive.ts'
import { VERDICTS } from '../core/verdict.ts'
import { Problem } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import { readEntry, readLog } from '../streams/logs.ts'
import { checkRegistration } from '../streams/registration.ts'
import { fleet, type StatusDeps, statusesOf, statusOf } from '../streams/status.ts'
import type { Streams } from '../streams/streams.ts'
import { STREAMS_PAGE_TOPIC, streamPageTopic } from '../topics.ts'
import { html } from './html.ts'
import { integerOf, oneOf, query, readForm } from './input.ts'
import type { LivePages, Send } from './live-pages.tsx'
import {
  entryDetail,
  entryRow,
  measureView,
  savingsView,
  statusView,
  streamRow,
  twinView,
} from './view-models.ts'

const PAGE_ROWS = 50
const LOG_LINES = 50

export interface ConsoleRoutesDeps extends StatusDeps {
  streams: Streams
  archive: Pick<Archive, 'reader'>
  hub: Hub
  pages: LivePages
}

/** The console's pages about streams, and what their forms and live parts ask for. */
export function consoleRoutes(deps: ConsoleRoutesDeps) {
  const { streams, db, hub, pages } = deps
  const archived = deps.archive.reader
  return new Elysia({ detail: { hide: true } })
    .get('/streams', async ({ request }) => {
      const data = await listData(request)
      return html(request.headers.has('hx-request') ? <StreamsTable {...data} /> : <StreamsPage {...data} />)
    })
    .post('/streams', ({ request }) => register(request), { parse: 'none' })
    .get('/streams/live', ({ request, server }) => {
      server?.timeout(request, 0)
      return hub.subscribe(STREAMS_PAGE_TOPIC, {
        signal: request.signal,
        replay: (send) => pages.catchUpList(send),
      })
    })
    .get('/streams/:id', async ({ params, request }) => {
      const { before } = query(request, 'before')
      const status = await statusOf(deps, (await streams.get(params.id)).id)
      const { id } = status.stream
      const [measures, savings, twin, log] = await Promise.all([
        measureView(db, id, deps.now()),
        savingsView(db, status.stream, deps.now()),
        twinView(db, status.stream.id, deps.now()),
        readLog(
          db,
          id,
          { limit: LOG_LINES, before: integerOf('before', before, 0, Number.MAX_SAFE_INTEGER) },
          // How the stream is must be seen even while the archive can't be.
          before === undefined ? undefined : archived,
        ),
      ])
      const first = log.before ?? (before === undefined ? status.seq + 1 : 1)
      const older = first > 1 ? `/streams/${id}?before=${first}` : undefined
      const lines = log.items.map(entryRow).reverse()
      const data = { status: statusView(status), measures, savings, twin, log: lines, older }
      return html(<StreamPage {...data} />)
    })
    .get('/streams/:id/live', async ({ params, request, server }) => {
      const { id } = await streams.get(params.id)
      const { after } = query(request, 'after')
      const seen = request.headers.get('last-event-id') ?? after
      const shown = integerOf('after', seen, 0, Number.MAX_SAFE_INTEGER) ?? 0
      server?.timeout(request, 0)
      const replay = (send: Send) => pages.catchUpStream(id, shown, send)
      return hub.subscribe(streamPageTopic(id), { signal: request.signal, replay })
    })
    .get('/streams/:id/entries/:seq', async ({ params, request }) => {
      const stream = await streams.get(params.id)
      const entry = await readEntry(
        db,
        stream.id,
        integerOf('seq', params.seq, 1, Number.MAX_SAFE_INTEGER) ?? 0,
        archived,
      )
      if (entry === undefined) throw new Problem('not_found', `${stream.name} has no entry ${params.seq}.`)
      const detail = entryDetail(entry)
      const fragment = request.headers.has('hx-request')
      return html(fragment ? <EntryDetails {...detail} /> : <EntryPage entry={detail} name={stream.name} />)
    })
    .post('/streams/:id/start', ({ params, request }) => toggle('start', params.id, request), {
      parse: 'none',
    })
    .post('/streams/:id/stop', ({ params, request }) => toggle('stop', params.id, request), { parse: 'none' })
    .post(
      '/streams/:id/remove',
      async ({ params, request }) => {
        await streams.remove(params.id)
        return leave(request, '/streams')
      },
      { parse: 'none' },
    )

  async function listData(request: Request): Promise<StreamsPageData> {
    const { q, tag, host, state, after } = query(request, 'q', 'tag', 'host', 'state', 'after')
    const filter = { q, tag, host, state: oneOf('state', state, VERDICTS) }
    const page = await streams.list({ ...filter, after, limit: PAGE_ROWS })
    const statuses = new Map(
      (
        await statusesOf(
          deps,
          page.items.map((stream) => stream.id),
        )
      ).map((status) => [status.stream.id, status]),
    )
    const { verdicts } = await fleet(db)
    return {
      rows: page.items.flatMap(({ id }) => statuses.get(id) ?? []).map(streamRow),
      verdicts,
      filter,
      next: page.next && link({ ...filter, after: page.next }),
      form: {},
      self: link({ ...filter, after }),
    }
  }

  async function register(request: Request): Promise<Response> {
    const values = await readForm(request)
    const wantsFragment = request.headers.has('hx-request')
    try {
      const stream = await streams.register(checkRegistration(fromForm(values)))
      if (!wantsFragment) return redirect('/streams')
      return html(<RegisterForm registered={stream.name} />)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const form = { values, error: { field: error.field, detail: error.detail } }
      if (wantsFragment) return html(<RegisterForm {...form} />, { status: error.status })
      const data = await listData(new Request(new URL('/streams', request.url)))
      return html(<StreamsPage {...data} form={form} />, { status: error.status })
    }
  }

  async function toggle(action: 'start' | 'stop', id: string, request: Request): Promise<Response> {
    const { from } = query(request, 'from')
    await streams[action](id)
    if (!request.headers.has('hx-request')) return redirect(from === 'page' ? `/streams/${id}` : '/streams')
    const status = await statusOf(deps, id)
    if (from === 'page') return html(<StatusPanel {...statusView(status)} />)
    return html(<StreamTableRow {...streamRow(status)} />)
  }
}

/** What a form's fields mean as a registration; empty ones are left out. */
function fromForm({ url, kind, intervalSeconds, tags }: Record<string, string>): Record<string, unknown> {
  const registration: Record<string, unknown> = { url: url ?? '' }
  if (kind) Object.assign(registration, kind === 'twin' ? { kind: 'poll', twin: true } : { kind })
  if (intervalSeconds) registration.intervalMs = Math.round(Number(intervalSeconds) * 1_000)
  const list = (tags ?? '').split(',').map((tag) => tag.trim())
  if (list.some(Boolean)) registration.tags = list.filter(Boolean)
  return registration
}

function link(parameters: Record<string, string | undefined>): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return given.length === 0 ? '/streams' : `/streams?${new URLSearchParams(given)}`
}

function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { Location: to } })
}

/** Goes to another page, with script or without. */
function leave(request: Request, to: string): Response {
  if (!request.headers.has('hx-request')) return redirect(to)
  return new Response(null, { status: 200, headers: { 'HX-Redirect': to } })
}
