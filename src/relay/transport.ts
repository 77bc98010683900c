export interface TransportEvents {
  /** A text that this or any other process sent. */
  received(payload: string): void
  /** The connection was down: texts may have been missed. */
  restored(): void
}

/** Carries texts to every process of this Weir, those of one `send` in their order. Any may be lost. */
export interface Transport {
  /** Most items of the list in one message. */
  readonly maxItems: number
  listen(events: TransportEvents): void
  /** Rejects if they couldn't be sent, or if nobody knows. */
  send(payloads: readonly string[]): Promise<void>
  close(): Promise<void>
}

/** A connection that doesn't answer for this long is given up, in milliseconds: later messages wait behind it. */
export const SEND_TIMEOUT_MS = 5_000
