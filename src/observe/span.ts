/**
 * The position of a span in a trace.
 * @see https://www.w3.org/TR/trace-context/
 */
export interface SpanContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** Whether the trace is kept. */
  readonly sampled: boolean
}

/** Numbered as in OTLP. */
export const SPAN_KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const
export type SpanKind = keyof typeof SPAN_KINDS

/** An operation that has ended. */
export interface Span {
  name: string
  kind: SpanKind
  context: SpanContext
  parentSpanId: string | undefined
  /** Milliseconds since the epoch, with fractions. */
  startedAt: number
  endedAt: number
  attributes: Readonly<Record<string, string | number | boolean | undefined>>
  /** What went wrong, if anything. */
  error: string | undefined
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-|$)/
/** A version and IDs that are invalid. */
const INVALID = /^ff|^..-0{32}|^.{36}0{16}/

/** Parses a `traceparent` header; undefined if it is invalid. */
export function readTraceparent(header: string | null): SpanContext | undefined {
  const match = header === null || INVALID.test(header) ? null : TRACEPARENT.exec(header)
  if (match === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = match
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function traceparent({ traceId, spanId, sampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}
