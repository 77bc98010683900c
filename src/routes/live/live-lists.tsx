import type { StreamRow } from '../../../views/streams/table.tsx'
import { StreamTableRow } from '../../../views/streams/table.tsx'
import type { Hub } from '../../hub/hub.ts'
import { Activity } from '../../streams/status/activity.ts'
import { type Status, type StatusDeps, statusesOf } from '../../streams/status/status.ts'
import { listPageTopic } from '../../topics.ts'
import { streamRow } from '../streams/view-models.ts'
import type { Send } from './live-pages.tsx'

/** The lists of streams that are open: each is told of the rows it shows, and that others came or went. */
export class LiveLists {
  readonly #deps: StatusDeps & { hub: Hub }
  readonly #activity: Activity
  /** The streams that each topic's pages show; a topic that nobody looks at any more goes by and by. */
  readonly #shown = new Map<string, ReadonlySet<string>>()
  /** Of this process alone: a page that another one made looks again. */
  readonly #name: string
  #listings = 0
  #position = 0

  constructor(deps: StatusDeps & { hub: Hub }) {
    this.#deps = deps
    this.#name = deps.now().toString(36)
    this.#activity = new Activity(deps.db)
  }

  /** Which streams there are: another one as soon as any come or go. */
  get version(): string {
    return `${this.#name}.${this.#listings}`
  }

  /** Whether an open list shows the stream. */
  shows(streamId: string): boolean {
    const { hub } = this.#deps
    for (const [topic, ids] of this.#shown) if (ids.has(streamId) && hub.has(topic)) return true
    return false
  }

  /** Streams came or went. @returns whether anybody is to be told */
  listed(): boolean {
    this.#listings++
    this.#forget()
    return this.#shown.size > 0
  }

  /** The topic of the pages that show just these streams; to be subscribed to at once. */
  topic(ids: readonly string[]): string {
    this.#forget()
    const topic = listPageTopic(Bun.hash(ids.join()).toString(36))
    this.#shown.set(topic, new Set(ids))
    return topic
  }

  tellListed(): void {
    for (const topic of this.#shown.keys())
      this.#deps.hub.publish(topic, { ...LISTED, position: ++this.#position })
  }

  /** Sends the rows that changed to the pages that show them. */
  async tell(statuses: readonly Status[]): Promise<void> {
    const { hub } = this.#deps
    const shown = statuses.filter(({ stream }) => this.shows(stream.id))
    if (shown.length === 0) return
    const updates = new Map((await this.rows(shown)).map((row) => [row.id, rowUpdate(row)]))
    for (const [topic, ids] of this.#shown) {
      if (!hub.has(topic)) continue
      const data = [...updates].flatMap(([id, update]) => (ids.has(id) ? update : [])).join('')
      if (data !== '') hub.publish(topic, { data, position: ++this.#position })
    }
  }

  /**
   * What a page needs when it connects: its rows as they are now and, where streams came or went since it was made, or
   * may have, to look at the list anew.
   */
  async catchUp(ids: readonly string[], isCurrent: boolean, send: Send): Promise<void> {
    // What is published while they are read is newer than they are, and comes after them.
    const position = this.#position
    const rows = await this.rows(await statusesOf(this.#deps, ids))
    if (rows.length > 0) await send({ data: rows.map(rowUpdate).join(''), position })
    if (!isCurrent) await send({ ...LISTED, position })
  }

  /** Statuses as rows, in their order. */
  async rows(statuses: readonly Status[]): Promise<StreamRow[]> {
    const ids = statuses.map(({ stream }) => stream.id)
    const lastHour = await this.#activity.of(ids, this.#deps.now())
    return statuses.map((status) => streamRow(status, lastHour.get(status.stream.id) ?? []))
  }

  #forget(): void {
    for (const topic of this.#shown.keys()) if (!this.#deps.hub.has(topic)) this.#shown.delete(topic)
  }
}

const LISTED = { event: 'streams-listed', data: '{}' }

function rowUpdate(row: StreamRow): string {
  return String(
    <hx-partial hx-target={`#stream-${row.id}`} hx-swap="outerMorph">
      <StreamTableRow {...row} />
    </hx-partial>,
  )
}
