import { createParser, type EventSourceParser, type ParserConfig } from 'eventsource-parser'
import { codingsOf, decompressing } from '../content/codings.ts'
import { jsonLines } from '../ingest/connection/json-lines.ts'
import { isEventStream, type UpstreamAnswer, UpstreamError } from '../ingest/upstream.ts'
import { isOpenQuestion } from '../registry/probe.ts'

/** Bounds of one preview. */
export interface PreviewBounds {
  /** Maximum bytes read of a body, after decompression and on the wire. */
  bodyBytes: number
  /** Longest time to read a body, in milliseconds. */
  bodyMs: number
  events: number
  /** Longest wait for that many events, in milliseconds. */
  eventsMs: number
}

export interface PreviewedEvent {
  /** `message` if the upstream names none. */
  event: string
  id: string | null
  data: string
}

/** The part of a response that was read. */
export interface PreviewRead {
  body: Uint8Array
  wireBytes: number
  events: PreviewedEvent[]
  /** Comments of an event stream: heartbeats, mostly. */
  comments: number
  /** Why reading ended: the body was complete, a bound in bytes or events was reached, or time ran out. */
  end: 'whole' | 'enough' | 'time'
}

/**
 * Reads enough of a response to show what it is, and cancels the rest.
 * @throws UpstreamError `bad_encoding`, `ended_early`; the signal's reason when it is aborted
 */
export async function readPreview(
  { response }: UpstreamAnswer,
  bounds: PreviewBounds,
  signal: AbortSignal,
): Promise<PreviewRead> {
  const read: PreviewRead = { body: new Uint8Array(), wireBytes: 0, events: [], comments: 0, end: 'whole' }
  if (response.body === null) return read
  const isEvents = isEventStream(response)
  // Lines are read for as long as they may end: their number doesn't show whether they do.
  const mayEnd = isOpenQuestion(response)
  const sink = isEvents || mayEnd ? eventSink(read, bounds, mayEnd ? jsonLines : createParser) : undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = decoded(response, (count) => {
    read.wireBytes += count
  }).getReader()
  const clock = stopAfter(sink === undefined ? bounds.bodyMs : bounds.eventsMs, signal)
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
        (mayEnd || read.events.length < bounds.events)
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

/** Parses chunks of an event stream into events, up to the bound. */
function eventSink(
  read: PreviewRead,
  { events, bodyBytes }: PreviewBounds,
  parserOf: (config: ParserConfig) => Pick<EventSourceParser, 'feed'>,
): (chunk: Uint8Array) => void {
  const text = new TextDecoder(undefined, { ignoreBOM: true })
  const parser = parserOf({
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

/** The decompressed body, with every chunk counted as it arrives on the wire. */
function decoded(response: Response, count: (bytes: number) => void): Bytes {
  const codings = codingsOf(response.headers)
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      count(chunk.byteLength)
      controller.enqueue(chunk)
    },
  })
  return decompressing((response.body as Bytes).pipeThrough(counting), codings)
}

/** Compression of a body; null if there is none. */
export function bodyEncodingOf({ headers }: Response): string | null {
  const codings = codingsOf(headers)
  return codings.length === 0 ? null : codings.join(', ')
}

/** A timer that a reader races against; always call `end`. */
export function stopAfter(ms: number, signal: AbortSignal) {
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
    bodyEncodingOf(response) !== null && (error.name === 'TypeError' || /^Z_/.test(error.code ?? ''))
  return isPacking
    ? new UpstreamError('bad_encoding', `The body isn't valid ${bodyEncodingOf(response)}.`)
    : new UpstreamError('ended_early', 'The connection closed before the body was complete.')
}
