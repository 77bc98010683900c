// The streams of the service in the panel, and the last lines of their logs.
import { ask, date, keyed, make, part, say } from './dom.ts'
import { byId, type Service, type Verdict } from './graph.ts'
import { isoSeconds } from './state.ts'
import { verdictWords } from './words.ts'

/** Streams that are listed; of more the number is said. */
const MAX_STREAMS = 6
/** Of the API's page of streams: those of one origin are looked for among as many. */
const MAX_READ = 100
/** Log lines that are shown, and how many streams they come from. */
const MAX_LINES = 8
const MAX_LOGS = 3
const MAX_LINE_CHARS = 120
/** How often a panel that stays open asks again. */
const REFRESH_MS = 5_000

interface Stream {
  id: string
  name: string
  url: string
  verdict?: Verdict
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

/** Asks while a service is shown and the page is looked at, and no longer. */
export class Streams {
  #service: Service | undefined
  #at: number | undefined
  #asking: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Shows those of a service, as they were at a moment. */
  show(service: Service | undefined, at: number | undefined): void {
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

  async #refresh(service: Service): Promise<void> {
    const asking = new AbortController()
    this.#asking = asking
    try {
      if (!document.hidden) await this.#load(service, asking.signal)
    } catch {
      // The page says by itself when Weir is away; what was there stays.
    }
    if (asking.signal.aborted || this.#at !== undefined) return
    this.#timer = setTimeout(() => void this.#refresh(service), REFRESH_MS)
  }

  async #load(service: Service, signal: AbortSignal): Promise<void> {
    const query = queryOf(service)
    if (query === undefined) return
    const { items, next } = await ask<{ items: Stream[]; next: string | null }>(
      `/api/streams?limit=${MAX_READ}&${query}`,
      { signal },
    )
    const origin = service.kind === 'host' ? undefined : originOf(service.url)
    const found = items.filter(({ url }) => origin === undefined || originOf(url) === origin)
    const shown = await Promise.all(found.slice(0, MAX_STREAMS).map((stream) => withVerdict(stream, signal)))
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

/** Which streams may be a service's; undefined where it has none. */
function queryOf({ kind, url, name }: Service): string | undefined {
  if (kind === 'host') return `host=${encodeURIComponent((url && URL.parse(url)?.host) || name)}`
  const origin = originOf(url)
  return origin === undefined || kind !== 'service' ? undefined : `q=${encodeURIComponent(origin)}`
}

function originOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : URL.parse(url)?.origin
}

async function withVerdict(stream: Stream, signal: AbortSignal): Promise<Stream> {
  const { verdict, reason } = await ask<{ verdict: Verdict; reason: string }>(
    `/api/streams/${stream.id}/status`,
    {
      signal,
    },
  )
  return { ...stream, verdict, reason }
}

function showStreams(streams: readonly Stream[], found: number, hasMore: boolean, query: string): void {
  byId('streams-section').hidden = streams.length === 0
  keyed(byId('streams'), streams, {
    key: ({ id }) => id,
    create: ({ id }) => {
      const link = make('a', { href: `/streams/${encodeURIComponent(id)}` })
      const verdict = make('span')
      verdict.dataset.part = 'verdict'
      return make('li', {}, link, verdict)
    },
    update: (row, { name, verdict, reason = '' }) => {
      if (row.firstElementChild) say(row.firstElementChild, name)
      const badge = part(row, 'verdict')
      badge.className = `verdict ${verdict ?? ''}`
      badge.title = reason
      say(badge, verdict === undefined ? '' : verdictWords(verdict))
    },
  })
  const more = byId<HTMLAnchorElement>('streams-more')
  more.hidden = found <= streams.length && !hasMore
  say(more, hasMore ? 'All streams…' : `All ${found} streams…`)
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
