import type { Bus, Subscription } from '../../bus/bus.ts'
import type { Span } from '../../bus/events.ts'
import { causeOf } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Database } from '../../storage/storage.ts'
import { entriesTopic } from '../../topics.ts'
import { readWholeLog } from '../log/logs.ts'
import { type Entry, entryJson } from './entry.ts'

/** Notifications from other processes are collected for this long, in milliseconds, before the entries are read. */
const GATHER_MS = 20
/** Entries of one stream read per notification; a subscriber further behind resumes on its own. */
const MAX_READ = 5_000

export interface FanoutDeps {
  db: Database
  hub: Hub
  bus: Bus
  /** Open pages, which show the same entries. */
  pages: { follows(streamId: string): boolean }
  /** Subscribers of proxied streams. */
  proxy: { follows(streamId: string): boolean; stored(entry: Entry): void }
  warn(message: string): void
}

/**
 * Delivers stored entries to their subscribers, in log order and each once. Of entries that another process stored only
 * `seq` numbers arrive: if somebody here watches the stream, they are read from the database, which stays the single source
 * of truth, and published as `entries.read`.
 */
export class Fanout {
  readonly #deps: FanoutDeps
  readonly #subscription: Subscription
  /** Last entry published here, for streams with subscribers. */
  readonly #published = new Map<string, number>()
  /** First entry to read, by stream. */
  #pokes = new Map<string, number>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(deps: FanoutDeps) {
    this.#deps = deps
    this.#subscription = deps.bus.subscribe('The fan-out', {
      'entries.stored': ({ entries, spans }) => {
        if (entries === undefined) this.#storedElsewhere(spans)
        else this.#publish(entries)
      },
      'stream.watched': ({ streamId, seq }) => this.#watch(streamId, seq),
      'relay.restored': () => this.#catchUp(),
    })
  }

  close(): void {
    this.#isClosed = true
    this.#subscription.end()
    clearTimeout(this.#timer)
  }

  /**
   * Starts watching a stream for a subscriber that has its entries up to `seq`. Later entries are read even if
   * messages are lost.
   */
  #watch(streamId: string, seq: number): void {
    if (!this.#published.has(streamId)) this.#published.set(streamId, seq)
  }

  #storedElsewhere(spans: readonly Span[]): void {
    for (const [id, first] of spans) {
      if (this.#isWatched(id)) this.#poke(id, first)
      else this.#published.delete(id)
    }
  }

  /** Messages may have been lost: reads every watched stream from what was last published. */
  #catchUp(): void {
    for (const [id, seq] of this.#published) {
      if (this.#isWatched(id)) this.#poke(id, seq + 1)
      else this.#published.delete(id)
    }
  }

  #poke(id: string, first: number): void {
    if (this.#isClosed) return
    const next = (this.#published.get(id) ?? first - 1) + 1
    this.#pokes.set(id, Math.min(this.#pokes.get(id) ?? next, Math.max(next, 1)))
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const pokes = this.#pokes
      this.#pokes = new Map()
      this.#readAll(pokes).catch((error) =>
        this.#deps.warn(`Can't read entries of other processes: ${causeOf(error)}`),
      )
    }, GATHER_MS)
  }

  async #readAll(pokes: Map<string, number>): Promise<void> {
    for (const [id, first] of pokes) {
      let count = 0
      for await (const entries of readWholeLog(this.#deps.db, id, { after: first - 1 })) {
        this.#publish(entries, true)
        this.#deps.bus.publish({ type: 'entries.read', entries })
        count += entries.length
        if (count >= MAX_READ) break
      }
    }
  }

  /** @param isRead whether the entries were read from the log: then a hole between them isn't stored any more */
  #publish(entries: readonly Entry[], isRead = false): void {
    const { hub, proxy } = this.#deps
    for (const entry of entries) {
      const { streamId, seq } = entry
      if (!this.#isWatched(streamId)) {
        this.#published.delete(streamId)
        continue
      }
      const last = this.#published.get(streamId)
      if (seq <= (last ?? 0)) continue
      // Another process stored the entries in between, and its message is still on the way.
      if (!isRead && last !== undefined && seq > last + 1) {
        this.#poke(streamId, last + 1)
        continue
      }
      this.#published.set(streamId, seq)
      const topic = entriesTopic(streamId)
      if (hub.has(topic)) hub.publish(topic, { event: 'entry', data: entryJson(entry), position: seq })
      proxy.stored(entry)
    }
  }

  #isWatched(id: string): boolean {
    const { hub, pages, proxy } = this.#deps
    return hub.has(entriesTopic(id)) || pages.follows(id) || proxy.follows(id)
  }
}
