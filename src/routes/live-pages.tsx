import { SavingsPanel } from '../../views/savings.tsx'
import { LogRow, MeasuresPanel, StatusPanel } from '../../views/stream.tsx'
import { StreamTableRow } from '../../views/streams.tsx'
import { TwinPanel } from '../../views/twin.tsx'
import { causeOf } from '../errors.ts'
import type { TopicMessage } from '../hub/frame.ts'
import type { Hub } from '../hub/hub.ts'
import type { Entry } from '../streams/entry.ts'
import { readLog } from '../streams/logs.ts'
import { type Status, type StatusDeps, statusesOf, statusOf } from '../streams/status.ts'
import { STREAMS_PAGE_TOPIC, streamPageTopic } from '../topics.ts'
import { entryRow, measureView, savingsView, statusView, streamRow, twinView } from './view-models.ts'

/** Changes are gathered for this long, in milliseconds: a busy stream redraws its row twice a second, not per event. */
const GATHER_MS = 500
/** Lines of one stream's log in one update; of more, the last ones are shown, and the log itself has the rest. */
const MAX_LINES = 50

export type Send = (message: TopicMessage) => Promise<void>

/** Pushes to open pages what changed on them, as the same fragments that they were made of. Nobody looks, no work. */
export class LivePages {
  readonly #deps: StatusDeps & { hub: Hub; warn(message: string): void }
  #changed = new Set<string>()
  /** Streams that were registered or removed, or may have been: the list itself has changed. */
  #listed = false
  #lines = new Map<string, Entry[]>()
  #timer: Timer | undefined
  #position = 0

  constructor(deps: StatusDeps & { hub: Hub; warn(message: string): void }) {
    this.#deps = deps
  }

  /** Something about these streams is different now. */
  changed(streamIds: Iterable<string>): void {
    const { hub } = this.#deps
    const listWatched = hub.has(STREAMS_PAGE_TOPIC)
    for (const id of streamIds) if (listWatched || hub.has(streamPageTopic(id))) this.#changed.add(id)
    if (this.#changed.size > 0) this.#schedule()
  }

  /** Streams came or went. */
  listed(): void {
    if (!this.#deps.hub.has(STREAMS_PAGE_TOPIC)) return
    this.#listed = true
    this.#schedule()
  }

  /** These entries were stored. */
  stored(entries: readonly Entry[]): void {
    const streamIds = new Set<string>()
    for (const entry of entries) {
      streamIds.add(entry.streamId)
      if (!this.#deps.hub.has(streamPageTopic(entry.streamId))) continue
      const lines = this.#lines.get(entry.streamId)
      if (lines === undefined) this.#lines.set(entry.streamId, [entry])
      else if (lines.push(entry) > MAX_LINES) lines.shift()
    }
    this.changed(streamIds)
  }

  /** What a page of the list needs when it connects, first or again: to look at the list anew. */
  async catchUpList(send: Send): Promise<void> {
    await send({ event: 'streams-listed', data: '{}', position: this.#position })
  }

  /** What the page of a stream needs when it connects: how it is now, and the entries after the last one shown. */
  async catchUpStream(streamId: string, after: number, send: Send): Promise<void> {
    const { items } = await readLog(this.#deps.db, streamId, { limit: MAX_LINES })
    const status = await statusOf(this.#deps, streamId)
    const missed = items.filter((entry) => entry.seq > after)
    await send({ data: await this.#streamUpdate(status, missed), position: missed.at(-1)?.seq ?? after })
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#push()
        .catch((error) => this.#deps.warn(`A page could not be updated: ${causeOf(error)}`))
        .finally(() => {
          this.#timer = undefined
          if (this.#changed.size > 0 || this.#listed) this.#schedule()
        })
    }, GATHER_MS)
  }

  async #push(): Promise<void> {
    const [ids, lines, listed] = [[...this.#changed], this.#lines, this.#listed]
    this.#changed = new Set()
    this.#lines = new Map()
    this.#listed = false
    const { hub } = this.#deps
    if (listed) {
      hub.publish(STREAMS_PAGE_TOPIC, { event: 'streams-listed', data: '{}', position: ++this.#position })
    }
    const statuses = await statusesOf(this.#deps, ids)
    if (hub.has(STREAMS_PAGE_TOPIC) && statuses.length > 0) {
      const data = statuses.map(rowUpdate).join('')
      hub.publish(STREAMS_PAGE_TOPIC, { data, position: ++this.#position })
    }
    for (const status of statuses) {
      const topic = streamPageTopic(status.stream.id)
      if (!hub.has(topic)) continue
      const entries = lines.get(status.stream.id) ?? []
      const data = await this.#streamUpdate(status, entries)
      hub.publish(topic, { data, position: entries.at(-1)?.seq })
    }
  }

  /** The parts of a stream's page that change, as they are now, and the lines that are new. */
  async #streamUpdate(status: Status, entries: readonly Entry[]): Promise<string> {
    const { db, now } = this.#deps
    const [measures, savings, twin] = await Promise.all([
      measureView(db, status.stream.id, now()),
      savingsView(db, status.stream, now()),
      twinView(db, status.stream.id, now()),
    ])
    const newestFirst = entries.map(entryRow).reverse()
    const fragments = [
      <hx-partial hx-target="#status" hx-swap="outerMorph">
        <StatusPanel {...statusView(status)} />
      </hx-partial>,
      <hx-partial hx-target="#measures" hx-swap="outerMorph">
        <MeasuresPanel {...measures} />
      </hx-partial>,
      twin && (
        <hx-partial hx-target="#twin" hx-swap="outerMorph">
          <TwinPanel {...twin} />
        </hx-partial>
      ),
      savings && (
        <hx-partial hx-target="#savings" hx-swap="outerMorph">
          <SavingsPanel {...savings} />
        </hx-partial>
      ),
      newestFirst.length > 0 && (
        <hx-partial hx-target="#log" hx-swap="afterbegin">
          {newestFirst.map((entry) => (
            <LogRow {...entry} />
          ))}
        </hx-partial>
      ),
    ]
    return fragments.filter(Boolean).map(String).join('')
  }
}

function rowUpdate(status: Status): string {
  const row = streamRow(status)
  return String(
    <hx-partial hx-target={`#stream-${row.id}`} hx-swap="outerMorph">
      <StreamTableRow {...row} />
    </hx-partial>,
  )
}
