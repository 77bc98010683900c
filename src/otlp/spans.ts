import { DAY_MS } from '../core/time.ts'
import { Problem } from '../errors.ts'
import type { SpanKind } from '../observe/span.ts'
import { fitName } from './names.ts'

/** Maximum spans of one request; the rest is rejected, and the sender learns how many. */
export const MAX_SPANS = 20_000
/**
 * Resources, scopes, spans and what lies between them in one request, each of which may be empty; a request with more
 * is rejected. An exporter makes 140,000 of 20,000 spans that have a resource each.
 */
export const MAX_PARTS = 200_000
/** The longest plausible call: with longer ones, a clock was set in between. */
const MAX_DURATION_MS = DAY_MS
const NS_PER_MS = 1_000_000n
/** Length of a text value, in UTF-16 units; the rest is cut off. */
const MAX_VALUE_CHARS = 1024
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/
/** The specification's name for a resource without one. */
const NO_NAME = 'unknown_service'

/** Values by their key; only what `WANTED` names is kept. */
export type Attributes = ReadonlyMap<string, string | number | boolean>

/** The program that made a span. */
export interface SpanService {
  /** Its `service.name` as a valid ID in the topology. */
  id: string
  /** Its `service.namespace`, likewise. */
  group?: string
}

/** The parts of a span that a call is derived from. */
export interface ReceivedSpan {
  service: SpanService
  kind: SpanKind
  /** Lower-case hexadecimal, like `spanId` and `parentSpanId`. */
  traceId: string
  spanId: string
  /** Omitted for the root span of a trace. */
  parentSpanId?: string
  /** By its own clock; omitted if its times make no sense. */
  durationMs?: number
  /** Whether its status is an error. */
  isError: boolean
  attributes: Attributes
}

/** A decoded span, with hexadecimal IDs and OTLP's own numbers. */
export interface RawSpan {
  traceId: string
  spanId: string
  parentSpanId: string
  kind: number
  startNs: bigint
  endNs: bigint
  statusCode: number
  attributes: Attributes
}

/** Attributes that describe a service or the other end of a call, by old and new conventions. */
const WANTED: ReadonlySet<string> = new Set(
  (
    'service.name service.namespace peer.service service.peer.name ' +
    'server.address server.port net.peer.name net.peer.port net.sock.peer.addr net.sock.peer.port ' +
    'network.peer.address network.peer.port url.full http.url http.host ' +
    'http.response.status_code http.status_code rpc.grpc.status_code rpc.response.status_code error.type ' +
    'db.system.name db.system db.namespace db.name db.redis.database_index ' +
    'messaging.system messaging.destination.name messaging.destination messaging.destination.template ' +
    'messaging.destination.temporary messaging.destination.anonymous messaging.operation.type messaging.operation'
  ).split(' '),
)
/** By OTLP's numbers; an unspecified kind counts as internal. */
const KINDS: readonly SpanKind[] = ['internal', 'internal', 'server', 'client', 'producer', 'consumer']
const STATUS_ERROR = 2

/** The attributes that Weir uses; the first one wins if a key is repeated. */
export function attributesOf(pairs: Iterable<readonly [key: string, value: unknown]>): Attributes {
  const attributes = new Map<string, string | number | boolean>()
  for (const [key, value] of pairs) {
    if (!WANTED.has(key) || attributes.has(key)) continue
    if (typeof value === 'string') attributes.set(key, cut(value))
    else if (typeof value === 'number' || typeof value === 'boolean') attributes.set(key, value)
  }
  return attributes
}

export function serviceOfResource(resource: Attributes): SpanService {
  const service: SpanService = { id: fitName(String(resource.get('service.name') ?? '')) ?? NO_NAME }
  const group = fitName(String(resource.get('service.namespace') ?? ''))
  if (group !== undefined) service.group = group
  return service
}

/** The result of decoding a request: up to `MAX_SPANS`, and the number of rejected ones. */
export interface Gathered {
  spans: readonly ReceivedSpan[]
  refused: number
  /** Why the first of them was rejected. */
  reason: string | undefined
}

export class Gathering implements Gathered {
  readonly spans: ReceivedSpan[] = []
  #parts = 0
  refused = 0
  reason: string | undefined

  /** Whether no more spans are accepted. */
  get isFull(): boolean {
    return this.spans.length >= MAX_SPANS
  }

  /** @throws Problem `body_too_large` */
  countParts(count: number): void {
    this.#parts += count
    if (this.#parts <= MAX_PARTS) return
    const detail = `The body contains more than ${MAX_PARTS} resources, scopes and spans with their fields.`
    throw new Problem('body_too_large', detail)
  }

  add(service: SpanService, raw: RawSpan): void {
    const { traceId, spanId, parentSpanId, kind, statusCode, attributes } = raw
    if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) {
      return void this.refuse('A span requires a nonzero trace ID of 16 bytes and span ID of 8 bytes.')
    }
    const span: ReceivedSpan = {
      ...{ service, kind: KINDS[kind] ?? 'internal', traceId, spanId },
      ...{ isError: statusCode === STATUS_ERROR, attributes },
    }
    if (SPAN_ID.test(parentSpanId)) span.parentSpanId = parentSpanId
    const durationMs = durationOf(raw)
    if (durationMs !== undefined) span.durationMs = durationMs
    this.spans.push(span)
  }

  refuse(reason: string): void {
    this.refused++
    this.reason ??= reason
  }

  refuseBeyond(): void {
    this.refuse(`A request may contain at most ${MAX_SPANS} spans.`)
  }
}

/** A copy, because a part of a string keeps all of it in memory. */
function cut(value: string): string {
  return value.length <= MAX_VALUE_CHARS ? value : Buffer.from(value.slice(0, MAX_VALUE_CHARS)).toString()
}

function durationOf({ startNs, endNs }: RawSpan): number | undefined {
  if (startNs <= 0n || endNs < startNs) return undefined
  // To microseconds: clocks aren't more precise than that.
  const durationMs = Number((endNs - startNs) / (NS_PER_MS / 1000n)) / 1000
  return durationMs <= MAX_DURATION_MS ? durationMs : undefined
}
