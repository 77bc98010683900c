import { callerOf } from '../auth/caller.ts'
import { causeOf, Problem } from '../errors.ts'
import { acceptsGzip } from '../hub/frame.ts'
import type { Hub, Meter } from '../hub/hub.ts'
import { readerOf } from '../limits/client.ts'
import type { UpstreamRate } from '../limits/upstream-rate.ts'
import type { Database } from '../storage/storage.ts'
import type { Entry } from '../streams/recording/entry.ts'
import { proxyTopic } from '../topics.ts'
import { errorOfProblem } from './errors.ts'
import { Feed, type FeedDeps } from './feed.ts'
import type { ProxiedStreams, ProxiedTarget } from './proxied.ts'
import { type Asked, readAsked } from './target.ts'
import { type Seen, UsageMeter } from './usage.ts'

/** How often it is written down who subscribes to what, in milliseconds: far below the linger of a stream. */
const WRITE_EVERY_MS = 5_000

export interface ProxyDeps {
  db: Database
  hub: Hub
  /** Puts documents together that are large. */
  large: FeedDeps['large']
  proxied: ProxiedStreams
  /** How often a subscriber may make Weir ask. */
  upstreamRate: UpstreamRate
  /** Says that somebody watches a stream, and knows its entries up to a number. */
  watch(streamId: string, seq: number): void
  now(): number
  warn(message: string): void
}

/** Who follows a stream, and what is counted of that. */
interface Following {
  reader: ReturnType<typeof readerOf>
  meter: Meter
}

/** Serves any API as a stream of its document and the changes to it: one poll for all who ask for the same. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
export class Proxy {
  readonly #deps: ProxyDeps
  readonly #feeds = new Map<string, Promise<Feed>>()
  readonly #open = new Map<string, Feed>()
  /** Streams that have subscribers here, by the key of their target: who joins those needs no look at the database. */
  readonly #followed = new Map<string, string>()
  readonly #usage: UsageMeter
  readonly #timer: Timer

  constructor(deps: ProxyDeps) {
    this.#deps = deps
    this.#usage = new UsageMeter(deps.now)
    this.#timer = setInterval(() => void this.#write(), WRITE_EVERY_MS)
    this.#timer.unref()
  }

  /** Streams that are served here. */
  get targets(): number {
    return this.#open.size
  }

  /** Whether somebody follows the stream here. */
  follows(streamId: string): boolean {
    return this.#feeds.has(streamId)
  }

  /** Takes an entry that was stored, in this process or another. */
  stored(entry: Entry): void {
    this.#open.get(entry.streamId)?.stored(entry)
  }

  /**
   * Answers a request with the event stream it asks for.
   * @throws Problem for what can't be followed
   */
  async subscribe(request: Request): Promise<Response> {
    const { mode, compress, ...target } = readAsked(request)
    const reader = readerOf(request)
    // A target that nobody gets to follow would be polled for nobody.
    this.#deps.hub.checkRoom(reader.client)
    const { proxied, upstreamRate } = this.#deps
    const key = proxied.keyOf(target)
    const leave = upstreamRate.follow(reader.client, { key, ...target })
    try {
      const id = await this.#idOf(key, target, callerOf(request)?.id)
      const meter = withEnd(this.#usage.enter(id), leave)
      return await this.#follow(id, request, { mode, compress, reader, meter })
    } catch (error) {
      leave()
      throw error
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#write()
  }

  async #follow(
    id: string,
    request: Request,
    { mode, compress, reader, meter }: Pick<Asked, 'mode' | 'compress'> & Following,
  ): Promise<Response> {
    const feed = await this.#feed(id, meter)
    const lastEventId = request.headers.get('last-event-id') ?? undefined
    return this.#deps.hub.subscribe(proxyTopic(id, mode === 'snapshot-patch' ? 'patches' : 'documents'), {
      ...reader,
      after: 0,
      gzip: compress || acceptsGzip(request.headers),
      meter,
      replay: async (send) => {
        if (await feed.begin(mode, lastEventId, send)) this.#usage.sentSnapshot(id)
      },
    })
  }

  async #idOf(key: string, target: ProxiedTarget, owner: string | undefined): Promise<string> {
    const { proxied } = this.#deps
    const followed = this.#followed.get(key)
    if (followed !== undefined && this.#hasSubscribers(followed)) return followed
    const { id } = await proxied.open(target, owner)
    this.#followed.set(key, id)
    return id
  }

  #hasSubscribers(id: string): boolean {
    const { hub } = this.#deps
    return hub.has(proxyTopic(id, 'patches')) || hub.has(proxyTopic(id, 'documents'))
  }

  /** The stream's feed, opened for its first subscriber and kept while there are some. */
  async #feed(id: string, meter: Meter): Promise<Feed> {
    let opening = this.#feeds.get(id)
    if (opening === undefined) {
      opening = Feed.open(id, this.#deps)
      this.#feeds.set(id, opening)
    }
    try {
      const feed = await opening
      // It may have been let go of meanwhile: what it then missed it reads when the next entry comes.
      this.#feeds.set(id, opening)
      this.#open.set(id, feed)
      this.#deps.watch(id, feed.seq)
      return feed
    } catch (error) {
      this.#forget(id)
      meter.closed('failed')
      throw error
    }
  }

  #forget(id: string): void {
    this.#feeds.delete(id)
    this.#open.delete(id)
    for (const [key, followed] of this.#followed) if (followed === id) this.#followed.delete(key)
  }

  async #write(): Promise<void> {
    try {
      for (const seen of await this.#usage.write(this.#deps.db)) await this.#look(seen)
    } catch (error) {
      this.#deps.warn(`Can't write down who subscribes: ${causeOf(error)}`)
    }
  }

  /** Acts on what others have done to a stream that has subscribers here. */
  async #look({ streamId, open, desired }: Seen): Promise<void> {
    const { proxied } = this.#deps
    if (desired === undefined) this.#end(streamId, new Problem('not_found', 'The stream was removed.'))
    if (desired === 'stopped') this.#end(streamId, new Problem('conflict', 'The stream was stopped.'))
    if (desired === 'idle' && open > 0) await proxied.wake(streamId)
    if (!this.#hasSubscribers(streamId)) this.#forget(streamId)
  }

  #end(streamId: string, problem: Problem): void {
    const data = JSON.stringify(errorOfProblem(problem, this.#deps.now()))
    this.#open.get(streamId)?.end({ event: 'error', data })
  }
}

/** A meter that also tells somebody else of the end. */
function withEnd(meter: Meter, ended: () => void): Meter {
  return {
    sent: (bytes) => meter.sent(bytes),
    closed(reason) {
      meter.closed(reason)
      ended()
    },
  }
}
