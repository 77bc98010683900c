import type { FaultHolder } from '../faults/faults.ts'
import type { Distribution, RateLimitSpec } from '../graph/graph.ts'
import { valueAt } from '../graph/quantiles.ts'
import { type Random, weighted } from '../random.ts'
import { RateLimiter } from './rate-limiter.ts'

/** Statuses of failures if only a rate is given. */
export const DEFAULT_ERROR_CODES: Readonly<Record<string, number>> = { '500': 1 }

/** What a service does unless a fault says otherwise. */
export interface Normal {
  latencyMs?: Distribution
  /** The status that an activation fails with on its own; `undefined` if it doesn't. Default: never. */
  failure?: (random: Random) => number | undefined
  errorCodes?: Record<string, number>
  rateLimit?: RateLimitSpec
  payloadBytes?: Distribution
}

/** How one service behaves: as its graph says, overridden by its current faults. */
export class Behavior {
  readonly #normal: Normal
  readonly #faults: Pick<FaultHolder, 'current'>
  readonly #limiter = new RateLimiter()

  constructor(normal: Normal, faults: Pick<FaultHolder, 'current'>) {
    this.#normal = normal
    this.#faults = faults
  }

  /** Whether connections are closed without a response. */
  get resets(): boolean {
    return this.#faults.current.reset === true
  }

  /**
   * Admits an activation.
   * @returns the seconds to wait if there is no capacity
   */
  admit(now: number): number | undefined {
    return this.#limiter.take(this.#faults.current.rateLimit ?? this.#normal.rateLimit, now)
  }

  /** How long its own work takes. */
  latencyMs(random: Random): number {
    return draw(this.#faults.current.latencyMs ?? this.#normal.latencyMs, random)
  }

  /** The status that it fails with on its own; `undefined` if it doesn't fail. */
  failure(random: Random): number | undefined {
    const { errorRate, errorCodes } = this.#faults.current
    const normally = this.#normal.failure?.(random)
    if (errorRate === undefined && errorCodes === undefined) return normally
    const fails = errorRate === undefined ? normally !== undefined : random() < errorRate
    if (!fails) return undefined
    return weighted(errorCodes ?? this.#normal.errorCodes ?? DEFAULT_ERROR_CODES, random)
  }

  /** Padding added to a response; `undefined` for none. */
  payload(random: Random): string | undefined {
    const bytes = this.#faults.current.payloadBytes ?? draw(this.#normal.payloadBytes, random)
    return bytes < 1 ? undefined : 'x'.repeat(Math.round(bytes))
  }
}

/** Fails a share of all activations, with statuses by weight. */
export function failing(rate: number, codes: Record<string, number>): (random: Random) => number | undefined {
  return (random) => (random() < rate ? weighted(codes, random) : undefined)
}

/** A constant value needs no random number. */
function draw(quantiles: Distribution | undefined, random: Random): number {
  if (quantiles === undefined) return 0
  return quantiles.p50 === quantiles.p99 ? quantiles.p50 : valueAt(quantiles, random())
}
