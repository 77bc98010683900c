import { Client, type Pool, type QueryConfig } from 'pg'
import type { PgPool } from '../queue/types.ts'
import { SEND_TIMEOUT_MS, type Transport, type TransportEvents } from './transport.ts'

const CHANNEL = 'weir'
/** A payload must stay below 8,000 bytes (PostgreSQL, NOTIFY); an item takes up to some 60. */
const MAX_ITEMS = 100
/** Timeouts for connecting, and for the one statement, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000
/** Wait before the line is opened again, in milliseconds. */
const RETRY_MS = 1_000
/** Longest wait for the end of the connection, in milliseconds: the server may not respond. */
const CLOSE_MS = 1_000
/** Keepalive delay, in milliseconds: a broken connection must be detected even when it is idle. */
const KEEPALIVE_MS = 5_000

/** As `pg`'s own pools take it, although their types don't have it. */
interface TimedQuery extends QueryConfig {
  query_timeout: number
}

/** LISTEN on a connection of its own, and NOTIFY. */
export async function postgresTransport(url: string, pool: Pick<PgPool, 'query'>): Promise<Transport> {
  let client: Client | undefined
  let retry: Timer | undefined
  let closed = false
  let events: TransportEvents | undefined

  async function open(): Promise<void> {
    const next = new Client({
      connectionString: url,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: CONNECT_TIMEOUT_MS,
    })
    next.on('error', () => lost(next))
    next.on('end', () => lost(next))
    next.on('notification', ({ payload = '' }) => events?.received(payload))
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
    maxItems: MAX_ITEMS,
    listen(listener) {
      events = listener
    },
    async send(payloads) {
      const text = 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload'
      const query: TimedQuery = { text, values: [CHANNEL, payloads], query_timeout: SEND_TIMEOUT_MS }
      await (pool as unknown as Pick<Pool, 'query'>).query(query)
    },
    async close() {
      closed = true
      clearTimeout(retry)
      await Promise.race([client?.end(), Bun.sleep(CLOSE_MS)])
    },
  }
}
