import { HOLDS_MS } from './presence.ts'

/** A sender that hasn't been heard for this long is forgotten, in milliseconds: it would have said that it is there. */
const FORGET_MS = 60_000
/** Senders that are known. At the bound the one that was heard longest ago is forgotten; if it returns, something counts as missed. */
const MAX_SENDERS = 1_000

interface Sender {
  /** Of its last message that arrived. */
  number: number
  heardAt: number
}

/** What other processes have sent, as far as it arrived here. */
export class Senders {
  readonly #now: () => number
  readonly #openedAt: number
  /** The one that was heard longest ago is first. */
  readonly #known = new Map<string, Sender>()

  /** @param now milliseconds, of a clock that isn't set back */
  constructor(now: () => number) {
    this.#now = now
    this.#openedAt = now()
  }

  /**
   * Notes the number that came with a message.
   * @param isOwn whether the message is the one with that number, rather than one that repeats it
   * @returns whether any message before it is missing
   */
  heard(from: string, number: number, isOwn: boolean): boolean {
    const before = isOwn ? number - 1 : number
    const last = this.#known.get(from)?.number ?? this.#start(before)
    this.#known.delete(from)
    this.#known.set(from, { number: Math.max(last, number), heardAt: this.#now() })
    this.#forget()
    return before > last
  }

  get size(): number {
    return this.#known.size
  }

  /**
   * Where a sender stood before it was first heard. Those that were there before this process introduce themselves within
   * some seconds; any other one has started since, and should have been heard from its first message on.
   */
  #start(before: number): number {
    return this.#now() - this.#openedAt < HOLDS_MS ? before : 0
  }

  #forget(): void {
    for (const [from, { heardAt }] of this.#known) {
      if (this.#known.size <= MAX_SENDERS && this.#now() - heardAt < FORGET_MS) return
      this.#known.delete(from)
    }
  }
}
