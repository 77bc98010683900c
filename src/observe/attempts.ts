import type { Sending } from '../channels/kind.ts'
import { Counter, counter, histogram, LabelledHistogram, type MetricFamily } from './metrics.ts'
import type { Tracer } from './tracer.ts'

/** In seconds: an attempt fails after fifteen. */
const SECONDS_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]

/** Counts the delivery attempts of this process by outcome. */
export class Attempts {
  readonly #counts = new Counter<'kind' | 'outcome'>()
  readonly #seconds = new LabelledHistogram<'kind'>(SECONDS_BUCKETS)
  readonly #tracer: Tracer | undefined

  constructor(tracer: Tracer | undefined) {
    this.#tracer = tracer
  }

  /** @param kind of the channel */
  made(kind: string, { durationMs, outcome, response }: Sending): void {
    this.#counts.add({ kind, outcome: outcome.result })
    this.#seconds.observe({ kind }, durationMs / 1_000)
    const tracer = this.#tracer
    if (tracer === undefined) return
    const endedAt = tracer.now()
    tracer.record(undefined, {
      ...{ name: `deliver ${kind}`, kind: 'producer', startedAt: endedAt - durationMs, endedAt },
      attributes: { 'weir.outcome': outcome.result, 'http.response.status_code': response?.status },
      error: 'error' in outcome ? outcome.error.code : undefined,
    })
  }

  *families(): Iterable<MetricFamily> {
    yield counter(
      'weir_delivery_attempts_total',
      'Delivery attempts by channel kind and outcome; `retry` means another attempt follows.',
      this.#counts.samples(),
    )
    yield histogram('weir_delivery_attempt_seconds', 'Duration of delivery attempts.', this.#seconds)
  }
}
