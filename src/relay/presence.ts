import type { Relay, RelayEvents, RelayMessage } from './relay.ts'

/** How often a process says that it is there, and for how long that holds, in milliseconds. */
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

/** What there is most of, and what only pages and logs that are watched elsewhere need. */
const FOR_WATCHERS: ReadonlySet<RelayMessage['type']> = new Set(['entries.stored', 'stream.updated'])

/**
 * A relay that knows whether anybody listens. Most Weirs are one process, which would else tell itself of every entry:
 * without others, only what is rare is sent. Who is heard after that reads what it may have missed.
 * @param now milliseconds, of a clock that isn't set back
 */
export function withPresence(line: Line, now: () => number = () => performance.now()): Relay {
  // Somebody may be there until all have had the time to say so.
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
