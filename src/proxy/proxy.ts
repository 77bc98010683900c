import { callerOf } from '../auth/caller.ts'
import type { Bus } from '../bus/bus.ts'
import { causeOf, Problem } from '../errors.ts'
import { acceptsGzip } from '../hub/frame.ts'
import type { Hub, Meter } from '../hub/hub.ts'
import { subscriberOf } from '../limits/client.ts'
import type { SharedUpstreamRate } from '../limits/shared-upstream-rate.ts'
import type { Database } from '../storage/storage.ts'
import type { Entry } from '../streams/recording/entry.ts'
import { proxyTopic } from '../topics.ts'
import { errorOfProblem } from './errors.ts'
import { type FeedDeps, ProxyFeed } from './feed.ts'
import type { ProxiedStreams, ProxiedTarget } from './proxied.ts'
import { TWIN_HEADER } from './request.ts'
import { type ProxyRequest, readAsked } from './target.ts'
import { type SubscribedStream, UsageMeter } from './usage.ts'

/** How often usage is written, in milliseconds: well below the linger of a stream. */
const WRITE_EVERY_MS = 5_000

export interface ProxyDeps {
  db: Database
  hub: Hub
  /** Rebuilds large documents. */
  large: FeedDeps['large']
  proxied: ProxiedStreams
  /** Limits the requests that a subscriber makes Weir send. */
  upstreamRate: SharedUpstreamRate
  /** Receives `stream.watched` events. */
  bus: Bus
  now(): number
  warn(message: string): void
}

/** The subscribers of a stream, and their usage. */
interface Following {
  reader: ReturnType<typeof subscriberOf>
  meter: Meter
}

/**
 * Serves any API as a stream of its document and the changes to it, with one poll for all subscribers of the same
 * request.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
export class Proxy {
  readonly #deps: ProxyDeps
  readonly #feeds = new Map<string, Promise<ProxyFeed>>()
  readonly #open = new Map<string, ProxyFeed>()
  /** Streams with subscribers here, by target key: joining one needs no query. */
  readonly #followed = new Map<string, string>()
  readonly #usage: UsageMeter
  readonly #timer: Timer

  constructor(deps: ProxyDeps) {
    this.#deps = deps
    this.#usage = new UsageMeter(deps.now)
    this.#timer = setInterval(() => void this.#write(), WRITE_EVERY_MS)
    this.#timer.unref()
  }

  /** Number of streams served here. */
  get targets(): number {
    return this.#open.size
  }

  /** Whether the stream has subscribers here. */
  follows(streamId: string): boolean {
    return this.#feeds.has(streamId)
  }

  /** Processes an entry that was stored by this process or another. */
  stored(entry: Entry): void {
    this.#open.get(entry.streamId)?.stored(entry)
  }

  /**
   * Responds with the requested event stream.
   * @throws Problem for a target that can't be followed
   */
  async subscribe(request: Request): Promise<Response> {
    const { mode, compress, lastEventId, ...asked } = readAsked(request)
    const reader = subscriberOf(request)
    // Checked first, so that a target isn't polled for a subscriber that is refused.
    this.#deps.hub.checkRoom(reader.client)
    const { proxied, upstreamRate } = this.#deps
    const twinId = request.headers.get(TWIN_HEADER)
    const access = twinId === null ? undefined : await proxied.accessOf(twinId, asked.url, callerOf(request))
    const target = access === undefined ? asked : { ...asked, access }
    const key = proxied.keyOf(target)
    const leave = await upstreamRate.follow(reader.client, { key, ...target })
    try {
      const id = await this.#idOf(key, target, callerOf(request)?.id)
      const meter = withEnd(this.#usage.enter(id), leave)
      return await this.#follow(id, request, { mode, compress, lastEventId, reader, meter })
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
    {
      mode,
      compress,
      lastEventId,
      reader,
      meter,
    }: Pick<ProxyRequest, 'mode' | 'compress' | 'lastEventId'> & Following,
  ): Promise<Response> {
    const feed = await this.#feed(id, meter)
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

  /** The stream's feed, opened for its first subscriber and kept while there are any. */
  async #feed(id: string, meter: Meter): Promise<ProxyFeed> {
    let opening = this.#feeds.get(id)
    if (opening === undefined) {
      opening = ProxyFeed.open(id, this.#deps)
      this.#feeds.set(id, opening)
    }
    try {
      const feed = await opening
      // The feed may have been closed meanwhile: it reads what it missed with the next entry.
      this.#feeds.set(id, opening)
      this.#open.set(id, feed)
      this.#deps.bus.publish({ type: 'stream.watched', streamId: id, seq: feed.seq })
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
      for (const seen of await this.#usage.write(this.#deps.db)) await this.#applyDesired(seen)
    } catch (error) {
      this.#deps.warn(`Can't record subscribers: ${causeOf(error)}`)
    }
  }

  /** Applies what others did to a stream with subscribers here. */
  async #applyDesired({ streamId, open, desired }: SubscribedStream): Promise<void> {
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

/** A meter that also reports the end. */
function withEnd(meter: Meter, ended: () => void): Meter {
  return {
    sent: (bytes) => meter.sent(bytes),
    closed(reason) {
      meter.closed(reason)
      ended()
    },
  }
}
