import { causeOf } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Relay, RelayMessage } from '../../relay/relay.ts'
import type { Database } from '../../storage/storage.ts'
import { entriesTopic } from '../../topics.ts'
import { readWholeLog } from '../log/logs.ts'
import { type Entry, entryJson } from './entry.ts'

/** Pokes of other processes are gathered for this long, in milliseconds, before the entries are read. */
const GATHER_MS = 20
/** Entries of one stream read for one poke; whoever is further behind resumes by itself. */
const MAX_READ = 5_000

export interface FanoutDeps {
  db: Database
  hub: Hub
  relay: Relay
  /** Open pages, which show the same entries. */
  pages: {
    follow(streamId: string): boolean
    stored(entries: readonly Entry[]): void
    changed(streamIds: Iterable<string>): void
  }
  /** Subscribers of proxied streams. */
  proxy: { follows(streamId: string): boolean; stored(entry: Entry): void }
  warn(message: string): void
}

/**
 * Takes stored entries to whoever watches them, in this process and in the others. Others are only told numbers:
 * a process where somebody watches reads the entries itself, so that the database stays the one truth.
 */
export class Fanout {
  readonly #deps: FanoutDeps
  /** Last entry published here, of the streams that somebody watches. */
  readonly #published = new Map<string, number>()
  /** First entry to read, by stream. */
  #pokes = new Map<string, number>()
  #timer: Timer | undefined

  constructor(deps: FanoutDeps) {
    this.#deps = deps
  }

  /** Entries of this process's own runs. */
  stored(entries: readonly Entry[]): void {
    const { relay, pages } = this.#deps
    this.#publish(entries)
    pages.stored(entries)
    if (!relay.isHeard()) return
    const spans = new Map<string, [id: string, first: number, last: number]>()
    for (const { streamId, seq } of entries) {
      const span = spans.get(streamId)
      if (span === undefined) spans.set(streamId, [streamId, seq, seq])
      else span[2] = seq
    }
    if (spans.size > 0) relay.publish({ type: 'stored', spans: [...spans.values()] })
  }

  /** Entries that another process stored. */
  storedElsewhere({ spans }: Extract<RelayMessage, { type: 'stored' }>): void {
    for (const [id, first] of spans) if (this.#isWatched(id)) this.#poke(id, first)
    this.#deps.pages.changed(spans.map(([id]) => id))
  }

  /**
   * Somebody watches a stream from now on, and knows its entries up to `seq`: should messages be lost, what comes
   * after that is read.
   */
  watch(streamId: string, seq: number): void {
    if (!this.#published.has(streamId)) this.#published.set(streamId, seq)
  }

  /** Messages may have been missed: everything that is watched is read on from what was last published. */
  catchUp(): void {
    for (const [id, seq] of this.#published) {
      if (this.#isWatched(id)) this.#poke(id, seq + 1)
      else this.#published.delete(id)
    }
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #poke(id: string, first: number): void {
    const next = (this.#published.get(id) ?? first - 1) + 1
    this.#pokes.set(id, Math.min(this.#pokes.get(id) ?? next, Math.max(next, 1)))
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const pokes = this.#pokes
      this.#pokes = new Map()
      this.#readAll(pokes).catch((error) =>
        this.#deps.warn(`Entries of others can't be read: ${causeOf(error)}`),
      )
    }, GATHER_MS)
  }

  async #readAll(pokes: Map<string, number>): Promise<void> {
    for (const [id, first] of pokes) {
      let count = 0
      for await (const entries of readWholeLog(this.#deps.db, id, { after: first - 1 })) {
        this.#publish(entries, true)
        this.#deps.pages.stored(entries)
        count += entries.length
        if (count >= MAX_READ) break
      }
    }
  }

  /** @param isRead from the log itself: what is missing in between isn't kept any more */
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
      // Another process stored what lies between, and its message is still on the way.
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
    return hub.has(entriesTopic(id)) || pages.follow(id) || proxy.follows(id)
  }
}
