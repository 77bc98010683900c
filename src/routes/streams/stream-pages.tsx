import { Elysia } from 'elysia'
import { channels } from '../../../drizzle/schema.ts'
import { AvailabilityPanel } from '../../../views/stream/availability.tsx'
import { ChartsPanel, RANGE_NAMES } from '../../../views/stream/charts.tsx'
import { StreamEditPage } from '../../../views/stream/edit.tsx'
import { EntryDetails, EntryPage } from '../../../views/stream/entry.tsx'
import { StreamIncidents } from '../../../views/stream/incidents.tsx'
import { type LogData, OlderLines } from '../../../views/stream/log.tsx'
import { NotifyPanel, SentList } from '../../../views/stream/notify.tsx'
import { StatusPanel, StreamPage, type StreamPageData } from '../../../views/stream/stream.tsx'
import { TimelinePanel } from '../../../views/stream/timeline.tsx'
import { StreamTableRow } from '../../../views/streams/table.tsx'
import type { Archive } from '../../archive/archive.ts'
import { versionsWith } from '../../archive/read-through.ts'
import type { Bus } from '../../bus/bus.ts'
import { STEPS_MS } from '../../core/measures.ts'
import type { EntryKind } from '../../core/sets/entry-kinds.ts'
import { ENTRY_KINDS } from '../../core/sets/entry-kinds.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import { listIncidents } from '../../incidents/read.ts'
import { subscriberOf } from '../../limits/client.ts'
import { versionsIn } from '../../streams/documents/versions.ts'
import { readEntry } from '../../streams/log/logs.ts'
import { type LogFilter, searchLog } from '../../streams/log/search-log.ts'
import { cacheReport } from '../../streams/measures/caching.ts'
import { hourOfWeek } from '../../streams/measures/measures.ts'
import { checkChange } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { type StatusDeps, type StreamStatus, statusOf } from '../../streams/status/status.ts'
import { mayHaveTwin } from '../../streams/twins/twin.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { integerOf, oneOf, query, readForm } from '../http/input.ts'
import { leave, redirect } from '../http/redirect.ts'
import { incidentView } from '../incidents/incident-pages.tsx'
import type { LivePages, Send } from '../live/live-pages.tsx'
import { entryView } from './entry-view.ts'
import { availabilityData } from './stream-availability.ts'
import { chartsData } from './stream-charts.ts'
import { changeOf, streamForm, untoldDrops } from './stream-form.ts'
import { type NotifyDeps, notifyData, sendNotice, sentRows } from './stream-notify.ts'
import { timelineData } from './stream-timeline.ts'
import { entryRow, measureView, pushView, savingsView, statusView, twinView } from './view-models.ts'

const LOG_LINES = 50
const INCIDENTS_SHOWN = 8
/** Query parameters of a stream's page: which entries of the log, and the time range of charts. */
const PAGE_QUERY = ['before', 'kind', 'q', 'range'] as const
/** Time covered by the week's profile, in milliseconds: eight weeks. */
const PROFILE_MS = 56 * STEPS_MS.day
/** Names of channels to choose from. */
const CHANNELS_TOLD = 100
/** Longest text that a log is searched for. */
const MAX_SEARCH_CHARS = 200

export interface StreamPagesDeps extends StatusDeps, NotifyDeps {
  streams: Streams
  archive: Pick<Archive, 'reader'>
  hub: Hub
  /** Hears `stream.watched`. */
  bus: Bus
  pages: LivePages
}

