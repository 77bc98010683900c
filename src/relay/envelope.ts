import type { RelayMessage } from './relay.ts'

/** A message as it is sent. */
export interface Envelope {
  /** The sender, so that nobody hears itself. */
  from: string
  /** How many counted messages the sender has sent, this one included. */
  number: number
  message: RelayMessage
}

/**
 * Whether a message has a number of its own. Mere presence repeats the last one instead: it says what should have arrived,
 * and nothing is missing if it is lost.
 */
export function isCounted(message: RelayMessage): boolean {
  return message.type !== 'process.present' || message.isNew
}
