import { createParser } from 'eventsource-parser'
import { type Coding, CodingError, codingsOf, decompress, decompressing } from '../content/codings.ts'
import { readRaw } from '../ingest/body.ts'
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
export function readPreview(
  { response }: UpstreamAnswer,
  bounds: PreviewBounds,
  signal: AbortSignal,
): Promise<PreviewRead> {
  return isEventStream(response) || isOpenQuestion(response)
    ? readEvents(response, bounds, signal)
    : readDocument(response, bounds, signal)
}

const NOTHING = { body: new Uint8Array(), wireBytes: 0, comments: 0, end: 'whole' as const }

/** Decompresses as a poll does, or as much as there is room for. */
async function readDocument(
  response: Response,
  { bodyBytes, bodyMs }: PreviewBounds,
  signal: AbortSignal,
): Promise<PreviewRead> {
  const { raw, end } = await readRaw(response, { maxBytes: bodyBytes, timeoutMs: bodyMs }, signal)
  if (end === 'broken') throw endedEarly()
  const read = { ...NOTHING, wireBytes: raw.byteLength, events: [] }
  const codings = codingsOf(response.headers)
  if (end !== 'whole') return { ...read, body: await startOf(raw, codings, bodyBytes), end }
  try {
    return { ...read, body: decompress(raw, codings, bodyBytes) }
  } catch (error) {
    if (error instanceof CodingError) throw new UpstreamError('bad_encoding', error.message)
    if (error instanceof RangeError) {
      return { ...read, body: await startOf(raw, codings, bodyBytes), end: 'enough' }
    }
    throw error
  }
}

/** The beginning of a body that is incomplete, or too large; nothing if it isn't what its codings say. */
async function startOf(raw: Buffer, codings: readonly Coding[], maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    const body = new Blob([Buffer.from(raw)]).stream() as Bytes
    for await (const chunk of decompressing(body, codings)) {
      chunks.push(chunk)
      bytes += chunk.byteLength
      if (bytes >= maxBytes) break
    }
  } catch {
    // What came before is what there is.
  }
  return Buffer.concat(chunks).subarray(0, maxBytes)
}

async function readEvents(
  response: Response,
  bounds: PreviewBounds,
  signal: AbortSignal,
): Promise<PreviewRead> {
  const read: PreviewRead = { ...NOTHING, events: [] }
  if (response.body === null) return read
  // Lines are read for as long as they may end: their number doesn't show whether they do.
  const mayEnd = isOpenQuestion(response)
  const sink = (mayEnd ? lineSink : eventSink)(read, bounds)
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = decoded(response, (count) => {
    read.wireBytes += count
  }).getReader()
  const clock = stopAfter(bounds.eventsMs, signal)
  try {
    while (read.end === 'whole') {
      const chunk = await Promise.race([reader.read(), clock.stopped])
      if (chunk === 'time') read.end = 'time'
      if (chunk === 'time' || chunk.done) break
      chunks.push(chunk.value.subarray(0, bounds.bodyBytes - bytes))
      bytes += chunk.value.byteLength
      sink(chunk.value)
      const isEnough = bytes > bounds.bodyBytes || read.wireBytes > bounds.bodyBytes
      if (isEnough || (!mayEnd && read.events.length >= bounds.events)) read.end = 'enough'
    }
  } catch (error) {
    signal.throwIfAborted()
    throw broken(error as Error, response)
  } finally {
    clock.end()
    void reader.cancel().catch(() => {})
  }
  return { ...read, body: Buffer.concat(chunks) }
}

/** Parses chunks of an event stream into events, up to the bound. */
function eventSink(read: PreviewRead, { events, bodyBytes }: PreviewBounds): (chunk: Uint8Array) => void {
  const text = new TextDecoder(undefined, { ignoreBOM: true })
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

/** The same for JSON lines; a line that is too long is left out. */
function lineSink(read: PreviewRead, { events, bodyBytes }: PreviewBounds): (chunk: Uint8Array) => void {
  const text = new TextDecoder(undefined, { ignoreBOM: true })
  const parser = jsonLines({
    maxChars: bodyBytes,
    onEvent: ({ data }) => {
      if (read.events.length < events) read.events.push({ event: 'message', id: null, data })
    },
    onLarge: () => {},
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
    : endedEarly()
}

function endedEarly(): UpstreamError {
  return new UpstreamError('ended_early', 'The connection closed before the body was complete.')
}
