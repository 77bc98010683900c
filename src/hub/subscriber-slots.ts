import { Problem } from '../errors.ts'

/** Who subscriptions are counted for. */
export interface SubscribingClient {
  key: string
  isLocal: boolean
}

export interface SeatBounds {
  /** Maximum per client. */
  perClient: number
  /** Maximum for all clients together. */
  inAll: number
  /** Whether the limit per client also applies to this machine. */
  countsLocal: boolean
}

/** Counts subscribers per client. Each holds a connection and, if it doesn't read, up to 1 MiB. */
export class SubscriberSlots {
  readonly #bounds: SeatBounds
  readonly #held = new Map<string, number>()
  #taken = 0

  constructor(bounds: SeatBounds) {
    this.#bounds = bounds
  }

  /** Number of clients with a subscription. */
  get clients(): number {
    return this.#held.size
  }

  /**
   * Checks whether there is room for one more.
   * @throws Problem `too_many` for this client, `unavailable` for all
   */
  check(holder: SubscribingClient | undefined): void {
    const { perClient, inAll } = this.#bounds
    if (this.#taken >= inAll) {
      const detail = `The limit of ${inAll} open event streams is reached (MAX_SUBSCRIBERS). Try again later.`
      throw new Problem('unavailable', detail)
    }
    const key = this.#keyOf(holder)
    if (key === undefined || (this.#held.get(key) ?? 0) < perClient) return
    const detail = `Your limit of ${perClient} open event streams is reached (MAX_SUBSCRIBERS_PER_CLIENT). Close one first.`
    throw new Problem('too_many', detail)
  }

  /**
   * Takes a slot.
   * @returns a function that releases it, to be called once
   * @throws Problem as {@link check} does
   */
  take(holder: SubscribingClient | undefined): () => void {
    this.check(holder)
    const key = this.#keyOf(holder)
    this.#taken++
    if (key !== undefined) this.#held.set(key, (this.#held.get(key) ?? 0) + 1)
    return () => {
      this.#taken--
      if (key === undefined) return
      const left = (this.#held.get(key) ?? 1) - 1
      if (left === 0) this.#held.delete(key)
      else this.#held.set(key, left)
    }
  }

  #keyOf(holder: SubscribingClient | undefined): string | undefined {
    return holder?.isLocal && !this.#bounds.countsLocal ? undefined : holder?.key
  }
}
