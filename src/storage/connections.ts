import type { Pool, PoolClient } from 'pg'

/** How often the connections are checked, in milliseconds. */
const CHECK_EVERY_MS = 2_000
/** After waiting this long for its server, in milliseconds, a connection is doubted. */
const DOUBT_AFTER_MS = 5_000

/** The socket of a connection, which `pg` has no type for; its own pool uses it the same way. */
interface Wired {
  connection: { stream: { destroy(): void } }
}

export interface Connections {
  /** Whether the server doesn't respond, as of the last probe: connecting to it would only take time. */
  readonly isSilent: boolean
  /** Stops the checks, and cuts the connections that are left. */
  close(): void
}

/**
 * Keeps a pool usable while its server is unwell:
 *
 * - A connection that has ended is replaced even if its user never releases it: Drizzle doesn't when a transaction can't
 *   begin.
 * - If the server stops responding without closing its connections (it is suspended, or the network is cut), all of them
 *   are ended: what waits for them fails, instead of waiting for hours. A server that only takes long for a statement
 *   still answers a probe.
 *
 * @param responds probes the server on a connection of its own
 */
export function keepUsable(pool: Pool, responds: () => Promise<boolean>): Connections {
  const all = new Set<PoolClient>()
  /** Connections in use, and since when their first statement has been waiting. */
  const inUse = new Map<PoolClient, number | undefined>()
  let isProbing = false
  let isSilent = false

  pool.on('connect', (client) => {
    all.add(client)
    // A connection in use sees its statement fail; without a listener, the error would end the process.
    client.on('error', () => {})
    client.on('drain', () => inUse.has(client) && inUse.set(client, undefined))
    client.on('end', () => {
      if (inUse.has(client)) replace(client)
    })
  })
  pool.on('acquire', (client) => inUse.set(client, performance.now()))
  pool.on('release', (_error, client) => inUse.delete(client))
  pool.on('remove', (client) => all.delete(client))

  const timer = setInterval(() => void check(), CHECK_EVERY_MS)
  timer.unref()
  return {
    get isSilent() {
      return isSilent
    },
    close() {
      clearInterval(timer)
      cut()
    },
  }

  async function check(): Promise<void> {
    const now = performance.now()
    const isDoubted = [...inUse.values()].some((since) => now - (since ?? now) > DOUBT_AFTER_MS)
    if (isProbing || !(isDoubted || isSilent)) return
    isProbing = true
    isSilent = !(await responds())
    isProbing = false
    if (isSilent) cut()
  }

  function cut(): void {
    for (const client of all) (client as unknown as Wired).connection.stream.destroy()
  }
}

/** Releases a connection in place of its user, whose own release does nothing then. */
function replace(client: PoolClient): void {
  const { release } = client
  client.release = () => {}
  release.call(client, true)
}
