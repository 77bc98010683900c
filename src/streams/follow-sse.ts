import { EventSource, type EventSourceFetchInit, type FetchLikeResponse } from 'eventsource'
import { BACKOFF_BASE_MS, backoffMs } from '../core/backoff.ts'
import type { Exchange } from './entry.ts'
import { EventReader } from './event-reader.ts'
import { type FollowDeps, fail, recover } from './follow.ts'
import type { Run, RunLog } from './run.ts'
import { allowedSilence } from './silence.ts'
import { type Answer, type Asked, ask, expectOk, isGzip, UpstreamError, withExchange } from './upstream.ts'
import { waitUntil } from './wait.ts'

/**
 * Holds an event stream open until the signal aborts. `EventSource` speaks the protocol: it parses, keeps the last
 * event id and the reconnection time. What it lacks is in the `fetch` it is given: our own backoff, a check of the
 * answer before it sees it (anything but 200 would end it for good), and a watch for silence.
 */
export async function followSse(run: Run, log: RunLog, signal: AbortSignal, deps: FollowDeps): Promise<void> {
  // An event beyond the size limit ends an EventSource for good: then the next one goes on after it.
  while (!signal.aborted) await new Holding(run, log, signal, deps).ended
}

class Holding {
  readonly ended: Promise<void>
  readonly #run: Run
  readonly #log: RunLog
  readonly #signal: AbortSignal
  readonly #deps: FollowDeps
  readonly #reader: EventReader
  readonly #source: EventSource
  readonly #asked: Asked
  /** Set by what ends a connection, read by the next attempt. */
  #failure: UpstreamError | undefined
  #exchange: Exchange | undefined
  #connections = 0
  #eventsOfConnection = 0
  /** The connection was given up because it was silent, for the first time in a row: no failure yet. */
  #wasSilent = false
  /** Ends holding, for good or for the next EventSource to go on. */
  readonly #close: () => void

