import { raw } from 'hono/html'
import { causeOf, Problem } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import { readerOf } from '../../limits/client.ts'
import { type Subject, viewTopic } from '../../topics.ts'
import type { Send } from './live-pages.tsx'

/** What comes together is looked at together, in milliseconds. */
const GATHER_MS = 50
/** An open page is looked at this often at most, in milliseconds, however much changes. */
const REST_MS = 1_000
/** And so seldom that looking takes no more than a tenth of the time: the rest is as many times longer than a look. */
const REST_FACTOR = 9
/** It is looked at this often at least, in milliseconds: for what time alone changes, and for messages that were lost. */
const LOOK_EVERY_MS = 10_000

/** A part of a page that changes by itself, as on the first page. */
export interface LivePart {
  /** Of its element. */
  id: string
  html: string
  /** The rows in it, in their order, by the ids of their elements: where only rows differ, only those are sent. */
  rows?: readonly Row[]
}

type Row = readonly [id: string, html: string]

/** What a page shows, and what that depends on. */
export interface LiveView {
  /** Tells views apart that have one address, and show other things to others. */
  name?: string
  subjects: readonly Subject[]
  /** @throws Problem `not_found` where it is no more */
  read(): Promise<readonly LivePart[]>
}

export interface LiveViewsDeps {
  hub: Hub
  /** Milliseconds since the epoch. */
  now(): number
  warn(message: string): void
}

/** Pages that are open, other than those of streams: each is sent the parts that differ. Nobody looks, no work. */
export class LiveViews {
  readonly #deps: LiveViewsDeps
  /** By topic; those that nobody looks at any more end by themselves. */
  readonly #open = new Map<string, OpenView>()

  constructor(deps: LiveViewsDeps) {
    this.#deps = deps
  }

  /** Answers a page that wants to stay current: with the view as it is now, then with what changes of it. */
  subscribe(request: Request, view: LiveView): Response {
    const { pathname, search } = new URL(request.url)
    const topic = viewTopic(pathname + search, view.name)
    const open = this.#open.get(topic) ?? this.#add(topic, view)
    const replay = (send: Send) => open.catchUp(send)
    return this.#deps.hub.subscribe(topic, { ...readerOf(request), replay })
  }

  /** Something about the subject may be different now. */
  changed(subject: Subject): void {
    for (const open of this.#open.values()) if (open.subjects.includes(subject)) open.changed()
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

/** One view, for all who have it open. */
class OpenView {
  readonly subjects: readonly Subject[]
  readonly #topic: string
  readonly #view: LiveView
  readonly #deps: LiveViewsDeps & { end(): void }
  #shown: Shown = { parts: [], position: 0 }
  /** The look under way or the last one, and the one that comes after it. */
  #look: Promise<unknown> = Promise.resolve()
  #next: Promise<Shown> | undefined
  #restsUntil = 0
  #soon: Timer | undefined
  readonly #every: Timer

  constructor(topic: string, view: LiveView, deps: LiveViewsDeps & { end(): void }) {
    this.#topic = topic
    this.#view = view
    this.#deps = deps
    this.subjects = view.subjects
    this.#every = setInterval(() => this.changed(), LOOK_EVERY_MS)
  }

  changed(): void {
    const { hub, now, warn } = this.#deps
    if (!hub.has(this.#topic)) return void this.#deps.end()
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined
        this.#lookAgain().catch((error) => {
          if (error instanceof Problem) hub.end(this.#topic)
          else warn(`A page could not be updated: ${causeOf(error)}`)
        })
      },
      Math.max(GATHER_MS, this.#restsUntil - now()),
    )
  }

  /** All of it as it is now: who has just come may have been away for long. */
  async catchUp(send: Send): Promise<void> {
    const { parts, position } = await this.#lookAgain()
    await send({ data: parts.map(({ id, html }) => update(id, html)).join(''), position })
  }

  close(): void {
    clearInterval(this.#every)
    clearTimeout(this.#soon)
  }

  /** One look at a time; all who ask while one is under way share the next. */
  #lookAgain(): Promise<Shown> {
    this.#next ??= this.#look
      .catch(() => {})
      .then(() => {
        this.#look = this.#next as Promise<Shown>
        this.#next = undefined
        return this.#lookNow()
      })
    return this.#next
  }

  async #lookNow(): Promise<Shown> {
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

/** What makes a page that shows a part as it was show it as it is: nothing, some rows of it, or all. */
function difference(before: LivePart | undefined, { id, html, rows = [] }: LivePart): string {
  if (before?.html === html) return ''
  const known = new Map(before?.rows)
  if (before === undefined || frameOf(before.html, before.rows) !== frameOf(html, rows))
    return update(id, html)
  return rows.flatMap(([row, text]) => (known.get(row) === text ? [] : update(row, text))).join('')
}

/** What holds the rows, with their ids in their places. */
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
