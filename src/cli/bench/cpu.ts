import { SETTLE_MS } from './protocol.ts'

/** CPU time of this process so far, user and system, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Waits until what was written has left the process. */
export function settle(): Promise<void> {
  return Bun.sleep(SETTLE_MS)
}
