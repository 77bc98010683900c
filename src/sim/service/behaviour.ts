import type { FaultHolder } from '../faults/faults.ts'
import type { Quantiles, RateLimit } from '../graph/graph.ts'
import { valueAt } from '../graph/quantiles.ts'
import { type Random, weighted } from '../random.ts'
import { RateLimiter } from './rate-limiter.ts'

/** Statuses of failures when only a rate is given. */
export const DEFAULT_ERROR_CODES: Readonly<Record<string, number>> = { '500': 1 }

/** What a service does as long as no fault says otherwise. */
export interface Normal {
  latencyMs?: Quantiles
  /** The status an activation fails with by itself; `undefined` when it doesn't. Default never. */
  failure?: (random: Random) => number | undefined
  errorCodes?: Record<string, number>
  rateLimit?: RateLimit
  payloadBytes?: Quantiles
}

/** How one service behaves: as its graph says, and where its faults say otherwise, as they do at that moment. */
export class Behaviour {
  readonly #normal: Normal
  readonly #faults: Pick<FaultHolder, 'current'>
  readonly #limiter = new RateLimiter()

  constructor(normal: Normal, faults: Pick<FaultHolder, 'current'>) {
    this.#normal = normal
    this.#faults = faults
  }

  /** Whether connections are closed without an answer. */
  get resets(): boolean {
    return this.#faults.current.reset === true
  }

  /** Takes room for an activation; the seconds to wait for some when there is none. */
  admit(now: number): number | undefined {
    return this.#limiter.take(this.#faults.current.rateLimit ?? this.#normal.rateLimit, now)
  }

  /** How long its own work takes. */
  latencyMs(random: Random): number {
    return draw(this.#faults.current.latencyMs ?? this.#normal.latencyMs, random)
  }

  /** The status it fails with by itself; `undefined` when it doesn't. */
  failure(random: Random): number | undefined {
    const { errorRate, errorCodes } = this.#faults.current
    const normally = this.#normal.failure?.(random)
    if (errorRate === undefined && errorCodes === undefined) return normally
    const fails = errorRate === undefined ? normally !== undefined : random() < errorRate
    if (!fails) return undefined
    return weighted(errorCodes ?? this.#normal.errorCodes ?? DEFAULT_ERROR_CODES, random)
  }

  /** What an answer carries beside what it says; `undefined` is nothing. */
  payload(random: Random): string | undefined {
    const bytes = this.#faults.current.payloadBytes ?? draw(this.#normal.payloadBytes, random)
    return bytes < 1 ? undefined : 'x'.repeat(Math.round(bytes))
  }
}

/** Fails a part of all, with statuses by their weights. */
export function failing(rate: number, codes: Record<string, number>): (random: Random) => number | undefined {
  return (random) => (random() < rate ? weighted(codes, random) : undefined)
}

/** A value that is always the same takes no draw. */
function draw(quantiles: Quantiles | undefined, random: Random): number {
  if (quantiles === undefined) return 0
  return quantiles.p50 === quantiles.p99 ? quantiles.p50 : valueAt(quantiles, random())
}
