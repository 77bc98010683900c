import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { Elysia } from 'elysia'
import { Problem } from '../../src/errors.ts'
import { Hub } from '../../src/hub/hub.ts'
import { SpanCalls } from '../../src/otlp/calls.ts'
import { topologyRoutes } from '../../src/routes/topology/topology.tsx'
import { traceRoutes } from '../../src/routes/topology/traces.ts'
import { Topology } from '../../src/topology/topology.ts'

export const PROTOBUF = 'application/x-protobuf'
export const JSON_TYPE = 'application/json'

type ReadableSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number]
/** As the SDK numbers them, one below OTLP. */
const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const

export interface TestSpan {
  service?: string
  /** Attributes of the resource, besides its name. */
  resource?: Record<string, unknown>
  kind?: (typeof KINDS)[number]
  traceId?: string
  spanId: string
  parent?: string
  /** Seconds since 1970, and how long it took. */
  start?: number
  durationMs?: number
  isError?: boolean
  attributes?: Record<string, unknown>
}

const TRACE = 'a1'.repeat(16)

/** A request as the stock exporter writes it. */
export function requestOf(spans: readonly TestSpan[], type: string = PROTOBUF): Uint8Array<ArrayBuffer> {
  const serializer = type === PROTOBUF ? ProtobufTraceSerializer : JsonTraceSerializer
  const bytes = serializer.serializeRequest(spans.map(readable))
  if (bytes === undefined) throw new Error('The exporter wrote nothing')
  return new Uint8Array(bytes)
}

/** An id of 8 bytes. */
export function id(number: number): string {
  return (number + 1).toString(16).padStart(16, '0')
}

/** The two routes on a port of their own; time passes only where a test says so, and nothing is settled by itself. */
export function startReceiver(port = 0) {
  const clock = { ms: 0 }
  const hub = new Hub()
  const topology = new Topology({ hub })
  const warnings: string[] = []
  const spanCalls = new SpanCalls({
    report: (report) => topology.report(report),
    warn: (message, error) => void warnings.push(`${message}: ${error}`),
    now: () => clock.ms,
  })
  const app = new Elysia()
    .onError(({ error }) =>
      error instanceof Problem ? error.toResponse() : new Response(String(error), { status: 500 }),
    )
    .use(topologyRoutes({ topology, hub, fetch }))
    .use(traceRoutes({ spanCalls }))
    .listen({ port, hostname: '127.0.0.1', reusePort: false })
  const url = `http://127.0.0.1:${app.server?.port}`
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/traces`, { method: 'POST', headers: { 'Content-Type': PROTOBUF, ...headers }, body })
  return {
    ...{ url, topology, spanCalls, warnings, post },
    /** Sends spans, which must all be taken. */
    async send(...spans: TestSpan[]) {
      const response = await post(requestOf(spans))
      const body = await response.bytes()
      if (response.status !== 200 || body.length > 0) throw new Error(`Not taken: ${response.status} ${body}`)
    },
    /** Lets time pass until nothing waits any more. */
    async settle() {
      clock.ms += 60_000
      spanCalls.take([])
    },
    /** `from -> to: count/errors`, sorted. */
    edges: () =>
      topology
        .graph()
        .calls.map(({ from, to, count, errors }) => `${from} -> ${to}: ${count}/${errors}`)
        .sort(),
    nodes: () => topology.graph().services.map(({ id }) => id),
    async [Symbol.asyncDispose]() {
      spanCalls.close()
      await topology.close()
      hub.close()
      await app.server?.stop(true)
    },
  }
}

function readable(span: TestSpan): ReadableSpan {
  const { kind = 'internal', traceId = TRACE, start = 1_790_000_000, durationMs = 5 } = span
  return {
    name: 'a span',
    kind: KINDS.indexOf(kind),
    spanContext: () => ({ traceId, spanId: span.spanId, traceFlags: 1 }),
    parentSpanContext: span.parent && { traceId, spanId: span.parent, traceFlags: 1 },
    startTime: hrTime(start * 1000),
    endTime: hrTime(start * 1000 + durationMs),
    status: { code: span.isError ? 2 : 0 },
    attributes: span.attributes ?? {},
    ...{ links: [], events: [], droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
    resource: { attributes: { 'service.name': span.service ?? 'shop', ...span.resource } },
    instrumentationScope: { name: 'a test' },
  } as unknown as ReadableSpan
}

function hrTime(ms: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}