/** The page of one stream, its forms and live parts, and the pages of its entries. */
export function streamPages(deps: StreamPagesDeps) {
  const { streams, db, hub, pages } = deps
  const archived = deps.archive.reader
  const versions = versionsWith(versionsIn(db), archived)
  return new Elysia({ detail: { hide: true } })
    .get('/streams/:id', async ({ params, request }) => {
      const status = await statusOf(deps, (await streams.get(params.id)).id)
      if (request.headers.has('hx-request')) return html(<OlderLines {...(await logData(status, request))} />)
      return html(<StreamPage reader={readerOf(request)} {...(await pageData(status, request))} />)
    })
    .get('/streams/:id/live', async ({ params, request, server }) => {
      const { id } = await streams.get(params.id)
      const { after, kind, q } = query(request, 'after', 'kind', 'q')
      const seen = request.headers.get('last-event-id') ?? after
      const shown = integerOf('after', seen, 0, Number.MAX_SAFE_INTEGER) ?? 0
      const filter = filterOf(kind, q)
      server?.timeout(request, 0)
      const replay = async (send: Send) => {
        const seq = await pages.catchUpStream(id, shown, filter, send)
        deps.bus.publish({ type: 'stream.watched', streamId: id, seq })
      }
      return hub.subscribe(pages.topic(id, filter), { ...subscriberOf(request), replay })
    })
    .get('/streams/:id/incidents', async ({ params }) => {
      const { id } = await streams.get(params.id)
      return html(<StreamIncidents {...(await incidentsData(id))} />)
    })
    .get('/streams/:id/charts', async ({ params, request }) => {
      const stream = await streams.get(params.id)
      const { range } = query(request, 'range')
      const asked = [rangeOf(range), deps.now()] as const
      const [availability, charts, timeline] = await Promise.all([
        availabilityData(db, stream, ...asked),
        chartsData(db, stream, ...asked),
        timelineData(db, stream.id, ...asked),
      ])
      return html(
        <>
          <AvailabilityPanel {...availability} />
          <ChartsPanel {...charts} />
          <TimelinePanel {...timeline} />
        </>,
      )
    })
    .get('/streams/:id/entries/:seq', async ({ params, request }) => {
      const stream = await streams.get(params.id)
      const seq = integerOf('seq', params.seq, 1, Number.MAX_SAFE_INTEGER) ?? 0
      const entry = await readEntry(db, stream.id, seq, archived)
      if (entry === undefined) throw new Problem('not_found', `${stream.name} has no entry ${params.seq}.`)
      const detail = await entryView(versions, stream, entry)
      const fragment = request.headers.has('hx-request')
      return html(
        fragment ? (
          <EntryDetails {...detail} />
        ) : (
          <EntryPage reader={readerOf(request)} entry={detail} name={stream.name} />
        ),
      )
    })
    .post('/streams/:id/notify', async ({ params, request }) => {
      const { message = '' } = await readForm(request)
      const { data, status } = await sendNotice(deps, await streams.get(params.id), message)
      if (request.headers.has('hx-request')) return html(<NotifyPanel {...data} />, { status })
      const page = await pageData(await statusOf(deps, params.id), bare(request))
      return html(<StreamPage reader={readerOf(request)} {...page} notify={data} />, { status })
    })
    .get('/streams/:id/notified', async ({ params, request }) => {
      const { id } = await streams.get(params.id)
      const { deliveries = '' } = query(request, 'deliveries')
      return html(<SentList streamId={id} sent={await sentRows(db, id, deliveries.split(','))} />)
    })
    .get('/streams/:id/edit', async ({ params, request }) =>
      html(
        <StreamEditPage
          reader={readerOf(request)}
          {...streamForm(await streams.get(params.id), await channelNames())}
        />,
      ),
    )
    .post('/streams/:id/edit', ({ params, request }) => edit(params.id, request))
    .post('/streams/:id/start', ({ params, request }) => toggle('start', params.id, request))
    .post('/streams/:id/stop', ({ params, request }) => toggle('stop', params.id, request))
    .post('/streams/:id/remove', async ({ params, request }) => {
      await streams.remove(params.id)
      return leave(request, '/streams')
    })

  async function pageData(status: StreamStatus, request: Request): Promise<StreamPageData> {
    const { id } = status.stream
    const range = rangeOf(query(request, ...PAGE_QUERY).range)
    const now = deps.now()
    const week = { from: new Date(now - PROFILE_MS), to: new Date(now) }
    const [measures, savings, caching, twin, log, incidents, notify, availability, charts, timeline, hours] =
      await Promise.all([
        measureView(db, status.stream, deps.now()),
        savingsView(db, status.stream, deps.now()),
        STREAM_KIND[status.stream.kind].isPolled
          ? cacheReport(db, status.stream, {
              from: new Date(now - STEPS_MS.day),
              to: new Date(now),
            })
          : undefined,
        twinView(db, id, deps.now()),
        logData(status, request),
        incidentsData(id),
        notifyData(deps, id),
        availabilityData(db, status.stream, range, now),
        chartsData(db, status.stream, range, now),
        timelineData(db, id, range, now),
        hourOfWeek(db, { streamId: id }, week),
      ])
    const parts = {
      measures,
      savings,
      caching,
      twin,
      log,
      incidents,
      notify,
      availability,
      charts,
      timeline,
      week: { hours },
    }
    return {
      status: statusView(status),
      push: pushView(status, now),
      ...parts,
      mayHaveTwin: twin === undefined && mayHaveTwin(status.stream),
    }
  }

  async function logData({ stream: { id }, seq }: StreamStatus, request: Request): Promise<LogData> {
    const { before, kind, q } = query(request, ...PAGE_QUERY)
    const filter = filterOf(kind, q)
    const from = integerOf('before', before, 0, Number.MAX_SAFE_INTEGER)
    const { items, searchedTo } = await searchLog(
      db,
      id,
      { filter, before: from, limit: LOG_LINES },
      // The page must work even while the archive can't be reached.
      from === undefined ? undefined : archived,
    )
    const next = from === undefined && searchedTo === 1 ? (items[0]?.seq ?? seq + 1) : searchedTo
    return {
      streamId: id,
      lines: items.map(entryRow).reverse(),
      filter: { kind, q },
      older: next > 1 ? `/streams/${id}?${search({ before: String(next), kind, q })}` : undefined,
      searchedTo: searchedTo > 1 && items.length < LOG_LINES ? searchedTo : undefined,
    }
  }

  async function incidentsData(streamId: string) {
    const [open, acknowledged, past] = await Promise.all(
      (['open', 'acknowledged', 'resolved'] as const).map((state) =>
        listIncidents(db, { state, stream: streamId, limit: INCIDENTS_SHOWN }),
      ),
    )
    const lists = [open, acknowledged, past].filter((list) => list !== undefined)
    const items = lists.flatMap(({ items }) => items)
    const more = items.length > INCIDENTS_SHOWN || lists.some(({ next }) => next !== undefined)
    return {
      streamId,
      items: items.slice(0, INCIDENTS_SHOWN).map((item) => incidentView(item, deps.now())),
      more,
    }
  }

  async function edit(id: string, request: Request): Promise<Response> {
    const values = await readForm(request)
    const stream = await streams.get(id)
    try {
      const typed = changeOf(stream, values)
      if (Object.keys(typed).length > 0) {
        const change = checkChange(typed)
        const dropping = untoldDrops(stream, values, change)
        if (dropping !== undefined) {
          const form = streamForm(stream, await channelNames(), { values, dropping })
          return await html(<StreamEditPage reader={readerOf(request)} {...form} />)
        }
        await streams.change(id, change)
      }
      return redirect(`/streams/${id}`)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const form = streamForm(stream, await channelNames(), {
        values,
        error: { field: error.field, detail: error.detail },
      })
      return html(<StreamEditPage reader={readerOf(request)} {...form} />, { status: error.status })
    }
  }

  async function channelNames(): Promise<string[]> {
    const rows = await db
      .select({ name: channels.name })
      .from(channels)
      .orderBy(channels.name)
      .limit(CHANNELS_TOLD)
    return rows.map(({ name }) => name)
  }

  async function toggle(action: 'start' | 'stop', id: string, request: Request): Promise<Response> {
    const { from } = query(request, 'from')
    await streams[action](id)
    if (!request.headers.has('hx-request')) return redirect(from === 'page' ? `/streams/${id}` : '/streams')
    const status = await statusOf(deps, id)
    if (from === 'page') return html(<StatusPanel {...statusView(status)} />)
    const [row] = await pages.lists.rows([status])
    return html(row && <StreamTableRow {...row} />)
  }
}

/** The filter of the log, from the address of a page. @throws Problem `invalid_field` */
function filterOf(kind: string | undefined, q: string | undefined): LogFilter {
  const kinds = kind?.split(',').map((one) => oneOf('kind', one.trim(), ENTRY_KINDS) as EntryKind)
  if ((q?.length ?? 0) > MAX_SEARCH_CHARS)
    throw new Problem('invalid_field', `q: at most ${MAX_SEARCH_CHARS} characters.`, 'q')
  return { kinds, text: q }
}

function rangeOf(range: string | undefined): (typeof RANGE_NAMES)[number] {
  return oneOf('range', range, RANGE_NAMES) ?? '24h'
}

function search(parameters: Record<string, string | undefined>): string {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new URLSearchParams(given).toString()
}

/** The page without a query: a form's own query isn't the page's. */
function bare(request: Request): Request {
  return new Request(new URL(new URL(request.url).pathname, request.url))
}
