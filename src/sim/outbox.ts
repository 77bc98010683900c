/** What may wait to be sent. At the bound the oldest is dropped: it is the one nobody needs to see any more. */
export const MAX_WAITING = 100

/** Sends things one after another, in order, while whoever hands them over goes on. */
export class Outbox<T> {
  /** How many were dropped because more than {@link MAX_WAITING} waited. */
  dropped = 0
  readonly #waiting: T[] = []
  readonly #send: (item: T) => Promise<unknown>
  #sending = false

  /** @param send must not fail; one that gets nowhere loses its item. */
  constructor(send: (item: T) => Promise<unknown>) {
    this.#send = send
  }

  push(item: T): void {
    this.#waiting.push(item)
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift()
      this.dropped++
    }
    if (!this.#sending) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#sending = true
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift()) {
      await this.#send(item)
    }
    this.#sending = false
  }
}
