import { causeOf } from '../errors.ts'
import type { EventOf, EventType, WeirEvent } from './events.ts'

/**
 * Events that subscribers publish in answer to one event, and to those answers. At the bound further ones are dropped and
 * reported: only subscribers that answer each other without end get there.
 */
const MAX_ANSWERS = 1_000

/** Which process an event happened in: what happened elsewhere is never sent to others again. */
export type Origin = 'here' | 'elsewhere'

/** What a subscriber does with each type of event. Returns at once: work that waits is the subscriber's own affair. */
export type Handlers = { [T in EventType]?: (event: EventOf<T>, origin: Origin) => void }

/** A subscriber's hold on the bus, which it ends with itself. */
export interface Subscription {
  /** Nothing is heard from now on; idempotent. */
  end(): void
}

interface Subscriber {
  owner: string
  hear(event: WeirEvent, origin: Origin): void
  isEnded: boolean
}

/**
 * Tells subscribers in this process what happened. Synchronous: when `publish` returns, everybody has heard. Ordered:
 * subscribers hear in the order in which they subscribed, and each of them hears events in the order in which they were
 * published; what a subscriber publishes meanwhile comes after the event that it is hearing.
 *
 * A subscriber that throws is reported, and the others hear all the same. Nobody who publishes hears of it.
 */
export class Bus {
  readonly #report: (message: string, error: unknown) => void
  /** Replaced, never changed: an event goes to those who had subscribed when it was published. */
  readonly #subscribers = new Map<EventType, readonly Subscriber[]>()
  /** Published while another event is being heard; undefined while none is. */
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
      this.#tell(event, origin)
      // It may grow meanwhile.
      for (const answer of answers) this.#tell(...answer)
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

  #tell(event: WeirEvent, origin: Origin): void {
    for (const subscriber of this.#subscribers.get(event.type) ?? []) {
      // By a handler that heard the same event before it.
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
