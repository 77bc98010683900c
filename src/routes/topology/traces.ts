import { Elysia } from 'elysia'
import { PROBLEMS, Problem } from '../../errors.ts'
import { unpack } from '../../otlp/body.ts'
import type { SpanCalls } from '../../otlp/calls.ts'
import { type Encoding, otlpEncodingOf } from '../../otlp/encodings.ts'
import type { Gathered } from '../../otlp/spans.ts'
import { EXPORTED } from '../answers/traces.ts'
import { describe } from '../http/describe.ts'
import { readBytes } from '../http/input.ts'

/** Maximum size of a request as sent. */
const MAX_WIRE_BYTES = 4_194_304
/** Maximum number of requests decoded at once, in memory; further ones get a 429 and retry. */
const MAX_AT_ONCE = 4
const RETRY_AFTER_S = 1

export interface TraceRoutesDeps {
  spanCalls: SpanCalls
}

/** Receives OpenTelemetry spans. @see https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export function traceRoutes({ spanCalls }: TraceRoutesDeps) {
  const room = { left: MAX_AT_ONCE }
  return new Elysia().post(
    '/v1/traces',
    async ({ request }) => {
      const encoding = otlpEncodingOf(request.headers.get('content-type'))
      try {
        const { spans, refused, reason = '' } = await decode(request, encoding, room)
        spanCalls.take(spans)
        return answer(encoding, await encoding.success(refused, reason))
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        return answer(encoding, await encoding.failure(error), error.status)
      }
    },
    { response: EXPORTED, detail: DOCS },
  )
}

async function decode(request: Request, encoding: Encoding, room: { left: number }): Promise<Gathered> {
  const sent = await readBytes(request, MAX_WIRE_BYTES)
  if (room.left === 0) throw new Problem('too_many', `${MAX_AT_ONCE} requests are in progress. Try again.`)
  room.left--
  try {
    return await encoding.decode(unpack(sent, request.headers.get('content-encoding')))
  } finally {
    room.left++
  }
}

function answer({ contentType }: Encoding, body: Uint8Array<ArrayBuffer> | string, status = 200): Response {
  const response = new Response(body, { status, headers: { 'Content-Type': contentType } })
  if (status === PROBLEMS.too_many) response.headers.set('Retry-After', String(RETRY_AFTER_S))
  return response
}

const DOCS = {
  tags: ['Topology'],
  ...describe(
    'Send OpenTelemetry spans',
    'OTLP/HTTP: an `ExportTraceServiceRequest` as protobuf or JSON, plain or gzipped, up to 4 MiB as sent and 16 MiB ' +
      'decompressed; the response uses the same encoding. Services and calls are derived from the spans; spans beyond ' +
      '20,000 are rejected in `partial_success`. Errors are a `google.rpc.Status` with a message.',
    { problems: ['unauthorized', 'forbidden_origin'] },
  ),
  requestBody: {
    required: true,
    content: {
      'application/json': { schema: {}, example: { resourceSpans: [] } },
      'application/x-protobuf': { schema: {} },
    },
  },
}
