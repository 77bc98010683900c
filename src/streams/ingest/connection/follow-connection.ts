import type { EventSourceMessage } from 'eventsource-parser'
import { BACKOFF_BASE_MS, backoffCeilingMs, backoffMs } from '../../../core/judging/backoff.ts'
import { type ConnectionEnd, NO_CONNECTIONS } from '../../../core/sets/connection-ends.ts'
import type { StreamKind } from '../../../core/sets/stream-kinds.ts'
import { HOUR_MS } from '../../../core/time.ts'
import { directFetch } from '../../../net/direct.ts'
import type { SseConfig } from '../../content/sse-parser.ts'
import { ConnectionEnds } from '../../recording/connection-ends.ts'
import type { Exchange } from '../../recording/entry.ts'
import { keepCookies, meansOfRun } from '../../requests/means.ts'
import { ENDLESS_BODY } from '../body.ts'
import {
  type FollowDeps,
  fail,
  noteCertificate,
  noteRedirects,
  passCheck,
  recover,
  restOfWait,
  untilDead,
} from '../follow.ts'
import type { Run, RunLog, Stream } from '../run.ts'
import {
  failedAnswer,
  type Limits,
  type Means,
  type UpstreamAnswer,
  UpstreamError,
  type UpstreamFetch,
  type UpstreamRequest,
  withExchange,
} from '../upstream.ts'
import { waitUntil } from '../wait.ts'
import { type Break, EventReader } from './event-reader.ts'
import { allowedSilence } from './silence.ts'

/** Wait before a closed connection is reopened, unless the upstream sets another; the same as in browsers. Milliseconds. */
const RETRY_MS = 3_000
/** Longest such wait that an upstream may ask for, in milliseconds. */
const MAX_RETRY_MS = HOUR_MS
/** Longest event ID, which is sent back as a header: longer IDs are ignored. */
const MAX_ID_CHARS = 10_000
/** Maximum length of an event name, in characters; the rest is cut off. */
const MAX_NAME_CHARS = 200

/** How connections of a kind are opened and read. */
export interface Format {
  kind: StreamKind
  /** @param on called with what is received */
  wire(stream: Stream, on: Handlers): Wire
}

export type Handlers = Omit<SseConfig, 'onEvent'> & { onEvent(event: ReceivedEvent): void }

/** An event; its payload may be larger or smaller than the text that stands for it. */
export type ReceivedEvent = EventSourceMessage & { bodyBytes?: number }

/** Opens connections, one after the other. */
export interface Wire {
  /**
   * Sends the request of the next connection: for everything after the last event, if it can.
   * @throws UpstreamError, or the signal's reason
   */
  ask(asked: Asked): Promise<Answered>
  /** Why an answer can't be followed; undefined if it can. */
  refusal(answer: UpstreamAnswer, nowMs: number): UpstreamError | undefined
  /** What the connection sends that an answer has opened. */
  source(answer: UpstreamAnswer): Source
}

export interface Asked extends Pick<FollowDeps, 'connect'> {
  limits: Limits
  request: UpstreamRequest
  /** Empty if there is none. */
  lastEventId: string
  fetch: UpstreamFetch | undefined
  means: Means
  signal: AbortSignal
}

export interface Answered {
  answer: UpstreamAnswer
  /** Whether everything after the last event was asked for. */
  isResumed: boolean
}

/** What an open connection sends. */
export interface Source {
  /**
   * @returns undefined at its end
   * @throws UpstreamError for a fault of the upstream; any other error: the connection broke
   */
  read(): Promise<Piece | undefined>
  /** Closes the connection; reading ends. */
  close(): void
  /**
   * Its bytes have ended: reports an event that broke off, if it was large, or one that only the end completes.
   * @param isBroken whether the connection broke before its end
   */
  finish(isBroken: boolean): void
  /** How the upstream ended it, as the beginning of a sentence. */
  readonly farewell: string
}

export interface Piece {
  wireBytes: number
  /** After decompression, without framing that isn't part of it. */
  bodyBytes: number
  /** Passes its events on. */
  deliver(): void
  /** Whether it doesn't end within an event. */
  isWhole: boolean
}

/**
 * Keeps a stream connected until the signal aborts: connects with the last event ID, reads, and reconnects, with
 * backoff after a failure. A connection that is silent for too long is closed.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model
 */
export async function followConnection(
  format: Format,
  run: Run,
  log: RunLog,
  signal: AbortSignal,
  deps: FollowDeps,
): Promise<void> {
  const holding = new Connection(format, run, log, signal, deps)
  let waitMs = restOfWait(run, deps.now())
  if (waitMs > 0) run.evidence.phase = 'waiting'
  try {
    while (await waitUntil(deps.now() + waitMs, signal, deps.now)) waitMs = await holding.connection()
  } finally {
    holding.end()
  }
}

