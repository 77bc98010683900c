import type { StreamRow } from '../../../views/streams/table.tsx'
import { StreamTableRow } from '../../../views/streams/table.tsx'
import type { Hub } from '../../hub/hub.ts'
import { dayEstimates } from '../../streams/measures/day-changes.ts'
import { Activity } from '../../streams/status/activity.ts'
import { type StatusDeps, type StreamStatus, statusesOf } from '../../streams/status/status.ts'
import { listPageTopic } from '../../topics.ts'
import { streamRow } from '../streams/view-models.ts'
import type { Send } from './live-pages.tsx'

/** Open lists of streams: each is sent its changed rows, and a note when streams were added or removed. */
export class LiveLists {
  readonly #deps: StatusDeps & { hub: Hub }
  readonly #activity: Activity
  /** The streams shown by each topic's pages; topics without subscribers are dropped over time. */
  readonly #shown = new Map<string, ReadonlySet<string>>()
  /** Unique to this process: a page rendered by another process refreshes. */
  readonly #name: string
  #changes = 0
  #position = 0

  constructor(deps: StatusDeps & { hub: Hub }) {
    this.#deps = deps
    this.#name = deps.now().toString(36)
    this.#activity = new Activity(deps.db)
  }

  /** Version of the list: changes whenever streams are added or removed. */
  get version(): string {
    return `${this.#name}.${this.#changes}`
  }

  /** Whether an open list shows the stream. */
  shows(streamId: string): boolean {
    const { hub } = this.#deps
    for (const [topic, ids] of this.#shown) if (ids.has(streamId) && hub.has(topic)) return true
    return false
  }

  /** Streams were added or removed. @returns whether any page needs to know */
  changed(): boolean {
    this.#changes++
    this.#forget()
    return this.#shown.size > 0
  }

  /** The topic of pages that show exactly these streams; subscribe to it at once. */
  topic(ids: readonly string[]): string {
    this.#forget()
    const topic = listPageTopic(Bun.hash(ids.join()).toString(36))
    this.#shown.set(topic, new Set(ids))
    return topic
  }

  /** Sends every open list the note to reload. */
  pushChanged(): void {
    for (const topic of this.#shown.keys())
      this.#deps.hub.publish(topic, { ...LISTED, position: ++this.#position })
  }

  /** Sends the rows that changed to the pages that show them. */
  async push(statuses: readonly StreamStatus[]): Promise<void> {
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
   * What a page needs when it connects: its current rows and, if streams were or may have been added or removed since, a
   * note to refresh the list.
   */
  async catchUp(ids: readonly string[], isCurrent: boolean, send: Send): Promise<void> {
    // Anything published while they are read is newer, and is sent after them.
    const position = this.#position
    const rows = await this.rows(await statusesOf(this.#deps, ids))
    if (rows.length > 0) await send({ data: rows.map(rowUpdate).join(''), position })
    if (!isCurrent) await send({ ...LISTED, position })
  }

  /** Statuses as rows, in their order. */
  async rows(statuses: readonly StreamStatus[]): Promise<StreamRow[]> {
    const ids = statuses.map(({ stream }) => stream.id)
    const { db, now } = this.#deps
    const streams = statuses.map(({ stream }) => stream)
    const [lastHour, changes] = await Promise.all([
      this.#activity.of(ids, now()),
      dayEstimates(db, streams, now()),
    ])
    return statuses.map((status) => {
      const { id } = status.stream
      return streamRow(status, lastHour.get(id) ?? [], changes.get(id) ?? null)
    })
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
