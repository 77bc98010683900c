import type { StorageLog } from '../log.ts'
import { StorageError } from '../storage.ts'
import { KilledError, type ServerChild, startChild } from './child.ts'
import type { Cluster } from './cluster.ts'
import { explainCrash, explainDamage } from './explain.ts'
import { endLeftovers } from './leftovers.ts'

/** The first and the longest wait before a restart, in milliseconds. It doubles each time. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 30_000
/** After running this long, the next wait is the first again, in milliseconds. */
const STABLE_MS = 60_000

/** Times that the first start is tried, if the server is killed during it. */
const FIRST_STARTS = 6

/** A database server that runs until it is closed: when it ends on its own, it is restarted. */
export interface Server {
  close(): Promise<void>
}

export interface ServerOptions {
  postgres: string
  log: StorageLog
  /** Checks a server that has just started. @throws StorageError if it must not be used */
  check(): Promise<void>
}

/**
 * Starts the server of a cluster and supervises it. During a restart, connections break and are refused, as with any server.
 * @throws StorageError when the first start fails; one that is killed is tried again
 */
export async function startServer(
  cluster: Cluster,
  { postgres, log, check }: ServerOptions,
): Promise<Server> {
  const closing = new AbortController()
  const start = async () => {
    await endLeftovers(cluster.directory)
    const started = await startChild(cluster, postgres)
    try {
      await check()
      return started
    } catch (error) {
      await started.stop()
      const damage = explainDamage(cluster, await started.ended)
      throw damage === undefined ? error : new StorageError(damage)
    }
  }
  let child: ServerChild | undefined = await startFirst()
  const watching = watch()
  return {
    async close() {
      closing.abort()
      await child?.stop()
      await watching
    },
  }

  async function startFirst(): Promise<ServerChild> {
    let waitMs = FIRST_RETRY_MS
    for (let left = FIRST_STARTS - 1; ; left--, waitMs *= 2) {
      try {
        return await start()
      } catch (error) {
        if (!(error instanceof KilledError) || left === 0) throw error
        log.warn(error.message)
        await pause(waitMs, closing.signal)
      }
    }
  }

  async function watch(): Promise<void> {
    let waitMs = FIRST_RETRY_MS
    let startedAt = performance.now()
    while (child !== undefined) {
      const output = await child.ended
      child = undefined
      if (closing.signal.aborted) return
      if (performance.now() - startedAt > STABLE_MS) waitMs = FIRST_RETRY_MS
      log.warn(explainCrash(cluster, output))
      while (child === undefined && !closing.signal.aborted) {
        await pause(waitMs, closing.signal)
        waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)
        if (closing.signal.aborted) return
        startedAt = performance.now()
        child = await start().catch((error: Error) => void log.warn(error.message))
      }
      // It may have started while Weir was closing.
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
