import type { Bus } from '../../src/bus/bus.ts'
import { carryEvents } from '../../src/relay/carry.ts'
import type { Envelope } from '../../src/relay/envelope.ts'
import { withNumbers } from '../../src/relay/numbers.ts'
import { postgresTransport } from '../../src/relay/postgres.ts'
import { withPresence } from '../../src/relay/presence.ts'
import { redisTransport } from '../../src/relay/redis.ts'
import type { RelayMessage } from '../../src/relay/relay.ts'
import type { Transport } from '../../src/relay/transport.ts'
import type { Storage } from '../../src/storage/storage.ts'

/** A transport that keeps what it is given to send, and loses what it is told to lose. */
export interface LossyTransport extends Transport {
  /** What was given to send, in order, whether or not it was lost. */
  readonly sent: Envelope[]
  /** Loses the next message of this type. */
  lose(type: RelayMessage['type']): void
}

export function lossy(transport: Transport): LossyTransport {
  const sent: Envelope[] = []
  const losing: string[] = []
  const arrives = (envelope: Envelope) => {
    const at = losing.indexOf(envelope.message.type)
    if (at >= 0) losing.splice(at, 1)
    return at < 0
  }
  return {
    ...transport,
    sent,
    lose: (type) => void losing.push(type),
    async send(payloads) {
      const envelopes = payloads.map((payload): Envelope => JSON.parse(payload))
      sent.push(...envelopes)
      const left = payloads.filter((_, index) => arrives(envelopes[index] as Envelope))
      if (left.length > 0) await transport.send(left)
    },
  }
}

/** The transport of a Weir with these settings. */
export async function openTransport(
  environment: Record<string, string>,
  { pool }: Storage,
): Promise<Transport> {
  const { REDIS_URL, DATABASE_URL = '' } = environment
  return REDIS_URL === undefined ? postgresTransport(DATABASE_URL, pool) : redisTransport(REDIS_URL)
}

/** Connects a bus to the others, as a process does. */
export function connectBus(bus: Bus, transport: Transport, from: string): { close(): Promise<void> } {
  const relay = withPresence(withNumbers(transport, from))
  const carrier = carryEvents(bus, relay)
  return {
    async close() {
      carrier.end()
      await relay.close()
    },
  }
}
