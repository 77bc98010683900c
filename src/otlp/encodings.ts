import { setImmediate as othersTurn } from 'node:timers/promises'
import { Problem } from '../errors.ts'
import { readJsonSpans } from './json.ts'
import { type Gathered, Gathering } from './spans.ts'

type Encoded = Uint8Array<ArrayBuffer> | string

/** One of the two encodings of OTLP; the response has the request's encoding. */
export interface Encoding {
  contentType: string
  /**
   * Yields to other work in between.
   * @throws Problem `bad_request`, `invalid_json`, `body_too_large`
   */
  decode(body: Uint8Array): Promise<Gathered>
  /** An ExportTraceServiceResponse. */
  success(refused: number, reason: string): Promise<Encoded>
  /** A google.rpc.Status. */
  failure(problem: Problem): Promise<Encoded>
}

/** Loading the package takes a tenth of the start time, so the first request that needs it loads it. */
const protobuf = () => import('./protobuf.ts')

const PROTOBUF: Encoding = {
  contentType: 'application/x-protobuf',
  decode: async (body) => {
    const { readProtobuf } = await protobuf()
    try {
      return await gather((gathering) => readProtobuf(body, gathering))
    } catch (error) {
      if (error instanceof Problem) throw error
      // The decoder's own message is about bytes and tags.
      throw new Problem('bad_request', "The body isn't a complete ExportTraceServiceRequest.")
    }
  },
  success: async (refused, errorMessage) =>
    (await protobuf()).encodeResponse(
      refused === 0 ? {} : { partialSuccess: { rejectedSpans: BigInt(refused), errorMessage } },
    ),
  failure: async (problem) =>
    (await protobuf()).encodeStatus({ code: grpcCode(problem), message: problem.detail }),
}

const JSON_ENCODING: Encoding = {
  contentType: 'application/json',
  decode: async (body) => {
    try {
      return await gather((gathering) => readJsonSpans(body, gathering))
    } catch (error) {
      if (error instanceof Problem) throw error
      const reason = (error as Error).message.slice(0, MAX_REASON_CHARS)
      throw new Problem('invalid_json', `The body isn't an ExportTraceServiceRequest: ${reason}.`)
    }
  },
  success: async (refused, errorMessage) =>
    JSON.stringify(
      // In protobuf's JSON, an int64 is a string.
      refused === 0 ? {} : { partialSuccess: { rejectedSpans: String(refused), errorMessage } },
    ),
  failure: async (problem) => JSON.stringify({ code: grpcCode(problem), message: problem.detail }),
}

/** How long decoding may block other work at a time. Parsing JSON is a single step, however long it takes. */
const TURN_MS = 20
/** Length of the parser's message. */
const MAX_REASON_CHARS = 200
const INVALID_ARGUMENT = 3
const RESOURCE_EXHAUSTED = 8

/** @throws Problem `unsupported_media_type` */
export function otlpEncodingOf(contentType: string | null): Encoding {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === PROTOBUF.contentType) return PROTOBUF
  if (type === JSON_ENCODING.contentType) return JSON_ENCODING
  const detail = `Content-Type: expected ${PROTOBUF.contentType} or ${JSON_ENCODING.contentType}.`
  throw new Problem('unsupported_media_type', detail)
}

async function gather(read: (gathering: Gathering) => Iterable<void>): Promise<Gathered> {
  const gathering = new Gathering()
  let turnedAt = performance.now()
  for (const _ of read(gathering)) {
    if (performance.now() - turnedAt < TURN_MS) continue
    await othersTurn()
    turnedAt = performance.now()
  }
  return gathering
}

/** @see https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
function grpcCode({ code }: Problem): number {
  return code === 'body_too_large' || code === 'too_many' ? RESOURCE_EXHAUSTED : INVALID_ARGUMENT
}
