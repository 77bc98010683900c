import type { Span, StartedRun } from '../bus/events.ts'

/** Events without a payload that are relayed. */
export type PlainType =
  | 'list.changed'
  | 'job.enqueued'
  | 'channel.updated'
  | 'incident.updated'
  | 'silence.updated'
  | 'rule.updated'
  | 'key.updated'
  | 'session.ended'

/**
 * Messages between processes: events of the bus by their names, and presence. Any message may be lost: whatever depends on
 * one is repaired from the database.
 */
export type RelayMessage =
  | { type: PlainType }
  | { type: 'run.interrupt'; streamIds: readonly string[] }
  | { type: 'run.started'; runs: readonly StartedRun[] }
  | { type: 'entries.stored'; spans: readonly Span[] }
  | { type: 'stream.updated'; streamIds: readonly string[] }
  /** The sender is there; a new one asks the others to say so too. Also sent some time after the last message. */
  | { type: 'process.present'; isNew: boolean }
  /** The sender took itself to be alone until now, and didn't send what was stored. */
  | { type: 'process.unheard' }

export interface RelayEvents {
  /** A message of another process. */
  received(message: RelayMessage): void
  /** Messages may have been missed: the line was down, or one was lost. */
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

/** Splits what is too long for one message; lists are the only parts that grow. */
export function split(message: RelayMessage, mostItems: number): RelayMessage[] {
  switch (message.type) {
    case 'run.interrupt':
    case 'stream.updated':
      return chunks(message.streamIds, mostItems).map((streamIds) => ({ ...message, streamIds }))
    case 'run.started':
      return chunks(message.runs, mostItems).map((runs) => ({ ...message, runs }))
    case 'entries.stored':
      return chunks(message.spans, mostItems).map((spans) => ({ ...message, spans }))
    default:
      return [message]
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = []
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size))
  return parts
}
