import { LogHole, LogRow } from '../../../views/stream/log.tsx'
import { SavingsPanel } from '../../../views/stream/savings.tsx'
import { MeasuresPanel, StatusPanel } from '../../../views/stream/stream.tsx'
import { TwinPanel } from '../../../views/twins/twin.tsx'
import { causeOf } from '../../errors.ts'
import type { TopicMessage } from '../../hub/frame.ts'
import type { Hub } from '../../hub/hub.ts'
import { readLog } from '../../streams/log/logs.ts'
import { type LogFilter, matches } from '../../streams/log/search-log.ts'
import type { Entry } from '../../streams/recording/entry.ts'
import { type Status, type StatusDeps, statusesOf, statusOf } from '../../streams/status/status.ts'
import { filteredPageTopic, streamPageTopic } from '../../topics.ts'
import { entryRow, measureView, savingsView, statusView, twinView } from '../streams/view-models.ts'
import { LiveLists } from './live-lists.tsx'
import { LiveViews } from './live-views.tsx'

/** Changes are gathered for this long, in milliseconds: a busy stream redraws its row twice a second, not per event. */
const GATHER_MS = 500
/** Lines of one stream's log in one update; of more, the last ones are shown, and the log itself has the rest. */
const MAX_LINES = 50

export type Send = (message: TopicMessage) => Promise<void>

/** Pushes to open pages what changed on them, as the same fragments that they were made of. Nobody looks, no work. */
export class LivePages {
  readonly lists: LiveLists
  readonly views: LiveViews
  readonly #deps: StatusDeps & { hub: Hub; warn(message: string): void }
  #changed = new Set<string>()
  /** Streams that were registered or removed, or may have been: the list itself has changed. */
  #listed = false
  #lines = new Map<string, Entry[]>()
  /** Topics of pages that show a part of a stream's log, by stream; those that nobody looks at any more go by and by. */
  readonly #filtered = new Map<string, Map<string, LogFilter>>()
  #timer: Timer | undefined

  constructor(deps: StatusDeps & { hub: Hub; warn(message: string): void }) {
    this.#deps = deps
    this.lists = new LiveLists(deps)
    this.views = new LiveViews(deps)
  }

  /** Whether anybody looks at the page of a stream. */
  follow(streamId: string): boolean {
    const { hub } = this.#deps
    if (hub.has(streamPageTopic(streamId))) return true
    const filtered = this.#filtered.get(streamId)
    return filtered !== undefined && [...filtered.keys()].some((topic) => hub.has(topic))
  }

  /** The topic of a stream's page that shows these entries; to be subscribed to at once. */
  topic(streamId: string, filter: LogFilter): string {
    const { kinds, text } = filter
    if (kinds === undefined && text === undefined) return streamPageTopic(streamId)
    this.#forgetFiltered()
    const topic = filteredPageTopic(streamId, JSON.stringify([kinds, text]))
    const topics = this.#filtered.get(streamId) ?? new Map<string, LogFilter>()
    this.#filtered.set(streamId, topics.set(topic, filter))
    return topic
  }

  /** Something about these streams is different now. */
  changed(streamIds: Iterable<string>): void {
    this.views.changed('streams')
    for (const id of streamIds) if (this.lists.shows(id) || this.follow(id)) this.#changed.add(id)
    if (this.#changed.size > 0) this.#schedule()
  }

  /** Streams came or went. */
  listed(): void {
    this.views.changed('streams')
    if (!this.lists.listed()) return
    this.#listed = true
    this.#schedule()
  }

  /** These entries were stored. */
  stored(entries: readonly Entry[]): void {
    const streamIds = new Set<string>()
    for (const entry of entries) {
      streamIds.add(entry.streamId)
      if (!this.follow(entry.streamId)) continue
      const lines = this.#lines.get(entry.streamId)
      if (lines === undefined) this.#lines.set(entry.streamId, [entry])
      else if (lines.push(entry) > MAX_LINES) lines.shift()
    }
    this.changed(streamIds)
  }

  /** What the page of a stream needs when it connects: how it is now, and the entries after the last one shown. */
  async catchUpStream(streamId: string, after: number, filter: LogFilter, send: Send): Promise<void> {
    const { items } = await readLog(this.#deps.db, streamId, { limit: MAX_LINES })
    const status = await statusOf(this.#deps, streamId)
    const missed = items.filter((entry) => entry.seq > after)
    const [first] = missed
    const hole =
      first && after > 0 && first.seq > after + 1 ? { from: after + 1, to: first.seq - 1 } : undefined
    const data = (await this.#panels(status)) + lineUpdate(streamId, missed, filter, hole)
    await send({ data, position: missed.at(-1)?.seq ?? after })
  }

  close(): void {
    clearTimeout(this.#timer)
    this.views.close()
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
    if (listed) this.lists.tellListed()
    const statuses = await statusesOf(this.#deps, ids)
    await this.lists.tell(statuses)
    for (const status of statuses) {
      const { id } = status.stream
      if (!this.follow(id)) continue
      const entries = lines.get(id) ?? []
      const panels = await this.#panels(status)
      for (const [topic, filter] of [[streamPageTopic(id), {}] as const, ...(this.#filtered.get(id) ?? [])]) {
        if (!hub.has(topic)) continue
        const data = panels + lineUpdate(id, entries, filter)
        hub.publish(topic, { data, position: entries.at(-1)?.seq })
      }
    }
  }

  /** The parts of a stream's page that change, as they are now; all but its log. */
  async #panels(status: Status): Promise<string> {
    const { db, now } = this.#deps
    const [measures, savings, twin] = await Promise.all([
      measureView(db, status.stream.id, now()),
      savingsView(db, status.stream, now()),
      twinView(db, status.stream.id, now()),
    ])
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
    ]
    return fragments.filter(Boolean).map(String).join('')
  }

  #forgetFiltered(): void {
    for (const [streamId, topics] of this.#filtered) {
      for (const topic of topics.keys()) if (!this.#deps.hub.has(topic)) topics.delete(topic)
      if (topics.size === 0) this.#filtered.delete(streamId)
    }
  }
}

/** New lines of a log that match, the newest first, and what is missing before them. */
function lineUpdate(
  streamId: string,
  entries: readonly Entry[],
  filter: LogFilter,
  hole?: { from: number; to: number },
): string {
  const newestFirst = entries
    .filter((entry) => matches(entry, filter))
    .map(entryRow)
    .reverse()
  if (newestFirst.length === 0 && hole === undefined) return ''
  return String(
    <hx-partial hx-target="#log" hx-swap="afterbegin">
      {newestFirst.map((entry) => (
        <LogRow {...entry} />
      ))}
      {hole && <LogHole streamId={streamId} {...hole} />}
    </hx-partial>,
  )
}
