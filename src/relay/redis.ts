import { Redis } from 'ioredis'
import { SEND_TIMEOUT_MS, type Transport, type TransportEvents } from './transport.ts'

const CHANNEL = 'weir'
/** Items of one message: bounded, so that no single one holds up the others. */
const MAX_ITEMS = 1_000
/** Wait before the line is opened again, in milliseconds. */
const RETRY_MS = 1_000

/** Redis' publish and subscribe, on two connections of its own. */
export async function redisTransport(url: string): Promise<Transport> {
  const options = { maxRetriesPerRequest: null, retryStrategy: () => RETRY_MS, lazyConnect: true } as const
  // Nothing waits for a line that is down: what can't be sent at once is lost, and that is provided for.
  const sender = new Redis(url, { ...options, enableOfflineQueue: false, commandTimeout: SEND_TIMEOUT_MS })
  const receiver = new Redis(url, options)
  let wasLost = false
  let events: TransportEvents | undefined
  for (const redis of [sender, receiver]) redis.on('error', () => {})
  receiver.on('close', () => {
    wasLost = true
  })
  receiver.on('ready', () => {
    if (wasLost) events?.restored()
  })
  receiver.on('message', (_channel, payload) => events?.received(payload))
  // Without Redis, a process still answers; it subscribes once Redis is back.
  const connected = Promise.all([sender.connect(), receiver.connect()])
  await connected.catch(() => {
    wasLost = true
  })
  const subscribed = receiver.subscribe(CHANNEL)
  if (wasLost) subscribed.catch(() => {})
  else await subscribed
  return {
    maxItems: MAX_ITEMS,
    listen(listener) {
      events = listener
    },
    async send(payloads) {
      await Promise.all(payloads.map((payload) => sender.publish(CHANNEL, payload)))
    },
    async close() {
      sender.disconnect()
      receiver.disconnect()
    },
  }
}
