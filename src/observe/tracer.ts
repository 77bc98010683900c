import { directFetch } from '../net/direct.ts'
import { SPAN_KINDS, type Span, type SpanContext, type SpanKind } from './span.ts'

/** Spans that wait to be sent; further ones are dropped and counted. */
const MAX_WAITING = 8_192
/** Spans in one message, and how long they are collected, in milliseconds. */
const BATCH = 512
const SEND_EVERY_MS = 5_000
/** A collector that takes longer has failed: its batch is dropped, like after a response other than 2xx. */
const SEND_MS = 10_000
/** How long the last batch may take at shutdown, in milliseconds. */
const CLOSE_MS = 1_000
/** Length of an attribute's value, and of an error. */
const MAX_CHARS = 500

export interface TracerOptions {
  /** Base URL of an OTLP/HTTP collector: `/v1/traces` is appended. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  /** Share of traces to keep, from 0 to 1, unless the caller has decided. */
  ratio: number
  /** Attributes of this process. */
  resource: Readonly<Record<string, string>>
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  now?(): number
}

/** Outcomes of spans. */
export interface TracerCounts {
  sent: number
  /** Because the queue was full, or the collector rejected them. */
  dropped: number
}

export type EndedSpan = Omit<Span, 'context' | 'parentSpanId' | 'error' | 'endedAt'> & {
  error?: string | undefined
  /** Omitted: now. */
  endedAt?: number
}

/**
 * Sends spans to a collector as OTLP in JSON. Without an endpoint there is no tracer: callers use `?.`, so that
 * tracing costs nothing.
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export class Tracer {
  readonly counts: TracerCounts = { sent: 0, dropped: 0 }
  readonly #options: TracerOptions
  readonly #fetch: NonNullable<TracerOptions['fetch']>
  readonly #timer: Timer
  #waiting: Span[] = []
  #sending: Promise<void> | undefined

  constructor(options: TracerOptions) {
    this.#options = options
    this.#fetch = options.fetch ?? directFetch
    this.#timer = setInterval(() => void this.flush(), SEND_EVERY_MS)
    this.#timer.unref()
  }

  /** Milliseconds since the epoch, with fractions. */
  now(): number {
    return this.#options.now?.() ?? performance.timeOrigin + performance.now()
  }

  /** Starts a span, in its parent's trace or a new one. */
  begin(parent: SpanContext | undefined): SpanContext {
    const traceId = parent?.traceId ?? hex(16)
    return { traceId, spanId: hex(8), sampled: parent?.sampled ?? isKept(traceId, this.#options.ratio) }
  }

  /** Records a span that has ended. */
  end(context: SpanContext, parent: SpanContext | undefined, span: EndedSpan): void {
    if (!context.sampled) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.counts.dropped++
      return
    }
    const endedAt = span.endedAt ?? this.now()
    this.#waiting.push({ error: undefined, ...span, endedAt, context, parentSpanId: parent?.spanId })
    if (this.#waiting.length >= BATCH) void this.flush()
  }

  /** Starts and ends a span without children. */
  record(parent: SpanContext | undefined, span: EndedSpan): void {
    this.end(this.begin(parent), parent, span)
  }

  /** Sends queued spans. */
  flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.race([this.flush(), Bun.sleep(CLOSE_MS)])
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      const isSent = await this.#send(batch)
      this.counts[isSent ? 'sent' : 'dropped'] += batch.length
      if (!isSent) return
    }
  }

  async #send(batch: readonly Span[]): Promise<boolean> {
    const { endpoint, headers, resource } = this.#options
    try {
      const response = await this.#fetch(`${endpoint}/v1/traces`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json' },
        body: JSON.stringify(messageOf(batch, resource)),
        redirect: 'manual',
        signal: AbortSignal.timeout(SEND_MS),
      })
      await response.body?.cancel()
      return response.ok
    } catch {
      return false
    }
  }
}

/** Consistent across processes: by the lower half of the trace ID, as in OpenTelemetry's own sampler. */
function isKept(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52
}

function hex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex()
}

function messageOf(batch: readonly Span[], resource: Readonly<Record<string, string>>) {
  const scopeSpans = [{ scope: { name: 'weir' }, spans: batch.map(spanJson) }]
  return { resourceSpans: [{ resource: { attributes: attributesJson(resource) }, scopeSpans }] }
}

function spanJson({ name, kind, context, parentSpanId, startedAt, endedAt, attributes, error }: Span) {
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: SPAN_KINDS[kind satisfies SpanKind],
    startTimeUnixNano: nanos(startedAt),
    endTimeUnixNano: nanos(Math.max(startedAt, endedAt)),
    attributes: attributesJson(attributes),
    status: error === undefined ? {} : { code: 2, message: error.slice(0, MAX_CHARS) },
  }
}

/** A number would lose its last digits. */
function nanos(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n)
}

function attributesJson(attributes: Span['attributes']) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: valueJson(value) }],
  )
}

function valueJson(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value.slice(0, MAX_CHARS) }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
