import type { ReceivedEvent } from '../connection/follow-connection.ts'
import type { UpstreamError } from '../upstream.ts'
import type { Message } from './frames.ts'

/** What is said on a socket, beyond its frames. */
export interface Dialogue {
  /** What to send once it is open. */
  opening: readonly string[]
  /** Whether the opening asks for everything after the last event. */
  isResumed: boolean
  /** What a message of the upstream means. */
  hear(message: Extract<Message, { kind: 'text' | 'binary' }>): Heard
  /** Whether the upstream has agreed to the opening; omitted if it needn't. */
  isAgreed?(): boolean
  /** Close codes in words, beyond those of WebSockets. */
  closeWords?: Readonly<Record<number, string>>
}

export interface Heard {
  event?: ReceivedEvent
  replies?: readonly string[]
  /** The upstream is done, and said so. */
  isOver?: true
  fault?: UpstreamError
}

/** Longer binary messages are logged by their hash, in bytes: nobody reads them as text. */
const LOGGED_BINARY_BYTES = 49_152

/** A binary message as an event: its bytes in base64, or their hash. */
export function binaryEvent(data: Buffer): ReceivedEvent {
  const bytes = data.byteLength
  const text =
    bytes <= LOGGED_BINARY_BYTES
      ? data.toString('base64')
      : JSON.stringify({ sha256: new Bun.CryptoHasher('sha256').update(data).digest('hex'), bytes })
  return { id: undefined, event: 'binary', data: text, bodyBytes: bytes }
}
