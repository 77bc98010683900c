import { Redis } from 'ioredis'
import type { Line } from './presence.ts'
import { type Envelope, type RelayEvents, split } from './relay.ts'

const CHANNEL = 'weir'
/** Maximum items in one message, so that a large one doesn't delay the others. */
const ITEMS = 1_000
/** Wait before reconnecting, in milliseconds. */
const RETRY_MS = 1_000

/** Relays over Redis Pub/Sub, on two dedicated connections. */
export async function redisRelay(url: string, from: string): Promise<Line> {
  const options = { maxRetriesPerRequest: null, retryStrategy: () => RETRY_MS, lazyConnect: true } as const
  // Messages aren't queued while the connection is down: they are lost, which receivers recover from.
  const sender = new Redis(url, { ...options, enableOfflineQueue: false })
  const receiver = new Redis(url, options)
  let wasLost = false
  let events: RelayEvents | undefined
  for (const redis of [sender, receiver]) redis.on('error', () => {})
  receiver.on('close', () => {
    wasLost = true
  })
  receiver.on('ready', () => {
    if (wasLost) events?.restored()
  })
  receiver.on('message', (_channel, payload) => {
    const envelope = JSON.parse(payload) as Envelope
    if (envelope.from !== from) events?.received(envelope.message)
  })
  await Promise.all([sender.connect(), receiver.connect()])
  await receiver.subscribe(CHANNEL)
  return {
    listen(listener) {
      events = listener
    },
    publish(message) {
      for (const part of split(message, ITEMS)) {
        sender.publish(CHANNEL, JSON.stringify({ from, message: part } satisfies Envelope)).catch(() => {})
      }
    },
    async close() {
      sender.disconnect()
      receiver.disconnect()
    },
  }
}