class Connection {
  readonly #run: Run
  readonly #log: RunLog
  readonly #signal: AbortSignal
  readonly #deps: FollowDeps
  readonly #reader: EventReader
  readonly #wire: Wire
  readonly #asked: UpstreamRequest
  readonly #means: Means
  readonly #ends: ConnectionEnds
  #lastEventId: string
  #retryMs = RETRY_MS
  /** Whether the upstream has set that wait. */
  #isRetrySet = false
  /** The open connection's request and response, for its errors; without what they moved, which is counted already. */
  #exchange: Exchange | undefined
  /** When the connection was opened, by a clock that nobody sets; undefined while there is none. */
  #openedAt: number | undefined
  #eventsOfConnection = 0
  #bytesOfConnection = 0
  /** The connection broke, as far as that shows: without the end that HTTP requires. */
  #isBroken = false
  /** The connection was silent for the first time and was closed; that isn't a failure yet. */
  #wasSilent = false
  /**
   * Consecutive connections that failed or ended soon. Data doesn't reset it: an upstream that sends an event, then a
   * fault, on each connection would never be backed off from.
   */
  #brief: number
  /** Whether the upstream was asked for everything after the last event. */
  #isResumed = false
  /** The event being read was too large to be read to its end. */
  #isEndless = false
  /** How the upstream ended the connection. */
  #farewell = ''

  constructor(format: Format, run: Run, log: RunLog, signal: AbortSignal, deps: FollowDeps) {
    this.#run = run
    this.#log = log
    this.#signal = signal
    this.#deps = deps
    this.#reader = new EventReader(run, log, deps, signal)
    this.#asked = deps.request(run.stream)
    this.#means = meansOfRun(run, deps)
    const takeUncharged = () => this.#reader.takeUncharged()
    this.#ends = new ConnectionEnds({ log, now: deps.now, takeUncharged })
    this.#lastEventId = run.checkpoint.lastEventId ?? ''
    this.#brief = run.evidence.failures
    this.#wire = format.wire(run.stream, {
      maxChars: deps.limits.maxBodyBytes,
      onId: (id) => {
        if (id.length <= MAX_ID_CHARS) this.#lastEventId = id
      },
      onEvent: ({ id = '', event = 'message', data, bodyBytes }) => {
        const hasId = id !== '' && id.length <= MAX_ID_CHARS
        this.#reader.event(nameOf(event), data, this.#lastEventId, { hasId, bodyBytes })
        if (++this.#eventsOfConnection === 1) recover(run, log, deps.now())
      },
      onRetry: (ms) => {
        this.#retryMs = Math.min(ms, MAX_RETRY_MS)
        this.#isRetrySet = true
      },
      onLarge: (large) => {
        const { id = '', event = 'message' } = large
        const hasId = id !== '' && id.length <= MAX_ID_CHARS
        if (hasId) this.#lastEventId = id
        this.#reader.large({ ...large, event: nameOf(event) }, this.#lastEventId, hasId)
        if (large.hash === undefined && !large.isOver) this.#isEndless = true
        else if (++this.#eventsOfConnection === 1) recover(run, log, deps.now())
      },
    })
  }

  /** Opens a connection and reads it to its end. @returns how long to wait before the next one, in milliseconds */
  async connection(): Promise<number> {
    try {
      await this.#read(this.#wire.source(await this.#open()))
      return this.#signal.aborted ? 0 : this.#lost()
    } catch (error) {
      if (this.#signal.aborted) return 0
      if (!(error instanceof UpstreamError)) throw error
      return this.#fail(error)
    }
  }

  /** The run ends: records what is left to record. */
  end(): void {
    this.#ends.flush()
  }

  /** A connection ended without a fault. @returns how long to wait before the next one, in milliseconds */
  #lost(): number {
    const { evidence, checkpoint } = this.#run
    // An upstream that says when to come back may end a connection whenever it likes, also without an event.
    const isAsked = this.#isRetrySet && this.#reader.hasReceived && !this.#isBroken
    const isUsed = this.#eventsOfConnection > 0 || this.#reader.livedOn || this.#wasSilent
    if (!isUsed && !isAsked) {
      throw this.#about(new UpstreamError('ended_early', `${this.#farewell} before it sent an event.`))
    }
    // An ID without an event counts, too; the next entry stores it.
    if (this.#lastEventId !== (checkpoint.lastEventId ?? '')) {
      this.#run.checkpoint = { ...checkpoint, lastEventId: this.#lastEventId || undefined }
    }
    const at = this.#deps.now()
    const waitMs = Math.max(this.#retryWaitMs(), isAsked ? 0 : this.#backoffMs())
    if (isAsked) this.#brief = 0
    const by = this.#endedBy(isAsked)
    const brought = this.#brought()
    this.#openedAt = undefined
    const counts = evidence.connections ?? NO_CONNECTIONS
    Object.assign(evidence, {
      ...{ phase: 'waiting', phaseSince: at, nextRetryAt: at + waitMs },
      ended: { at, by, lastedMs: brought.lastedMs },
      connections: { ...counts, ended: { ...counts.ended, [by]: (counts.ended[by] ?? 0) + 1 } },
    })
    this.#ends.add({ at, by, ...brought })
    this.#log.turned()
    return waitMs
  }

  #endedBy(isAsked: boolean): ConnectionEnd {
    if (this.#wasSilent) return 'silence'
    if (isAsked) return 'request'
    return this.#isBroken ? 'reset' : 'upstream'
  }

  /** What the connection brought, and how long it lasted. */
  #brought() {
    const lastedMs = this.#openedAt === undefined ? 0 : Math.round(performance.now() - this.#openedAt)
    return { lastedMs, events: this.#eventsOfConnection, receivedBytes: this.#bytesOfConnection }
  }

  #count(what: 'attempts' | 'opened' | 'failed'): void {
    const { evidence } = this.#run
    const counts = evidence.connections ?? NO_CONNECTIONS
    evidence.connections = { ...counts, [what]: counts[what] + 1 }
  }

