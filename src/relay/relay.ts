import type { Subject } from '../topics.ts'

/** What processes tell each other. Every message may be lost: whatever depends on one is repaired from the database. */
export type RelayMessage =
  /** These streams should be looked at again by whoever holds them. */
  | { type: 'interrupt'; ids: string[] }
  /** A run of each of these streams has begun, with this epoch. */
  | { type: 'begun'; runs: [id: string, epoch: number][] }
  /** Entries were stored: their first and last number, by stream. */
  | { type: 'stored'; spans: [id: string, first: number, last: number][] }
  /** Statuses, evidence or definitions of these streams changed. */
  | { type: 'changed'; ids: string[] }
  /** These may be different now. */
  | { type: 'touched'; subjects: Subject[] }
  /** Streams came or went. */
  | { type: 'listed' }
  /** Jobs for streams were made. */
  | { type: 'wanted' }
  /** The sender is there; one that has just come wants to know of the others. */
  | { type: 'here'; isNew: boolean }
  /** The sender took itself to be alone until now, and told nobody what was stored. */
  | { type: 'untold' }

export interface RelayEvents {
  /** A message of another process. */
  received(message: RelayMessage): void
  /** The line was down: messages may have been missed. */
  restored(): void
}

/** Carries messages to every other process of this Weir. */
export interface Relay {
  /** Says who hears what others publish; what came before is lost, as any message may be. */
  listen(events: RelayEvents): void
  publish(message: RelayMessage): void
  /** Whether any other process may hear what is published. */
  isHeard(): boolean
  close(): Promise<void>
}

/** One process alone has nobody to tell. */
export const SILENT_RELAY: Relay = {
  listen: () => {},
  publish: () => {},
  isHeard: () => false,
  close: async () => {},
}

/** As it is sent: with the sender, so that nobody hears itself. */
export interface Envelope {
  from: string
  message: RelayMessage
}

/** Splits what is too long for one message; lists are the only parts that grow. */
export function split(message: RelayMessage, mostItems: number): RelayMessage[] {
  if (message.type === 'interrupt' || message.type === 'changed') {
    return chunks(message.ids, mostItems).map((ids) => ({ ...message, ids }))
  }
  if (message.type === 'begun') return chunks(message.runs, mostItems).map((runs) => ({ ...message, runs }))
  if (message.type === 'stored')
    return chunks(message.spans, mostItems).map((spans) => ({ ...message, spans }))
  return [message]
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = []
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size))
  return parts
}
