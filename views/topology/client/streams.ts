// The streams of the service in the panel, and the latest entries of their logs.
import { type Status, statusLabel } from '../../../src/core/sets/statuses.ts'
import { ask, date, keyed, make, part, say } from './dom.ts'
import { byId, type DrawnService } from './graph.ts'
import { isoSeconds } from './state.ts'

/** Maximum number of streams listed; the rest are counted. */
const MAX_STREAMS = 6
/** Page size of the streams request: streams of one origin are searched within it. */
const MAX_READ = 100
/** Maximum number of entries shown, and how many streams they come from. */
const MAX_LINES = 8
const MAX_LOGS = 3
const MAX_LINE_CHARS = 120
/** How often an open panel refreshes. */
const REFRESH_MS = 5_000

interface Stream {
  id: string
  name: string
  url: string
  status?: Status
  reason?: string
}

interface Line {
  streamId: string
  seq: number
  at: string
  kind: string
  event?: string
  data?: unknown
  response?: { status: number }
}

/** Refreshes only while a service is shown and the page is visible. */
export class Streams {
  #service: DrawnService | undefined
  #at: number | undefined
  #asking: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Shows a service's streams, as of a moment. */
  show(service: DrawnService | undefined, at: number | undefined): void {
    const isSame = service?.id === this.#service?.id && service?.url === this.#service?.url && at === this.#at
    this.#service = service
    this.#at = at
    if (isSame) return
    this.#asking?.abort()
    clearTimeout(this.#timer)
    byId('streams-section').hidden = true
    byId('log-section').hidden = true
    if (service !== undefined) void this.#refresh(service)
  }

  async #refresh(service: DrawnService): Promise<void> {
    const asking = new AbortController()
    this.#asking = asking
    try {
      if (!document.hidden) await this.#load(service, asking.signal)
    } catch {
      // The page itself shows when Weir is unreachable; the old content stays.
    }
    if (asking.signal.aborted || this.#at !== undefined) return
    this.#timer = setTimeout(() => void this.#refresh(service), REFRESH_MS)
  }

  async #load(service: DrawnService, signal: AbortSignal): Promise<void> {
    const query = queryOf(service)
    if (query === undefined) return
    const { items, next } = await ask<{ items: Stream[]; next: string | null }>(
      `/api/streams?limit=${MAX_READ}&${query}`,
      { signal },
    )
    const origin = service.kind === 'host' ? undefined : originOf(service.url)
    const found = items.filter(({ url }) => origin === undefined || originOf(url) === origin)
    const shown = await Promise.all(found.slice(0, MAX_STREAMS).map((stream) => withStatus(stream, signal)))
    const lines = await Promise.all(shown.slice(0, MAX_LOGS).map(({ id }) => this.#lines(id, signal)))
    if (signal.aborted) return
    showStreams(shown, found.length, next !== null, query)
    showLines(lines.flat())
  }

  async #lines(streamId: string, signal: AbortSignal): Promise<Line[]> {
    const until = this.#at === undefined ? '' : `&to=${isoSeconds(this.#at)}`
    const { items } = await ask<{ items: Line[] }>(
      `/api/streams/${streamId}/logs?limit=${MAX_LINES}${until}`,
      {
        signal,
      },
    )
    return items.map((line) => ({ ...line, streamId }))
  }
}

/** The query for a service's streams; undefined if it can't have any. */
function queryOf({ kind, url, name }: DrawnService): string | undefined {
  if (kind === 'host') return `host=${encodeURIComponent((url && URL.parse(url)?.host) || name)}`
  const origin = originOf(url)
  return origin === undefined || kind !== 'service' ? undefined : `q=${encodeURIComponent(origin)}`
}

function originOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : URL.parse(url)?.origin
}

async function withStatus(stream: Stream, signal: AbortSignal): Promise<Stream> {
  const { status, reason } = await ask<{ status: Status; reason: string }>(
    `/api/streams/${stream.id}/status`,
    {
      signal,
    },
  )
  return { ...stream, status, reason }
}

function showStreams(streams: readonly Stream[], found: number, hasMore: boolean, query: string): void {
  byId('streams-section').hidden = streams.length === 0
  keyed(byId('streams'), streams, {
    key: ({ id }) => id,
    create: ({ id }) => {
      const link = make('a', { href: `/streams/${encodeURIComponent(id)}` })
      const status = make('span')
      status.dataset.part = 'status'
      return make('li', {}, link, status)
    },
    update: (row, { name, status, reason = '' }) => {
      if (row.firstElementChild) say(row.firstElementChild, name)
      const badge = part(row, 'status')
      badge.className = `status ${status ?? ''}`
      badge.title = reason
      say(badge, status === undefined ? '' : statusLabel(status))
    },
  })
  const more = byId<HTMLAnchorElement>('streams-more')
  more.hidden = found <= streams.length && !hasMore
  say(more, hasMore ? 'Show all streams' : `Show all ${found} streams`)
  more.href = `/streams?q=${query.slice(query.indexOf('=') + 1)}`
}

function showLines(lines: readonly Line[]): void {
  const newest = [...lines].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, MAX_LINES)
  byId('log-section').hidden = newest.length === 0
  keyed(byId('log-lines'), newest, {
    key: ({ streamId, seq }) => `${streamId} ${seq}`,
    create: ({ at, kind, event, response, data, streamId, seq }) => {
      const time = make('time', { className: 'muted' })
      date(time, new Date(at))
      const what = [kind, event, response?.status].filter((word) => word !== undefined).join(' ')
      const link = make('a', {
        href: `/streams/${encodeURIComponent(streamId)}?before=${seq + 1}`,
        textContent: what,
      })
      const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? '')
      return make('li', {}, time, link, make('span', { textContent: text.slice(0, MAX_LINE_CHARS) }))
    },
    update: () => {},
  })
}
