import { causeOf } from '../errors.ts'
import type { EventOf, EventType, WeirEvent } from './events.ts'

/**
 * Events that subscribers publish in answer to one event, and to those answers. At the bound further ones are dropped and
 * reported: only subscribers that answer each other without end get there.
 */
const MAX_ANSWERS = 1_000

/** Where an event happened: in this process, or in another. One from elsewhere is never relayed again. */
export type Origin = 'here' | 'elsewhere'

/** Handlers by event type. They return at once; a subscriber that has to wait does so on its own. */
export type Handlers = { [T in EventType]?: (event: EventOf<T>, origin: Origin) => void }

/** Owned by the subscriber, which ends it when it closes. */
export interface Subscription {
  /** Stops all handlers; idempotent. */
  end(): void
}

interface Subscriber {
  owner: string
  hear(event: WeirEvent, origin: Origin): void
  isEnded: boolean
}

/**
 * Notifies the subscribers of this process. Synchronous: when `publish` returns, every subscriber has handled the event.
 * Ordered: subscribers are called in the order in which they subscribed, and events arrive in the order in which they were
 * published. An event that a subscriber publishes from its handler comes after the one that is being handled.
 *
 * A subscriber that throws is reported, and the others are still called. The publisher never sees the error.
 */
export class Bus {
  readonly #report: (message: string, error: unknown) => void
  /** Arrays are replaced, never changed: an event goes to those who had subscribed when it was published. */
  readonly #subscribers = new Map<EventType, readonly Subscriber[]>()
  /** Events published by handlers; undefined while none runs. */
  #answers: [event: WeirEvent, origin: Origin][] | undefined

  constructor(report: (message: string, error: unknown) => void) {
    this.#report = report
  }

  publish(event: WeirEvent, origin: Origin = 'here'): void {
    if (this.#answers !== undefined) {
      this.#answer(event, origin)
      return
    }
    const answers: [WeirEvent, Origin][] = []
    this.#answers = answers
    try {
      this.#notify(event, origin)
      // It may grow meanwhile.
      for (const answer of answers) this.#notify(...answer)
    } finally {
      this.#answers = undefined
    }
  }

  /** @param owner named where one of its handlers throws */
  subscribe(owner: string, handlers: Handlers): Subscription {
    const mine = Object.entries(handlers).map(([type, hear]): [EventType, Subscriber] => [
      type as EventType,
      { owner, hear: hear as Subscriber['hear'], isEnded: false },
    ])
    for (const [type, subscriber] of mine)
      this.#subscribers.set(type, [...(this.#subscribers.get(type) ?? []), subscriber])
    return { end: () => this.#remove(mine) }
  }

  #notify(event: WeirEvent, origin: Origin): void {
    for (const subscriber of this.#subscribers.get(event.type) ?? []) {
      // Ended by an earlier handler of the same event.
      if (subscriber.isEnded) continue
      try {
        subscriber.hear(event, origin)
      } catch (error) {
        this.#report(`${subscriber.owner} failed on ${event.type}: ${causeOf(error)}`, error)
      }
    }
  }

  #answer(event: WeirEvent, origin: Origin): void {
    const answers = this.#answers as [WeirEvent, Origin][]
    if (answers.length < MAX_ANSWERS) answers.push([event, origin])
    else this.#report(`Dropped ${event.type}: more than ${MAX_ANSWERS} events in answer to one`, undefined)
  }

  #remove(mine: readonly [EventType, Subscriber][]): void {
    for (const [type, subscriber] of mine) {
      subscriber.isEnded = true
      const others = (this.#subscribers.get(type) ?? []).filter((each) => each !== subscriber)
      this.#subscribers.set(type, others)
    }
  }
}
