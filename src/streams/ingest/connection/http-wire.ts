import { mediaTypeIn } from '../../../core/sets/media-types.ts'
import { isReadableAs, STREAM_KIND, type StreamKind } from '../../../core/sets/stream-kinds.ts'
import { codingsOf, decompressing } from '../../content/codings.ts'
import type { SseConfig, SseParser } from '../../content/sse-parser.ts'
import type { Stream } from '../run.ts'
import { askUpstream, statusError, UpstreamError, type UpstreamRequest } from '../upstream.ts'
import type { Format, Piece, Source } from './follow-connection.ts'

/** The format of a response's body: the kind determines the accepted content types, the parser reads the data. */
export interface BodyFormat {
  kind: StreamKind
  /** How text ends that doesn't end within an event. */
  endOfEvent: RegExp
  parser(config: SseConfig, stream: Stream): Parser
  /** Headers of every request, unless the stream has its own. */
  headers?: Record<string, string>
  /** How a request asks for everything after an event; undefined if it can't. */
  resuming(lastEventId: string, request: UpstreamRequest, stream: Stream): Resuming | undefined
}

/** As for server-sent events; a format without event names or IDs reports none. */
export type Parser = SseParser & {
  /** The body has ended, as it should: what is left of it may be an event. Omitted if it can't be. */
  end?(): void
  /** Whether the upstream has said that nothing follows. */
  readonly isOver?: boolean
}

/** What differs in a request that resumes. */
export interface Resuming {
  headers?: Record<string, string>
  url?: string
  body?: string
}

/** A kind whose connections are responses without an end. */
export function httpFormat(format: BodyFormat): Format {
  const { kind, resuming } = format
  return {
    kind,
    wire(stream, on) {
      const parser = format.parser(on, stream)
      return {
        async ask({ request, lastEventId, limits, signal, fetch, means }) {
          const resumed = lastEventId ? resuming(lastEventId, request, stream) : undefined
          const { url = request.url, body = request.body } = resumed ?? {}
          const asked = { ...request, url, body }
          const own = { ...headersOf(kind), ...missing(format.headers, request), ...resumed?.headers }
          const answer = await askUpstream(asked, own, limits, signal, fetch, means)
          return { answer, isResumed: resumed !== undefined }
        },
        refusal: (answer, nowMs) => statusError(answer, nowMs) ?? formatError(answer.response, kind),
        source: ({ response }) => bodySource(response, parser, format),
      }
    },
  }
}

/** The headers that a request doesn't have. */
function missing(headers: Record<string, string> = {}, request: UpstreamRequest): Record<string, string> {
  const given = new Headers(request.headers)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !given.has(name)))
}

function headersOf(kind: StreamKind): Record<string, string> {
  const { mediaTypes, otherTypes } = STREAM_KIND[kind]
  return {
    Accept: [...mediaTypes, ...otherTypes.map((type) => `${type};q=0.5`)].join(', '),
    // Uncompressed, because compressing servers tend to hold back events until a block is full.
    'Accept-Encoding': 'identity',
    'Cache-Control': 'no-store',
  }
}

function bodySource(response: Response, parser: Parser, { kind, endOfEvent }: BodyFormat): Source {
  const body = response.body as Bytes
  // Some servers compress whether they are asked to or not.
  const codings = codingsOf(response.headers)
  const packed = codings.length > 0 ? new Counting(body) : undefined
  const reader = (packed === undefined ? body : decompressing(packed.body, codings)).getReader()
  let hasRead = false
  parser.reset()
  // The parser skips the byte order mark; skipping it here, too, would skip a second one.
  const decoder = decoderOf(response, kind)
  return {
    get farewell() {
      return parser.isOver ? 'The upstream completed the subscription' : 'The upstream closed the stream'
    },
    async read(): Promise<Piece | undefined> {
      if (parser.isOver) return undefined
      const { done, value } = await reader.read().catch((error: Error) => {
        if (packed === undefined || hasRead || !isCodingError(error)) throw error
        throw new UpstreamError('bad_encoding', `The stream isn't valid ${codings.join(', ')}.`)
      })
      if (done) return undefined
      hasRead = true
      const text = decoder.decode(value, { stream: true })
      return {
        wireBytes: packed?.take() ?? value.byteLength,
        bodyBytes: value.byteLength,
        deliver: () => parser.feed(text),
        isWhole: endOfEvent.test(text),
      }
    },
    finish(isBroken) {
      if (!isBroken) parser.end?.()
      parser.reset()
    },
    close: () => void reader.cancel().catch(() => {}),
  }
}

/** Server-sent events are always UTF-8. @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
function decoderOf({ headers }: Response, kind: StreamKind): TextDecoder {
  const { charset } = mediaTypeIn(headers.get('content-type'))
  try {
    if (kind !== 'sse') return new TextDecoder(charset, { ignoreBOM: true })
  } catch {
    // A charset that nobody knows.
  }
  return new TextDecoder('utf-8', { ignoreBOM: true })
}

type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>

/** A stream that counts the bytes passing through. */
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

  /** Bytes that passed through since the last call. */
  take(): number {
    const bytes = this.#bytes
    this.#bytes = 0
    return bytes
  }
}

/** Why a response can't be read as this kind; undefined if it can. */
function formatError({ headers }: Response, kind: StreamKind): UpstreamError | undefined {
  const type = headers.get('content-type') ?? ''
  if (isReadableAs(kind, type)) return undefined
  const said = type === '' ? 'no content type' : type.slice(0, 100)
  const message = `The upstream returned ${said}, not ${STREAM_KIND[kind].mediaTypes.join(' or ')}.`
  return new UpstreamError('bad_content_type', message)
}

/** Whether a body broke because it isn't what its coding says, rather than because its connection did. */
function isCodingError({ name, code }: Error & { code?: unknown }): boolean {
  return name === 'TypeError' || /^(Z_|ERR_.*(BROTLI|ZSTD|TRAILING))/i.test(String(code ?? ''))
}
