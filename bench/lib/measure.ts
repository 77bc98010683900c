import { usageOf } from './process-tree.ts'

/** What process trees used over some time. */
export interface Used {
  seconds: number
  cpuSeconds: number
  /** At the end. Bytes. */
  memoryBytes: number
}

/** Measures process trees for some time. */
export async function useWhile(roots: readonly number[], ms: number): Promise<Used> {
  const [before, begun] = [usageOf(roots), performance.now()]
  await Bun.sleep(ms)
  const after = usageOf(roots)
  return {
    seconds: (performance.now() - begun) / 1000,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    memoryBytes: after.memoryBytes,
  }
}

/**
 * Polls until a condition is true.
 * @throws Error if it takes too long
 */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`still waiting after ${patienceMs / 1000} s: ${what}`)
    await Bun.sleep(50)
  }
}
