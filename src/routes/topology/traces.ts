import { Elysia } from 'elysia'
import { PROBLEMS, Problem } from '../../errors.ts'
import { unpack } from '../../otlp/body.ts'
import type { SpanCalls } from '../../otlp/calls.ts'
import { type Encoding, encodingOf } from '../../otlp/encodings.ts'
import type { Gathered } from '../../otlp/spans.ts'
import { EXPORTED } from '../answers/traces.ts'
import { readBytes } from '../http/input.ts'
import { operation } from '../http/operation.ts'

/** Of one request as it is sent. */
const MAX_WIRE_BYTES = 4_194_304
/** Requests that are unpacked at once, in memory; who comes on top of them is asked to come back. */
const MAX_AT_ONCE = 4
const RETRY_AFTER_S = 1

export interface TraceRoutesDeps {
  spanCalls: SpanCalls
}

/** Where programs that speak OpenTelemetry send their spans. @see https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export function traceRoutes({ spanCalls }: TraceRoutesDeps) {
  const room = { left: MAX_AT_ONCE }
  return new Elysia().post(
    '/v1/traces',
    async ({ request }) => {
      const encoding = encodingOf(request.headers.get('content-type'))
      try {
        const { spans, refused, reason = '' } = await decode(request, encoding, room)
        spanCalls.take(spans)
        return answer(encoding, await encoding.success(refused, reason))
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        return answer(encoding, await encoding.failure(error), error.status)
      }
    },
    { parse: 'none', detail: DOCS },
  )
}

async function decode(request: Request, encoding: Encoding, room: { left: number }): Promise<Gathered> {
  const sent = await readBytes(request, MAX_WIRE_BYTES)
  if (room.left === 0) throw new Problem('too_many', `${MAX_AT_ONCE} requests are being read; try again.`)
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
  ...operation(
    'Spans of OpenTelemetry',
    'OTLP/HTTP: an `ExportTraceServiceRequest` as protobuf or JSON, plain or gzip, up to 4 MiB as sent and 16 MiB ' +
      'unpacked, answered in the encoding it came in. Services and calls are read from the spans; of more than 20,000 ' +
      'the rest is refused as a `partial_success`. Errors are a `google.rpc.Status` with a sentence.',
    { answers: EXPORTED, problems: ['unauthorized', 'forbidden_origin'] },
  ),
  requestBody: {
    required: true,
    content: {
      'application/json': { schema: {}, example: { resourceSpans: [] } },
      'application/x-protobuf': { schema: {} },
    },
  },
}
