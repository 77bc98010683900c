import { encodeComment, encodeRetry, SSE_HEADERS } from '../core/sse.ts'
import { Frame, GzipStream, type TopicMessage } from './frame.ts'
import { Outlet } from './outlet.ts'
import { SubscriberSlots, type SubscribingClient } from './subscriber-slots.ts'

/** Well below the idle timeouts of common proxies (nginx and most load balancers: 60 s). */
const HEARTBEAT_MS = 15_000
/** Bound on what is published during a subscriber's replay. Beyond it the subscriber is closed as `slow`. */
const MAX_WAITING_BYTES = 1_048_576
/** Readers reconnect after this plus up to as much again, so that they don't all return at once after a restart. */
const RETRY_MS = 1_000

const NO_BOUNDS = { perClient: Number.POSITIVE_INFINITY, inAll: Number.POSITIVE_INFINITY, countsLocal: false }
const HEARTBEAT = new Frame(undefined, encodeComment('heartbeat'))

/** Records what one subscriber is sent. */
export interface Meter {
  sent(bytes: number): void
  closed(reason: CloseReason): void
}

export interface SubscribeOptions {
  /** The request's signal: ends the subscription. */
  signal: AbortSignal
  /** The client whose subscriber slots it uses; omitted for Weir's own subscriptions. */
  client?: SubscribingClient | undefined
  /**
   * The credential that let the subscriber in, if it can end before the subscription: see {@link Hub.endCredential}.
   */
  credential?: string | undefined
  /**
   * Sends what the subscriber missed before it goes live. Messages published meanwhile wait, and are sent afterward
   * unless their position was already sent. `send` waits until the reader has room, and throws if it has left. A
   * reader that reads nothing between two heartbeats is closed as `slow`.
   */
  replay?: (send: Send) => Promise<void>
  /**
   * Position of the last message that the subscriber has; 0 for none. If given, nothing up to it is sent, and no
   * position is sent twice, for topics that may publish a message again. If omitted, everything published is sent.
   */
  after?: number
  /** Compresses the stream, each frame on its own. */
  gzip?: boolean
  meter?: Meter
}

export type Send = (message: TopicMessage | Frame) => Promise<void>
export type CloseReason = 'left' | 'slow' | 'failed' | 'revoked'

/** Why subscriptions ended, and how many are open. */
export interface HubCounts {
  open: number
  /** Readers that left. */
  left: number
  /** Closed because they didn't read. */
  slow: number
  /** Closed because the replay couldn't be read. */
  failed: number
  /** Closed because their key or session ended. */
  revoked: number
}

interface Subscriber {
  closed: boolean
  /** A subscriber that exceeds its bound is closed as `slow`: one stuck reader must not use up memory for all. */
  outlet: Outlet
  /** Messages that wait for the replay to finish; undefined once live. */
  waiting: Frame[] | undefined
  waitingBytes: number
  /** Position of the last message sent. */
  sent: number
  /** Whether to send only positions beyond that. */
  ordered: boolean
  topic: string
  /** Resolves when the reader has caught up, or has left. */
  drained: PromiseWithResolvers<void> | undefined
  /** Whether the reader has read since the last heartbeat; checked while a replay waits for it. */
  reads: boolean
  gzip: GzipStream | undefined
  meter: Meter | undefined
  close(reason: CloseReason): void
}

/** Named fan-outs: `publish` encodes a frame once, and every subscriber gets the same bytes. */
export class Hub {
  readonly counts: HubCounts = { open: 0, left: 0, slow: 0, failed: 0, revoked: 0 }
  readonly #topics = new Map<string, Set<Subscriber>>()
  /** Subscribers by credential, for credentials that can end. */
  readonly #byCredential = new Map<string, Set<Subscriber>>()
  readonly #heartbeat: Timer
  readonly #random: () => number
  readonly #seats: SubscriberSlots

