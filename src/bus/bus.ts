import { causeOf } from '../errors.ts'
import type { EventOf, EventType, WeirEvent } from './events.ts'

/**
 * Maximum number of follow-up events that handlers may publish because of one event. Beyond it, further ones are
 * dropped and reported: only handlers that trigger each other in a loop reach it.
 */
const MAX_ANSWERS = 1_000

/** Where an event happened: in this process or in another one. Events from elsewhere aren't relayed again. */
export type Origin = 'here' | 'elsewhere'

/** Handlers by event type. They must not block: asynchronous work continues in the background. */
export type Handlers = { [T in EventType]?: (event: EventOf<T>, origin: Origin) => void }

/** Owned by the subscriber, which must end it when it closes. */
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
 * Notifies the subscribers in this process. Synchronous: when `publish` returns, every subscriber has handled the
 * event. Ordered: subscribers are called in the order they subscribed, and events arrive in the order they were
 * published. An event published by a handler is delivered after the current one.
 *
 * If a handler throws, the error is reported and the other handlers still run. The publisher never sees it.
 */
export class Bus {
  readonly #report: (message: string, error: unknown) => void
  /** Arrays are replaced, never modified: an event goes to those who were subscribed when it was published. */
  readonly #subscribers = new Map<EventType, readonly Subscriber[]>()
  /** Events published by handlers while they run; undefined otherwise. */
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
      // Handlers may add to it during the loop.
      for (const answer of answers) this.#notify(...answer)
    } finally {
      this.#answers = undefined
    }
  }

  /** @param owner named in the report if one of its handlers throws */
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
    else this.#report(`Dropped ${event.type}: one event triggered more than ${MAX_ANSWERS} others`, undefined)
  }

  #remove(mine: readonly [EventType, Subscriber][]): void {
    for (const [type, subscriber] of mine) {
      subscriber.isEnded = true
      const others = (this.#subscribers.get(type) ?? []).filter((each) => each !== subscriber)
      this.#subscribers.set(type, others)
    }
  }
}
