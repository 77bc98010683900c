import { setImmediate } from 'node:timers/promises'

/** Longest work in one go, in milliseconds; then everything else that the process does has its turn. */
const SLICE_MS = 8

/** @returns to be called between the steps of long work, and awaited where it returns something to wait for */
export function pacer(): () => Promise<void> | undefined {
  let since = performance.now()
  return () => (performance.now() - since < SLICE_MS ? undefined : pause())

  async function pause(): Promise<void> {
    await setImmediate()
    since = performance.now()
  }
}