  #retryWaitMs(): number {
    return this.#retryMs + this.#deps.random() * BACKOFF_BASE_MS
  }

  /** Counts a connection that failed or ended. @returns how long to wait at least, in milliseconds */
  #backoffMs(): number {
    const lastedMs = this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt
    const hasLasted = this.#openedAt !== undefined && lastedMs >= backoffCeilingMs(Math.max(1, this.#brief))
    this.#brief = hasLasted ? 1 : this.#brief + 1
    return backoffMs(this.#brief, this.#deps.random)
  }

  #about(error: UpstreamError): UpstreamError {
    return this.#exchange ? withExchange(error, this.#exchange) : error
  }

  async #open(): Promise<UpstreamAnswer> {
    const [run, deps] = [this.#run, this.#deps]
    const askedAt = deps.now()
    const answer = await this.#ask()
    const at = deps.now()
    const { exchange, headBytes, redirectBytes } = answer
    const { method, url, headers } = exchange.request
    noteCertificate(run, deps)
    noteRedirects(run, exchange)
    this.#exchange = { request: { method, url, headers }, response: exchange.response }
    this.#eventsOfConnection = 0
    this.#bytesOfConnection = 0
    this.#openedAt = performance.now()
    this.#count('opened')
    passCheck(run, at)
    const missing = this.#missingSince(at)
    run.evidence.missedSince = missing?.from
    Object.assign(run.evidence, { phase: 'open', phaseSince: at, lastByteAt: at })
    run.evidence.heardAt ??= askedAt
    if (run.evidence.failures === 0) run.evidence.nextRetryAt = undefined
    const { wireBytes, bodyBytes } = this.#reader.takeUncharged()
    const received = { wireBytes: wireBytes + redirectBytes, bodyBytes, headBytes }
    this.#log.append({ at, kind: 'exchange', ...received, exchange })
    // After a connection that failed for its silence, only data shows that this one is better.
    if (run.evidence.failures === 0 || run.evidence.lastError?.code !== 'stalled') this.#log.stands('up', at)
    this.#log.turned()
    this.#reader.connected(missing)
    return answer
  }

  /** The break before this connection; undefined if nothing can be missing. */
  #missingSince(at: number): Break | undefined {
    const { evidence, stream, checkpoint, epoch } = this.#run
    const isResumed = this.#isResumed
    // Weir's own proxy sends everything since the ID, or reports what is missing.
    if (isResumed && stream.via !== null) return undefined
    // An earlier run may have received events, and ended before it stored any.
    if (checkpoint.seq === 0 && epoch === 1) return undefined
    // A run that ended before its evidence was written has left entries, but not the time of the last byte. A run
    // that ended between connecting and its first event hasn't recorded a gap, so the next run does.
    const from = evidence.missedSince ?? evidence.heardAt ?? evidence.lastByteAt ?? stream.createdAt.getTime()
    return { from, to: at, isResumed }
  }

  /** Connects once the host has a free slot. */
  async #ask(): Promise<UpstreamAnswer> {
    const { hosts, limits, now, connect } = this.#deps
    // The URL of Weir's own proxy wasn't chosen by a user, so it needs no egress check; a redirect from it would.
    const fetch = this.#run.stream.via === null ? this.#deps.fetch : ownFetch
    const leave = await hosts.enter(this.#asked.url, this.#signal, (until) => {
      this.#run.evidence.nextRetryAt = until
      this.#log.turned()
    })
    this.#count('attempts')
    try {
      const [signal, lastEventId, means] = [this.#signal, this.#lastEventId, this.#means]
      const asked = { request: this.#asked, lastEventId, limits, signal, fetch, connect, means }
      const { answer, isResumed } = await this.#wire.ask(asked)
      this.#isResumed = isResumed
      const error = this.#wire.refusal(answer, now())
      if (error === undefined) return answer
      const bounds = { ...ENDLESS_BODY, maxPlainBytes: limits.maxBodyBytes }
      throw await failedAnswer(error, answer, bounds, this.#signal)
    } finally {
      keepCookies(this.#run, this.#means, this.#deps)
      leave()
    }
  }

  /**
   * Reads a connection's events until it ends.
   * @throws UpstreamError for invalid data, and when it falls silent again
   */
  async #read(source: Source): Promise<void> {
    const stop = () => source.close()
    const silence = this.#watch(stop)
    this.#signal.addEventListener('abort', stop)
    try {
      for (;;) {
        // A connection that broke after an event isn't a failure either; what matters is the data that it delivered.
        const piece = await source.read().catch(brokenBy)
        this.#isBroken = piece === BROKEN
        if (piece === BROKEN || piece === undefined) break
        this.#bytesOfConnection += piece.wireBytes
        this.#reader.chunk(piece.wireBytes, piece.bodyBytes)
        piece.deliver()
        await this.#endOfChunk()
        if (piece.isWhole) this.#reader.heard()
      }
      this.#farewell = source.farewell
      if (!this.#signal.aborted) {
        source.finish(this.#isBroken)
        await this.#endOfChunk()
      }
    } catch (error) {
      throw error instanceof UpstreamError ? this.#about(error) : error
    } finally {
      silence.stop()
      this.#signal.removeEventListener('abort', stop)
      stop()
    }
    this.#wasSilent = silence.silences === 1
    if (silence.silences > 1) {
      const seconds = Math.round((this.#run.evidence.silenceMs ?? 0) / 1000)
      throw this.#about(new UpstreamError('stalled', `No data for ${seconds} s.`))
    }
  }

  /** Events before a fault are recorded before it. */
  async #endOfChunk(): Promise<void> {
    const logged = this.#reader.endOfChunk()
    const error = logged instanceof Promise ? await logged : logged
    if (error !== undefined) {
      // Only a whole document helps after a patch that doesn't apply: forget the position and start over.
      this.#run.followed = undefined
      this.#run.checkpoint = { ...this.#run.checkpoint, lastEventId: undefined }
      this.#lastEventId = ''
      throw this.#about(error)
    }
    if (!this.#isEndless) return
    this.#isEndless = false
    throw this.#about(
      new UpstreamError('ended_early', 'The connection ended within an event that is too large.'),
    )
  }

  /** Ends a connection without data for too long. */
  #watch(end: () => void): Silence {
    const { evidence, stream } = this.#run
    const { limits, now } = this.#deps
    const allowed = () => {
      evidence.silenceMs = allowedSilence(evidence, stream.silenceMs, limits.silenceMs, now())
      return evidence.silenceMs
    }
    const check = () => {
      const leftMs = allowed() - this.#reader.silentMs
      if (leftMs > 0) {
        timer = setTimeout(check, leftMs)
        return
      }
      evidence.silences = (evidence.silences ?? 0) + 1
      silence.silences = evidence.silences
      this.#log.stands('silent', now())
      end()
    }
    let timer = setTimeout(check, allowed())
    const silence: Silence = { silences: 0, stop: () => clearTimeout(timer) }
    return silence
  }

  /** Records the failure. @returns how long to wait before the next attempt, in milliseconds */
  #fail(error: UpstreamError): number {
    const at = this.#deps.now()
    const waitMs = Math.max(
      untilDead(this.#run, at, this.#backoffMs(), this.#deps),
      this.#isRetrySet ? this.#retryWaitMs() : 0,
      error.retryAfterMs ?? 0,
    )
    if (this.#openedAt !== undefined) error.connection = this.#brought()
    this.#openedAt = undefined
    this.#count('failed')
    const uncharged = this.#reader.takeUncharged()
    error.wireBytes += uncharged.wireBytes
    error.bodyBytes += uncharged.bodyBytes
    if (error.retryAfterMs !== undefined) this.#deps.hosts.pause(this.#asked.url, error.retryAfterMs)
    fail(this.#run, this.#log, error, at + waitMs, at)
    return waitMs
  }
}

function nameOf(event: string): string {
  return event.slice(0, MAX_NAME_CHARS)
}

interface Silence {
  /** Number of consecutive silent connections, including this one; 0 while it sends data. */
  silences: number
  stop(): void
}

const ownFetch: UpstreamFetch = (url, init) => directFetch(url, { ...init, redirect: 'error' })

const BROKEN = Symbol('broken')

function brokenBy(error: unknown): typeof BROKEN {
  if (error instanceof UpstreamError) throw error
  return BROKEN
}