  constructor(random: () => number = Math.random, seats: SubscriberSlots = new SubscriberSlots(NO_BOUNDS)) {
    this.#random = random
    this.#seats = seats
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  /** Whether the topic has subscribers, so that a publisher can skip needless work. */
  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** Sends a message to every subscriber of the topic. Never waits. */
  publish(topic: string, message: TopicMessage | Frame): void {
    const subscribers = this.#topics.get(topic)
    if (subscribers === undefined) return
    const frame = toFrame(message)
    for (const subscriber of subscribers) {
      if (subscriber.waiting === undefined) push(subscriber, frame)
      else hold(subscriber, frame)
    }
  }

  /** Ends every subscription of a topic, after a last message if given. */
  end(topic: string, last?: TopicMessage): void {
    if (last !== undefined) this.publish(topic, last)
    for (const subscriber of this.#topics.get(topic) ?? []) subscriber.close('left')
  }

  /** The credentials of the current subscribers that can end. */
  get credentials(): string[] {
    return [...this.#byCredential.keys()]
  }

  /** Ends every subscription that the credential let in. */
  endCredential(credential: string): void {
    for (const subscriber of this.#byCredential.get(credential) ?? []) subscriber.close('revoked')
  }

  /**
   * Checks whether a client may subscribe, for callers that have work to do first.
   * @throws Problem `too_many`, `unavailable`
   */
  checkRoom(client: SubscribingClient | undefined): void {
    this.#seats.check(client)
  }

  /** Answers a request with the topic's event stream. @throws Problem `too_many`, `unavailable` */
  subscribe(topic: string, options: SubscribeOptions): Response {
    const { outlet } = this.#add(topic, options)
    const encoding = { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' }
    return new Response(outlet.body, { headers: { ...SSE_HEADERS, ...(options.gzip && encoding) } })
  }

  /** Ends every subscription; readers reconnect elsewhere. */
  close(): void {
    clearInterval(this.#heartbeat)
    for (const topic of this.#topics.keys()) this.end(topic)
  }

  #add(
    topic: string,
    { signal, client, credential, replay, after, gzip, meter }: SubscribeOptions,
  ): Subscriber {
    const leave = this.#seat(client, meter)
    const onAbort = () => subscriber.close('left')
    const drained = () => {
      subscriber.reads = true
      subscriber.drained?.resolve()
    }
    const subscriber: Subscriber = {
      closed: false,
      outlet: new Outlet({ drained, left: onAbort }),
      topic,
      waiting: replay === undefined ? undefined : [],
      waitingBytes: 0,
      sent: after ?? -1,
      ordered: after !== undefined,
      drained: undefined,
      reads: true,
      gzip: gzip ? new GzipStream() : undefined,
      meter,
      close: (reason) => {
        if (subscriber.closed) return
        subscriber.closed = true
        this.#remove(subscriber, credential)
        leave()
        this.counts[reason]++
        signal.removeEventListener('abort', onAbort)
        subscriber.drained?.resolve()
        meter?.closed(reason)
        // Discards what a slow reader left unread, and what a revoked one may no longer read.
        if (reason === 'slow' || (reason === 'revoked' && subscriber.outlet.isBehind))
          return subscriber.outlet.abort()
        if (subscriber.gzip !== undefined) subscriber.outlet.write(subscriber.gzip.trailer())
        subscriber.outlet.end()
      },
    }
    addTo(this.#topics, topic, subscriber)
    if (credential !== undefined) addTo(this.#byCredential, credential, subscriber)
    this.counts.open++
    if (subscriber.gzip !== undefined) send(subscriber, subscriber.gzip.header())
    enqueue(subscriber, new Frame(undefined, encodeRetry(RETRY_MS + this.#random() * RETRY_MS)))
    if (signal.aborted) subscriber.close('left')
    else signal.addEventListener('abort', onAbort)
    if (replay !== undefined && !subscriber.closed) void this.#replay(subscriber, replay)
    return subscriber
  }

  #seat(client: SubscribingClient | undefined, meter: Meter | undefined): () => void {
    try {
      return this.#seats.take(client)
    } catch (error) {
      meter?.closed('failed')
      throw error
    }
  }

  async #replay(subscriber: Subscriber, replay: NonNullable<SubscribeOptions['replay']>): Promise<void> {
    try {
      await replay(async (message) => {
        await room(subscriber)
        if (subscriber.closed) throw new Error('The subscriber has left')
        push(subscriber, toFrame(message))
      })
    } catch {
      subscriber.close('failed')
    }
    await this.#catchUp(subscriber)
  }

  /** Sends what was published during the replay; then the subscriber is live. */
  async #catchUp(subscriber: Subscriber): Promise<void> {
    for (let next = subscriber.waiting?.shift(); next !== undefined; next = subscriber.waiting?.shift()) {
      subscriber.waitingBytes -= next.bytes.byteLength
      if (isSent(subscriber, next)) continue
      await room(subscriber)
      push(subscriber, next)
    }
    subscriber.waiting = undefined
  }

  #remove(subscriber: Subscriber, credential: string | undefined): void {
    removeFrom(this.#topics, subscriber.topic, subscriber)
    if (credential !== undefined) removeFrom(this.#byCredential, credential, subscriber)
    this.counts.open--
  }

  #beat(): void {
    for (const subscribers of this.#topics.values()) {
      for (const subscriber of subscribers) beat(subscriber)
    }
  }
}

function addTo(groups: Map<string, Set<Subscriber>>, name: string, subscriber: Subscriber): void {
  const group = groups.get(name)
  if (group === undefined) groups.set(name, new Set([subscriber]))
  else group.add(subscriber)
}

function removeFrom(groups: Map<string, Set<Subscriber>>, name: string, subscriber: Subscriber): void {
  const group = groups.get(name)
  group?.delete(subscriber)
  if (group?.size === 0) groups.delete(name)
}

function beat(subscriber: Subscriber): void {
  const isWaitedFor = subscriber.waiting !== undefined && subscriber.reads
  subscriber.reads = false
  if (!isWaitedFor || subscriber.outlet.hasRoom) enqueue(subscriber, HEARTBEAT)
}

function toFrame(message: TopicMessage | Frame): Frame {
  return message instanceof Frame ? message : Frame.of(message)
}

async function room(subscriber: Subscriber): Promise<void> {
  while (!subscriber.closed && !subscriber.outlet.hasRoom) {
    subscriber.drained = Promise.withResolvers()
    await subscriber.drained.promise
  }
}

function push(subscriber: Subscriber, frame: Frame): void {
  if (subscriber.ordered && isSent(subscriber, frame)) return
  subscriber.sent = frame.position ?? subscriber.sent
  enqueue(subscriber, frame)
}

function isSent({ sent }: Subscriber, { position }: Frame): boolean {
  return position !== undefined && position <= sent
}

function hold(subscriber: Subscriber, frame: Frame): void {
  subscriber.waitingBytes += frame.bytes.byteLength
  if (subscriber.waitingBytes > MAX_WAITING_BYTES) subscriber.close('slow')
  else subscriber.waiting?.push(frame)
}

function enqueue(subscriber: Subscriber, frame: Frame): void {
  if (subscriber.closed) return
  if (subscriber.outlet.hasRoom) send(subscriber, subscriber.gzip?.add(frame) ?? frame.bytes)
  else subscriber.close('slow')
}

function send({ outlet, meter }: Subscriber, bytes: Uint8Array<ArrayBuffer>): void {
  outlet.write(bytes)
  meter?.sent(bytes.byteLength)
}
