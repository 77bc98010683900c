import type { SendError, Sending } from './kind.ts'

/** Time that a kind has to end an aborted attempt, in milliseconds; after it the outcome is unknown. */
const ABORT_GRACE_MS = 500

/** The deadline of an attempt, by the clock or because Weir shuts down. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #overrun = Promise.withResolvers<Sending>()
  readonly #closing: AbortSignal
  readonly #timer: Timer
  #grace: Timer | undefined

  constructor(ms: number, closing: AbortSignal) {
    this.#closing = closing
    const message = `No complete response within ${ms / 1_000} s.`
    this.#timer = setTimeout(() => this.#end({ code: 'timeout', message }, ms), ms)
    if (closing.aborted) this.#onClose()
    else closing.addEventListener('abort', this.#onClose)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The outcome of an attempt that doesn't end when aborted. */
  get overrun(): Promise<Sending> {
    return this.#overrun.promise
  }

  clear(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#grace)
    this.#closing.removeEventListener('abort', this.#onClose)
  }

  readonly #onClose = () => this.#end(this.#closing.reason as SendError, 0)

  #end(error: SendError, durationMs: number): void {
    if (this.signal.aborted) return
    this.#controller.abort(error)
    const overrun: Sending = { durationMs, outcome: { result: 'retry', error } }
    this.#grace = setTimeout(() => this.#overrun.resolve(overrun), ABORT_GRACE_MS)
  }
}
