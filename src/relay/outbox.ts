import { type Envelope, isCounted } from './envelope.ts'
import { type RelayMessage, split } from './relay.ts'
import type { Transport } from './transport.ts'

/** Wait after the last message before its number is repeated, in milliseconds, in case that message was lost. */
const BEACON_MS = 1_000
/** Most payloads handed over at once. */
const BATCH = 100
/** Payloads that wait while others are sent. Beyond that they are dropped; their numbers show that they are missing. */
const MAX_WAITING = 1_000

/**
 * Numbers messages and sends them one batch after the other, so that they arrive in order. What can't be sent is lost and
 * not sent again. About a second after the last message a beacon repeats its number, until one could be sent; then nothing
 * is sent while nothing happens.
 */
export class Outbox {
  readonly #transport: Transport
  readonly #from: string
  #number = 0
  #waiting: string[] = []
  #sending: Promise<void> | undefined
  #beacon: Timer | undefined
  #isClosed = false

  constructor(transport: Transport, from: string) {
    this.#transport = transport
    this.#from = from
  }

  add(message: RelayMessage): void {
    if (this.#isClosed) return
    for (const part of split(message, this.#transport.maxItems)) this.#queue(part)
    if (isCounted(message)) this.#beaconLater()
  }

  /** Sends what waits, and the last beacon at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#beacon !== undefined) this.#sendBeacon()
    await this.#sending
  }

  #queue(message: RelayMessage): void {
    if (isCounted(message)) this.#number++
    if (this.#waiting.length >= MAX_WAITING) return
    const envelope: Envelope = { from: this.#from, number: this.#number, message }
    this.#waiting.push(JSON.stringify(envelope))
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      try {
        await this.#transport.send(this.#waiting.splice(0, BATCH))
      } catch {
        // The rest would wait as long, and in vain.
        this.#waiting = []
        this.#beaconLater()
      }
    }
  }

  #beaconLater(): void {
    clearTimeout(this.#beacon)
    if (this.#isClosed) return
    this.#beacon = setTimeout(() => this.#sendBeacon(), BEACON_MS)
    this.#beacon.unref()
  }

  #sendBeacon(): void {
    clearTimeout(this.#beacon)
    this.#beacon = undefined
    this.#queue({ type: 'process.present', isNew: false })
  }
}
