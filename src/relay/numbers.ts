import { type Envelope, isCounted } from './envelope.ts'
import { Outbox } from './outbox.ts'
import type { Line } from './presence.ts'
import { Senders } from './senders.ts'
import type { Transport } from './transport.ts'

/** Missing messages that are noticed within this time are reported once, in milliseconds. */
const GATHER_MS = 100

/**
 * A line on which lost messages are noticed: each carries a number, and a number that jumps means that something is
 * missing. If no further message comes, a beacon tells.
 * @param from the name of this process, unique among all that ever send
 * @param now milliseconds, of a clock that isn't set back
 */
export function withNumbers(
  transport: Transport,
  from: string,
  now: () => number = () => performance.now(),
): Line {
  const outbox = new Outbox(transport, from)
  const senders = new Senders(now)
  let gathering: Timer | undefined
  return {
    listen({ received, missed, restored }) {
      const noticed = () => {
        gathering = undefined
        missed()
      }
      transport.listen({
        received(payload) {
          const { from: sender, number, message } = JSON.parse(payload) as Envelope
          if (sender === from) return
          if (senders.heard(sender, number, isCounted(message))) gathering ??= setTimeout(noticed, GATHER_MS)
          received(message)
        },
        restored,
      })
    },
    publish: (message) => outbox.add(message),
    async close() {
      clearTimeout(gathering)
      await outbox.close()
      await transport.close()
    },
  }
}
