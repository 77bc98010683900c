import { Client } from 'pg'
import type { PgPool } from '../queue/types.ts'
import type { Line } from './presence.ts'
import type { Envelope, RelayEvents } from './relay.ts'
import { split } from './relay.ts'

const CHANNEL = 'weir'
/** A payload must stay below 8,000 bytes (PostgreSQL, NOTIFY); an item takes up to some 60. */
const ITEMS = 100
/** Wait before reconnecting, in milliseconds. */
const RETRY_MS = 1_000
/** Keepalive delay, in milliseconds: a broken connection must be detected even when it is idle. */
const KEEPALIVE_MS = 5_000

/** Relays over LISTEN and NOTIFY, on a dedicated connection. */
export async function postgresRelay(url: string, pool: Pick<PgPool, 'query'>, from: string): Promise<Line> {
  let client: Client | undefined
  let retry: Timer | undefined
  let closed = false
  let events: RelayEvents | undefined

  async function open(): Promise<void> {
    const next = new Client({
      connectionString: url,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
    })
    next.on('error', () => lost(next))
    next.on('end', () => lost(next))
    next.on('notification', ({ payload }) => {
      const envelope = JSON.parse(payload ?? '') as Envelope
      if (envelope.from !== from) events?.received(envelope.message)
    })
    await next.connect()
    await next.query(`LISTEN ${CHANNEL}`)
    client = next
  }

  function lost(which: Client): void {
    if (closed || (client !== undefined && client !== which)) return
    client = undefined
    void which.end().catch(() => {})
    clearTimeout(retry)
    retry = setTimeout(() => {
      open().then(
        () => events?.restored(),
        () => lost(which),
      )
    }, RETRY_MS)
  }

  await open()
  return {
    listen(listener) {
      events = listener
    },
    publish(message) {
      const payloads = split(message, ITEMS).map((part) =>
        JSON.stringify({ from, message: part } satisfies Envelope),
      )
      pool
        .query('SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload', [CHANNEL, payloads])
        .catch(ignore)
    },
    async close() {
      closed = true
      clearTimeout(retry)
      await client?.end()
    },
  }

  /** A message that can't be sent counts as lost, which receivers recover from. */
  function ignore(): void {}
}
