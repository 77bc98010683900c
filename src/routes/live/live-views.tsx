import { raw } from 'hono/html'
import { causeOf, Problem } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import { subscriberOf } from '../../limits/client.ts'
import { type Subject, viewTopic } from '../../topics.ts'
import { GONE, type Send } from './live-pages.tsx'

/** Changes are collected for this long, in milliseconds. */
const GATHER_MS = 50
/** Shortest time between two refreshes of a page, in milliseconds, however much changes. */
const REST_MS = 1_000
/** The pause after a refresh is this many times its duration, so that refreshes take at most a tenth of the time. */
const REST_FACTOR = 9
/** Longest time between two refreshes, in milliseconds: for changes by time alone, and for lost messages. */
const REFRESH_EVERY_MS = 10_000

/** A live part of a page. */
export interface LivePart {
  /** ID of its element. */
  id: string
  html: string
  /** Its rows in order, by element ID: if only rows differ, only those are sent. */
  rows?: readonly Row[]
}

type Row = readonly [id: string, html: string]

/** The content of a page, and what it depends on. */
export interface LiveView {
  /** Distinguishes views of one address that show different content to different callers. */
  name?: string
  subjects: readonly Subject[]
  /** @throws Problem `not_found` if it is gone */
  read(): Promise<readonly LivePart[]>
}

export interface LiveViewsDeps {
  hub: Hub
  /** Milliseconds since the epoch. */
  now(): number
  warn(message: string): void
}

/** Open pages other than those of streams: each is sent the parts that changed. No open pages, no work. */
export class LiveViews {
  readonly #deps: LiveViewsDeps
  /** By topic; views without subscribers end by themselves. */
  readonly #open = new Map<string, OpenView>()

  constructor(deps: LiveViewsDeps) {
    this.#deps = deps
  }

  /** Subscribes a page to a view: sends its current state, then its changes. */
  subscribe(request: Request, view: LiveView): Response {
    const { pathname, search } = new URL(request.url)
    const topic = viewTopic(pathname + search, view.name)
    const open = this.#open.get(topic) ?? this.#add(topic, view)
    const replay = (send: Send) => open.catchUp(send)
    return this.#deps.hub.subscribe(topic, { ...subscriberOf(request), replay })
  }

  /** Refreshes the pages that show the subject: it may have changed. */
  refresh(subject: Subject): void {
    for (const open of this.#open.values()) if (open.subjects.includes(subject)) open.refresh()
  }

  refreshAll(): void {
    for (const open of this.#open.values()) open.refresh()
  }

  close(): void {
    for (const open of this.#open.values()) open.close()
    this.#open.clear()
  }

  #add(topic: string, view: LiveView): OpenView {
    const end = () => {
      open.close()
      this.#open.delete(topic)
    }
    const open = new OpenView(topic, view, { ...this.#deps, end })
    this.#open.set(topic, open)
    return open
  }
}

interface Shown {
  parts: readonly LivePart[]
  position: number
}

/** One view, shared by all who have it open. */
class OpenView {
  readonly subjects: readonly Subject[]
  readonly #topic: string
  readonly #view: LiveView
  readonly #deps: LiveViewsDeps & { end(): void }
  #shown: Shown = { parts: [], position: 0 }
  /** The refresh in progress or the last one, and the one after it. */
  #refreshing: Promise<unknown> = Promise.resolve()
  #next: Promise<Shown> | undefined
  #restsUntil = 0
  #soon: Timer | undefined
  readonly #every: Timer

  constructor(topic: string, view: LiveView, deps: LiveViewsDeps & { end(): void }) {
    this.#topic = topic
    this.#view = view
    this.#deps = deps
    this.subjects = view.subjects
    this.#every = setInterval(() => this.refresh(), REFRESH_EVERY_MS)
  }

  refresh(): void {
    const { hub, now, warn } = this.#deps
    if (!hub.has(this.#topic)) return void this.#deps.end()
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined
        this.#refreshNext().catch((error) => {
          if (error instanceof Problem) hub.end(this.#topic, GONE)
          else warn(`Can't update a page: ${causeOf(error)}`)
        })
      },
      Math.max(GATHER_MS, this.#restsUntil - now()),
    )
  }

  /** Sends the whole current view: a new subscriber may have missed anything. */
  async catchUp(send: Send): Promise<void> {
    const { parts, position } = await this.#refreshNext()
    await send({ data: parts.map(({ id, html }) => update(id, html)).join(''), position })
  }

  close(): void {
    clearInterval(this.#every)
    clearTimeout(this.#soon)
  }

  /** One refresh at a time; all requests during one share the next. */
  #refreshNext(): Promise<Shown> {
    this.#next ??= this.#refreshing
      .catch(() => {})
      .then(() => {
        this.#refreshing = this.#next as Promise<Shown>
        this.#next = undefined
        return this.#refreshNow()
      })
    return this.#next
  }

  async #refreshNow(): Promise<Shown> {
    const { hub, now } = this.#deps
    const begun = now()
    try {
      const before = new Map(this.#shown.parts.map((part) => [part.id, part]))
      const parts = await this.#view.read()
      const data = parts.map((part) => difference(before.get(part.id), part)).join('')
      const position = this.#shown.position + 1
      this.#shown = { parts, position }
      if (data !== '') hub.publish(this.#topic, { data, position })
      return this.#shown
    } finally {
      this.#restsUntil = now() + Math.max(REST_MS, REST_FACTOR * (now() - begun))
    }
  }
}

/** The update of a part from its last state: nothing, some of its rows, or all of it. */
function difference(before: LivePart | undefined, { id, html, rows = [] }: LivePart): string {
  if (before?.html === html) return ''
  const known = new Map(before?.rows)
  if (before === undefined || frameOf(before.html, before.rows) !== frameOf(html, rows))
    return update(id, html)
  return rows.flatMap(([row, text]) => (known.get(row) === text ? [] : update(row, text))).join('')
}

/** The markup around the rows, with their IDs in their places. */
function frameOf(html: string, rows: readonly Row[] = []): string {
  let frame = ''
  let from = 0
  for (const [id, row] of rows) {
    const at = html.indexOf(row, from)
    if (at < 0) return html
    frame += `${html.slice(from, at)}\0${id}`
    from = at + row.length
  }
  return frame + html.slice(from)
}

function update(id: string, html: string): string {
  return String(
    <hx-partial hx-target={`#${id}`} hx-swap="outerMorph">
      {raw(html)}
    </hx-partial>,
  )
}
