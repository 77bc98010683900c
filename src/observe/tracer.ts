import { directFetch } from '../net/direct.ts'
import { SPAN_KINDS, type Span, type SpanContext, type SpanKind } from './span.ts'

/** Spans that wait to be sent; what comes beyond is dropped and counted. */
const MAX_WAITING = 8_192
/** Spans in one message, and how long they are gathered for, in milliseconds. */
const BATCH = 512
const SEND_EVERY_MS = 5_000
/** A collector that takes longer has failed: its batch is dropped, as it is for an answer other than 2xx. */
const SEND_MS = 10_000
/** Longest wait for the last batch when Weir closes, in milliseconds: what else has to be closed comes first. */
const CLOSE_MS = 1_000
/** Of a value of an attribute, and of an error. */
const MAX_CHARS = 500

export interface TracerOptions {
  /** Base URL of a collector that speaks OTLP/HTTP: `/v1/traces` is added. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  /** Share of traces that are kept, from 0 to 1, of those that no caller has decided on. */
  ratio: number
  /** Who sends the spans. */
  resource: Readonly<Record<string, string>>
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  now?(): number
}

/** What happened to spans. */
export interface TracerCounts {
  sent: number
  /** For want of room, or because the collector didn't take them. */
  dropped: number
}

export type EndedSpan = Omit<Span, 'context' | 'parentSpanId' | 'error' | 'endedAt'> & {
  error?: string | undefined
  /** Left out: now. */
  endedAt?: number
}

/**
 * Sends spans to a collector as OTLP in JSON. There is none where no endpoint is set: who might trace asks for one with
 * `?.`, so that nothing is done then.
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

  /** Begins a span, in the trace of its parent, or one of its own. */
  begin(parent: SpanContext | undefined): SpanContext {
    const traceId = parent?.traceId ?? hex(16)
    return { traceId, spanId: hex(8), sampled: parent?.sampled ?? isKept(traceId, this.#options.ratio) }
  }

  /** Takes a span that is over. */
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

  /** Begins and ends a span without any within. */
  record(parent: SpanContext | undefined, span: EndedSpan): void {
    this.end(this.begin(parent), parent, span)
  }

  /** Sends what waits. */
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

/** The same for every process that sees the trace: by its id's lower half, as OpenTelemetry's own sampler decides. */
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
