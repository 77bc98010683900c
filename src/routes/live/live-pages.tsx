import { GONE_EVENT } from '../../../views/layout/live.tsx'
import { PushPanel } from '../../../views/push/panel.tsx'
import { LogHole, LogRow } from '../../../views/stream/log.tsx'
import { SavingsPanel } from '../../../views/stream/savings.tsx'
import { MeasuresPanel, StatusPanel } from '../../../views/stream/stream.tsx'
import { TwinPanel } from '../../../views/twins/twin.tsx'
import type { Estimate } from '../../core/change/rate.ts'
import { causeOf } from '../../errors.ts'
import type { TopicMessage } from '../../hub/frame.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { readLog } from '../../streams/log/logs.ts'
import { type LogFilter, matches } from '../../streams/log/search-log.ts'
import type { Entry } from '../../streams/recording/entry.ts'
import { type StatusDeps, type StreamStatus, statusesOf, statusOf } from '../../streams/status/status.ts'
import { filteredPageTopic, streamPageTopic } from '../../topics.ts'
import { sharedBy } from '../http/shared.ts'
import {
  dayFrequency,
  entryRow,
  measureView,
  pushView,
  savingsView,
  statusView,
  twinView,
} from '../streams/view-models.ts'
import { LiveLists } from './live-lists.tsx'
import { LiveViews } from './live-views.tsx'

/** Changes are collected for this long, in milliseconds: a busy stream redraws its row twice a second, not per event. */
const GATHER_MS = 500
/** Maximum number of entries of one stream in one update: the last ones are shown, and the log has the rest. */
const MAX_LINES = 50

/** How long the frequency of change on a page is reused, in milliseconds: it is estimated from every minute of a day. */
const FREQUENCY_MS = 5_000

/** Tells a page that its item was removed. */
export const GONE: TopicMessage = { event: GONE_EVENT, data: '{}' }

export type Send = (message: TopicMessage) => Promise<void>

/** Pushes changes to open pages, as the same fragments that made the page. No open pages, no work. */
export class LivePages {
  readonly lists: LiveLists
  readonly views: LiveViews
  readonly #deps: StatusDeps & { hub: Hub; warn(message: string): void }
  #changed = new Set<string>()
  /** Streams were or may have been registered or removed. */
  #listChanged = false
  #lines = new Map<string, Entry[]>()
  /** Streams whose pages were opened; those that are closed are dropped over time. */
  readonly #opened = new Set<string>()
  /** Topics of pages with a filtered log, by stream; topics without subscribers are dropped over time. */
  readonly #filtered = new Map<string, Map<string, LogFilter>>()
  #timer: Timer | undefined
  readonly #frequency: (stream: Stream) => Promise<Estimate | null>

