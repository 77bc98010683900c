import { setImmediate } from 'node:timers/promises'

/** How long work may run at a time, in milliseconds, before it yields to the rest of the process. */
const SLICE_MS = 8

/** @returns a function to call between the steps of long work; await its result if there is one */
export function pacer(): () => Promise<void> | undefined {
  let since = performance.now()
  return () => (performance.now() - since < SLICE_MS ? undefined : pause())

  async function pause(): Promise<void> {
    await setImmediate()
    since = performance.now()
  }
}