  constructor(run: Run, log: RunLog, signal: AbortSignal, deps: FollowDeps) {
    this.#run = run
    this.#log = log
    this.#signal = signal
    this.#deps = deps
    this.#reader = new EventReader(run, log, deps, signal)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ended = promise
    const close = () => {
      this.#source.close()
      resolve()
    }
    this.#close = close
    this.#asked = deps.request(run.stream)
    this.#source = new EventSource(this.#asked.url, {
      maxBufferSize: deps.limits.maxBodyBytes,
      fetch: (_url, init) =>
        this.#connect(init).catch((error) => {
          // EventSource takes any rejection for a broken connection; one of ours is a bug that must be seen.
          if (!signal.aborted && !(error instanceof UpstreamError)) {
            this.#source.close()
            reject(error)
          }
          throw error
        }),
    })
    // Events carry any name, and `addEventListener` wants each one named: all of them come through here.
    this.#source.dispatchEvent = (event) => {
      if (event instanceof MessageEvent) this.#receive(event)
      else if (event.type === 'error') this.#lost()
      return true
    }
    if (signal.aborted) close()
    else signal.addEventListener('abort', close, { once: true })
    void promise.catch(() => {}).finally(() => signal.removeEventListener('abort', close))
  }

  #receive(event: MessageEvent<string>): void {
    this.#reader.event(event.type, event.data, event.lastEventId)
    if (++this.#eventsOfConnection === 1) recover(this.#run, this.#log, this.#deps.now())
  }

  /** A connection ended: EventSource will ask for the next one after the upstream's `retry`, or is closed for good. */
  #lost(): void {
    if (this.#signal.aborted) return
    if (this.#source.readyState === this.#source.CLOSED) {
      const { maxBodyBytes } = this.#deps.limits
      this.#giveUp(new UpstreamError('too_large', `An event is larger than ${maxBodyBytes} bytes.`))
      return
    }
    const { evidence } = this.#run
    const saidNothing = this.#eventsOfConnection === 0 && !this.#reader.livedOn
    if (this.#failure === undefined && saidNothing && this.#connections > 0 && !this.#wasSilent) {
      const message = 'The upstream closed the stream before any event.'
      this.#failure = this.#about(new UpstreamError('ended_early', message))
    }
    this.#wasSilent = false
    evidence.phase = 'connecting'
    evidence.phaseSince = this.#deps.now()
    this.#log.turned()
  }

  /** Only a new EventSource can go on from here. What came before the fault is logged first. */
  #giveUp(error: UpstreamError): void {
    void this.#reader.endOfChunk().finally(() => {
      this.#fail(this.#about(error))
      this.#close()
    })
  }

  /** Only a document from the start can mend a patch that doesn't fit: forgets where the stream was, and asks anew. */
  #resynchronise(error: UpstreamError): void {
    this.#run.followed = undefined
    this.#run.checkpoint = { ...this.#run.checkpoint, lastEventId: undefined }
    this.#fail(this.#about(error))
    this.#close()
  }

  #about(error: UpstreamError): UpstreamError {
    return this.#exchange ? withExchange(error, this.#exchange) : error
  }

  /** What EventSource calls instead of `fetch`: returns only when there is an event stream to read. */
  async #connect(init: EventSourceFetchInit): Promise<FetchLikeResponse> {
    const closing = init.signal as AbortSignal
    const failure = this.#failure
    this.#failure = undefined
    let waitMs = this.#connections++ === 0 ? this.#pendingMs() : this.#deps.random() * BACKOFF_BASE_MS
    if (failure !== undefined) waitMs = this.#fail(failure)
    for (;;) {
      if (!(await waitUntil(this.#deps.now() + waitMs, closing, this.#deps.now))) throw closing.reason
      try {
        return await this.#open(init, closing)
      } catch (error) {
        if (closing.aborted || !(error instanceof UpstreamError)) throw error
        waitMs = this.#fail(error)
      }
    }
  }

  async #open(init: EventSourceFetchInit, closing: AbortSignal): Promise<FetchLikeResponse> {
    const [run, deps] = [this.#run, this.#deps]
    const answer = await this.#ask(init, closing)
    const at = deps.now()
    const { headBytes } = answer
    this.#exchange = answer.exchange
    this.#eventsOfConnection = 0
    const resumed = 'Last-Event-ID' in answer.exchange.request.headers
    // A run that ended before it could say what it saw leaves the log, but not when it last heard something.
    const heardAt = run.evidence.lastByteAt ?? run.stream.createdAt.getTime()
    // A run that ended between its connection and the first event has told of no gap: the next one does.
    const gapFrom = !resumed && run.checkpoint.seq > 0 ? (run.evidence.missedSince ?? heardAt) : undefined
    run.evidence.missedSince = gapFrom
    Object.assign(run.evidence, { phase: 'open', phaseSince: at, lastByteAt: at })
    this.#log.append({
      at,
      kind: 'exchange',
      wireBytes: 0,
      bodyBytes: 0,
      headBytes,
      exchange: answer.exchange,
    })
    this.#log.turned()
    this.#reader.connected(gapFrom)
    const { response } = answer
    return {
      status: 200,
      url: response.url,
      redirected: response.redirected,
      headers: response.headers,
      body: { getReader: () => this.#watch(response, closing) },
    } as unknown as FetchLikeResponse
  }

  /** Connects, in the host's turn. */
  async #ask(init: EventSourceFetchInit, closing: AbortSignal): Promise<Answer> {
    const { hosts, limits, now } = this.#deps
    // Weir's own proxy is no place that somebody named.
    const fetch = this.#run.stream.via === null ? this.#deps.fetch : undefined
    const leave = await hosts.enter(this.#asked.url, closing)
    try {
      const answer = await ask(this.#asked, this.#headers(init), limits, closing, fetch)
      await expectOk(answer, now())
      await expectEventStream(answer)
      return answer
    } finally {
      leave()
    }
  }

  #headers(init: EventSourceFetchInit): Record<string, string> {
    // Uncompressed: what compresses a stream tends to hold back events until a block is full.
    const headers: Record<string, string> = {
      ...init.headers,
      'Accept-Encoding': 'identity',
      'Cache-Control': 'no-store',
    }
    const { lastEventId } = this.#run.checkpoint
    if (lastEventId && !('Last-Event-ID' in headers)) {
      // Header values are bytes: the id's UTF-8 goes on the wire, as the HTML standard has it.
      headers['Last-Event-ID'] = Buffer.from(lastEventId, 'utf8').toString('latin1')
    }
    return headers
  }

  /** The body's reader, between the connection and the parser: counts every chunk, and ends a silent connection. */
  #watch(response: Response, closing: AbortSignal) {
    const body = response.body as Bytes
    // Some servers compress whether they are asked to or not.
    const packed = isGzip(response.headers) ? new Counting(body) : undefined
    const reader = (packed?.body.pipeThrough(new DecompressionStream('gzip')) ?? body).getReader()
    const { evidence, stream } = this.#run
    const allowed = () => {
      evidence.silenceMs = allowedSilence(
        evidence,
        stream.silenceMs,
        this.#deps.limits.silenceMs,
        this.#deps.now(),
      )
      return evidence.silenceMs
    }
    const check = () => {
      const silenceMs = allowed()
      const leftMs = silenceMs - (this.#deps.now() - (evidence.lastByteAt ?? 0))
      if (leftMs > 0) {
        timer = setTimeout(check, leftMs)
        return
      }
      evidence.silences = (evidence.silences ?? 0) + 1
      this.#wasSilent = evidence.silences === 1
      if (!this.#wasSilent) {
        this.#failure = this.#about(
          new UpstreamError('stalled', `No byte for ${Math.round(silenceMs / 1000)} s.`),
        )
      }
      stop()
    }
    let timer = setTimeout(check, allowed())
    const stop = () => {
      clearTimeout(timer)
      void reader.cancel().catch(() => {})
    }
    closing.addEventListener('abort', stop, { once: true })
    return {
      read: async () => {
        const error = await this.#reader.endOfChunk()
        if (error !== undefined) {
          this.#resynchronise(error)
          return { done: true, value: undefined }
        }
        const chunk = await reader.read().catch((fault: unknown) => {
          stop()
          throw fault
        })
        if (chunk.done) clearTimeout(timer)
        else this.#reader.chunk(packed?.take() ?? chunk.value.byteLength)
        return chunk
      },
      cancel: stop,
      releaseLock: () => reader.releaseLock(),
    }
  }

  /** Logs the failure and says how long to wait for the next attempt, in milliseconds. */
  #fail(error: UpstreamError): number {
    const at = this.#deps.now()
    const waitMs = Math.max(
      backoffMs(this.#run.evidence.failures + 1, this.#deps.random),
      error.retryAfterMs ?? 0,
    )
    if (error.retryAfterMs !== undefined) this.#deps.hosts.pause(this.#asked.url, error.retryAfterMs)
    fail(this.#run, this.#log, error, at + waitMs, at)
    return waitMs
  }

  /** What is left of the wait that the last run, or the last EventSource, owed the upstream. Milliseconds. */
  #pendingMs(): number {
    return Math.max(0, (this.#run.evidence.nextRetryAt ?? 0) - this.#deps.now())
  }
}

type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>

/** A stream whose chunks are counted on their way. */
class Counting {
  readonly body: Bytes
  #bytes = 0

  constructor(body: Bytes) {
    this.body = body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: (chunk, controller) => {
          this.#bytes += chunk.byteLength
          controller.enqueue(chunk)
        },
      }),
    )
  }

  /** Bytes that went through since it was last asked. */
  take(): number {
    const bytes = this.#bytes
    this.#bytes = 0
    return bytes
  }
}

async function expectEventStream({ response, exchange }: Answer): Promise<void> {
  const type = response.headers.get('content-type') ?? ''
  if (/^\s*text\/event-stream\s*(;|$)/i.test(type)) return
  await response.body?.cancel()
  const said = type === '' ? 'no content type' : type.slice(0, 100)
  throw withExchange(
    new UpstreamError('bad_content_type', `The upstream answered with ${said}, not text/event-stream.`),
    exchange,
  )
}
