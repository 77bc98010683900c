import type { StorageLog } from '../log.ts'
import { type ServerChild, startChild } from './child.ts'
import type { Cluster } from './cluster.ts'
import { endLeftovers } from './leftovers.ts'

/** Waits before a server that ended is started again, in milliseconds: doubled each time, up to the second. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 30_000
/** One that ran so long was well: the next wait is the first again. */
const WELL_MS = 60_000

/** A database server that runs until it is closed: when it ends by itself it is started again. */
export interface Server {
  close(): Promise<void>
}

/**
 * Starts the server of a cluster and watches it. Whoever uses it meanwhile meets what a server that restarts does:
 * connections break and are refused for a while.
 * @throws StorageError when it doesn't start at first
 */
export async function startServer(cluster: Cluster, postgres: string, log: StorageLog): Promise<Server> {
  const closing = new AbortController()
  const start = async () => {
    await endLeftovers(cluster.directory)
    return startChild(cluster, postgres)
  }
  let child: ServerChild | undefined = await start()
  const watching = watch()
  return {
    async close() {
      closing.abort()
      await child?.stop()
      await watching
    },
  }

  async function watch(): Promise<void> {
    let waitMs = FIRST_RETRY_MS
    let startedAt = performance.now()
    while (child !== undefined) {
      const words = await child.ended
      child = undefined
      if (closing.signal.aborted) return
      if (performance.now() - startedAt > WELL_MS) waitMs = FIRST_RETRY_MS
      log.warn(`The embedded Postgres ended by itself, and is started again. ${words}`)
      while (child === undefined && !closing.signal.aborted) {
        await pause(waitMs, closing.signal)
        waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)
        if (closing.signal.aborted) return
        startedAt = performance.now()
        child = await start().catch((error: Error) => void log.warn(error.message))
      }
      // It may have come up while the rest was closed.
      if (closing.signal.aborted) await child?.stop()
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    const stop = () => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })
}
