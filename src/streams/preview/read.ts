import { createParser } from 'eventsource-parser'
import { type Answer, isEventStream, isGzip, letGo, UpstreamError } from '../ingest/upstream.ts'

/** Bounds of what is read of an answer by one look. */
export interface LookBounds {
  /** Most of a body that is read, after decompression, and most that is taken from the wire. Bytes. */
  bodyBytes: number
  /** Longest that a body is read, in milliseconds. */
  bodyMs: number
  events: number
  /** Longest wait for so many events, in milliseconds. */
  eventsMs: number
}

export interface LookedEvent {
  /** `message` where the upstream names none. */
  event: string
  id: string | null
  data: string
}

/** What was read of an answer. */
export interface LookRead {
  body: Uint8Array
  wireBytes: number
  events: LookedEvent[]
  /** Comments of an event stream: heartbeats, mostly. */
  comments: number
  /** What ended it: the upstream, a bound in bytes or events, or the clock. */
  end: 'whole' | 'enough' | 'time'
}

/**
 * Reads of an answer what shows what it is, and lets go of the rest.
 * @throws UpstreamError `bad_encoding`, `ended_early`; the signal's reason when it is aborted
 */
export async function readLook(
  { response }: Answer,
  bounds: LookBounds,
  signal: AbortSignal,
): Promise<LookRead> {
  const read: LookRead = { body: new Uint8Array(), wireBytes: 0, events: [], comments: 0, end: 'whole' }
  if (response.body === null) return read
  const isEvents = isEventStream(response)
  const sink = isEvents ? eventSink(read, bounds) : undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = decoded(response, (count) => {
    read.wireBytes += count
  }).getReader()
  const clock = stopAfter(isEvents ? bounds.eventsMs : bounds.bodyMs, signal)
  try {
    for (;;) {
      const chunk = await Promise.race([reader.read(), clock.stopped])
      if (chunk === 'time') read.end = 'time'
      if (chunk === 'time' || chunk.done) break
      const left = bounds.bodyBytes - bytes
      chunks.push(chunk.value.subarray(0, left))
      bytes += chunk.value.byteLength
      sink?.(chunk.value)
      if (
        bytes <= bounds.bodyBytes &&
        read.wireBytes <= bounds.bodyBytes &&
        read.events.length < bounds.events
      )
        continue
      read.end = 'enough'
      break
    }
  } catch (error) {
    signal.throwIfAborted()
    throw broken(error as Error, response)
  } finally {
    clock.end()
    void reader.cancel().catch(() => {})
  }
  read.body = Buffer.concat(chunks)
  return read
}

/** Takes chunks of an event stream apart into events, as many as are wanted. */
function eventSink(read: LookRead, { events, bodyBytes }: LookBounds): (chunk: Uint8Array) => void {
  const text = new TextDecoder()
  const parser = createParser({
    maxBufferSize: bodyBytes,
    onEvent: ({ event = 'message', id = null, data }) => {
      if (read.events.length < events) read.events.push({ event, id, data })
    },
    onComment: () => {
      read.comments++
    },
  })
  return (chunk) => parser.feed(text.decode(chunk, { stream: true }))
}

type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>

/** The body as it is meant, with every chunk counted as it comes over the wire. */
function decoded(response: Response, count: (bytes: number) => void): Bytes {
  const encoding = encodingOf(response)
  if (encoding !== null && !isGzip(response.headers)) {
    void letGo(response)
    throw new UpstreamError('bad_encoding', `The body's encoding, ${encoding}, wasn't asked for.`)
  }
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      count(chunk.byteLength)
      controller.enqueue(chunk)
    },
  })
  const counted = (response.body as Bytes).pipeThrough(counting)
  return encoding === null ? counted : counted.pipeThrough(new DecompressionStream('gzip'))
}

/** How a body is compressed; null where it isn't. */
export function encodingOf({ headers }: Response): string | null {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  return encoding === '' || encoding === 'identity' ? null : encoding.slice(0, 40)
}

/** A clock that a reader races against; `end` it in any case. */
function stopAfter(ms: number, signal: AbortSignal) {
  const { promise: stopped, resolve, reject } = Promise.withResolvers<'time'>()
  stopped.catch(() => {})
  const timer = setTimeout(() => resolve('time'), Math.max(ms, 0))
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  const end = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
  return { stopped, end }
}

function broken(error: Error & { code?: string }, response: Response): UpstreamError {
  if (error instanceof UpstreamError) return error
  const isPacking =
    encodingOf(response) !== null && (error.name === 'TypeError' || /^Z_/.test(error.code ?? ''))
  return isPacking
    ? new UpstreamError('bad_encoding', "The body isn't the gzip it is said to be.")
    : new UpstreamError('ended_early', 'The connection broke before the body was complete.')
}
