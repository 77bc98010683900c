/** Aborts with a TimeoutError after too long without activity, or when the given signal aborts. */
export class Patience {
  readonly #own = new AbortController()
  readonly #timeoutMs: number
  readonly signal: AbortSignal
  #timer: Timer

  constructor(timeoutMs: number, outer: AbortSignal) {
    this.#timeoutMs = timeoutMs
    this.signal = AbortSignal.any([this.#own.signal, outer])
    this.#timer = this.#arm()
  }

  /** Rejects when it aborts. */
  get over(): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>()
    const fail = () => reject(this.signal.reason)
    if (this.signal.aborted) fail()
    else this.signal.addEventListener('abort', fail, { once: true })
    return promise
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  /** Every chunk restarts the timeout; the last chunk, or cancelling, ends it. */
  watch(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader()
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        clearTimeout(this.#timer)
        this.#timer = this.#arm()
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
          if (done) this.end()
        } catch (error) {
          this.end()
          throw error
        }
      },
      cancel: (reason) => {
        this.end()
        return reader.cancel(reason)
      },
    })
  }

  #arm(): Timer {
    return setTimeout(() => this.#own.abort(new DOMException('Timed out', 'TimeoutError')), this.#timeoutMs)
  }
}
