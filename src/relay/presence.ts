import type { Relay, RelayEvents, RelayMessage } from './relay.ts'

/** How often a process announces itself, and how long that is valid, in milliseconds. */
const SAY_EVERY_MS = 5_000
export const HOLDS_MS = 16_000

/** What a relay is before it knows who listens. */
export interface Line extends Omit<Relay, 'isHeard' | 'listen'> {
  listen(events: LineEvents): void
}

export interface LineEvents extends RelayEvents {
  /** A message of another process is missing, although the line wasn't down. */
  missed(): void
}

/** The most frequent messages; only pages and live logs in other processes need them. */
const FOR_WATCHERS: ReadonlySet<RelayMessage['type']> = new Set(['entries.stored', 'stream.updated'])

/**
 * Tracks whether other processes are listening. Most Weirs are a single process, and sending every entry would be
 * wasted work: without other processes, only rare messages are sent. A process that announces itself later reads
 * what it may have missed.
 * @param now a monotonic clock, in milliseconds
 */
export function withPresence(line: Line, now: () => number = () => performance.now()): Relay {
  // Assume that others exist until they have had time to announce themselves.
  let heardAt = now()
  const isHeard = () => now() - heardAt < HOLDS_MS
  const say = (isNew: boolean) => line.publish({ type: 'process.present', isNew })
  const timer = setInterval(() => say(false), SAY_EVERY_MS)
  timer.unref()
  return {
    isHeard,
    listen({ received, restored }) {
      line.listen({
        received(message) {
          if (!isHeard()) line.publish({ type: 'process.unheard' })
          heardAt = now()
          if (message.type === 'process.unheard') restored()
          else if (message.type !== 'process.present') received(message)
          else if (message.isNew) say(false)
        },
        missed: restored,
        restored() {
          heardAt = now()
          say(true)
          restored()
        },
      })
      say(true)
    },
    publish(message) {
      if (isHeard() || !FOR_WATCHERS.has(message.type)) line.publish(message)
    },
    async close() {
      clearInterval(timer)
      await line.close()
    },
  }
}