  constructor(deps: StatusDeps & { hub: Hub; warn(message: string): void }) {
    this.#deps = deps
    const { db, now } = deps
    this.#frequency = sharedBy(
      (stream: Stream) => dayFrequency(db, stream, now()),
      ({ id }) => id,
      { now, forMs: FREQUENCY_MS },
    )
    this.lists = new LiveLists(deps)
    this.views = new LiveViews(deps)
  }

  /** Whether the page of a stream is open. */
  follows(streamId: string): boolean {
    return this.#topicsOf(streamId).some(([topic]) => this.#deps.hub.has(topic))
  }

  /** The topic of a stream's page with this filter; subscribe to it at once. */
  topic(streamId: string, filter: LogFilter): string {
    this.#forgetClosed()
    this.#opened.add(streamId)
    const { kinds, text } = filter
    if (kinds === undefined && text === undefined) return streamPageTopic(streamId)
    const topic = filteredPageTopic(streamId, JSON.stringify([kinds, text]))
    const topics = this.#filtered.get(streamId) ?? new Map<string, LogFilter>()
    this.#filtered.set(streamId, topics.set(topic, filter))
    return topic
  }

  /** Refreshes what is shown of these streams. */
  refreshStreams(streamIds: Iterable<string>): void {
    this.views.refresh('streams')
    for (const id of streamIds) if (this.lists.shows(id) || this.follows(id)) this.#changed.add(id)
    if (this.#changed.size > 0) this.#schedule()
  }

  /** Anything may have changed: rereads what open pages show. New entries of their logs are added once they are read. */
  refreshAll(): void {
    this.views.refreshAll()
    this.refreshLists()
    this.refreshStreams(this.#opened)
  }

  /** Makes open lists reload, and ends the pages of removed streams: streams were added or removed. */
  refreshLists(): void {
    this.refreshStreams(this.#opened)
    if (!this.lists.changed()) return
    this.#listChanged = true
    this.#schedule()
  }

  /** Adds entries to the logs that are shown, and refreshes their streams. */
  addEntries(entries: readonly Entry[]): void {
    const streamIds = new Set<string>()
    for (const entry of entries) {
      streamIds.add(entry.streamId)
      if (!this.follows(entry.streamId)) continue
      const lines = this.#lines.get(entry.streamId)
      if (lines === undefined) this.#lines.set(entry.streamId, [entry])
      else if (lines.push(entry) > MAX_LINES) lines.shift()
    }
    this.refreshStreams(streamIds)
  }

  /**
   * What the page of a stream needs when it connects: its current state, and the entries after the last one shown.
   * @returns the last entry that the page has
   */
  async catchUpStream(streamId: string, after: number, filter: LogFilter, send: Send): Promise<number> {
    const { items } = await readLog(this.#deps.db, streamId, { limit: MAX_LINES })
    const status = await statusOf(this.#deps, streamId)
    const missed = items.filter((entry) => entry.seq > after)
    const [first] = missed
    const hole =
      first && after > 0 && first.seq > after + 1 ? { from: after + 1, to: first.seq - 1 } : undefined
    const data = (await this.#panels(status)) + lineUpdate(streamId, missed, filter, hole)
    await send({ data, position: missed.at(-1)?.seq ?? after })
    return items.at(-1)?.seq ?? 0
  }

  close(): void {
    clearTimeout(this.#timer)
    this.views.close()
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#push()
        .catch((error) => this.#deps.warn(`Can't update a page: ${causeOf(error)}`))
        .finally(() => {
          this.#timer = undefined
          if (this.#changed.size > 0 || this.#listChanged) this.#schedule()
        })
    }, GATHER_MS)
  }

  async #push(): Promise<void> {
    const [ids, lines, listChanged] = [[...this.#changed], this.#lines, this.#listChanged]
    this.#changed = new Set()
    this.#lines = new Map()
    this.#listChanged = false
    const { hub } = this.#deps
    if (listChanged) this.lists.pushChanged()
    const statuses = await statusesOf(this.#deps, ids)
    await this.lists.push(statuses)
    const current = new Set(statuses.map(({ stream }) => stream.id))
    for (const id of ids) {
      if (!current.has(id)) for (const [topic] of this.#topicsOf(id)) hub.end(topic, GONE)
    }
    for (const status of statuses) {
      const { id } = status.stream
      if (!this.follows(id)) continue
      const entries = lines.get(id) ?? []
      const panels = await this.#panels(status)
      for (const [topic, filter] of this.#topicsOf(id)) {
        if (!hub.has(topic)) continue
        const data = panels + lineUpdate(id, entries, filter)
        hub.publish(topic, { data, position: entries.at(-1)?.seq })
      }
    }
  }

  #topicsOf(streamId: string): [topic: string, filter: LogFilter][] {
    return [[streamPageTopic(streamId), {}], ...(this.#filtered.get(streamId) ?? [])]
  }

  /** The current live parts of a stream's page, except its log. */
  async #panels(status: StreamStatus): Promise<string> {
    const { db, now } = this.#deps
    const [measures, savings, twin] = await Promise.all([
      measureView(db, status.stream, now(), this.#frequency(status.stream)),
      savingsView(db, status.stream, now()),
      twinView(db, status.stream.id, now()),
    ])
    const push = pushView(status, now())
    const fragments = [
      <hx-partial hx-target="#status" hx-swap="outerMorph">
        <StatusPanel {...statusView(status)} />
      </hx-partial>,
      push && (
        <hx-partial hx-target="#push" hx-swap="outerMorph">
          <PushPanel {...push} />
        </hx-partial>
      ),
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

  #forgetClosed(): void {
    for (const [streamId, topics] of this.#filtered) {
      for (const topic of topics.keys()) if (!this.#deps.hub.has(topic)) topics.delete(topic)
      if (topics.size === 0) this.#filtered.delete(streamId)
    }
    for (const streamId of this.#opened) if (!this.follows(streamId)) this.#opened.delete(streamId)
  }
}

/** New matching entries, newest first, and the gap before them. */
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
