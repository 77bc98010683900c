import { heapStats } from 'bun:jsc'
import { readLines } from '../lib/child.ts'

/**
 * Preloaded into a program to inspect its heap: for each line of input, it collects garbage and prints a line of
 * JSON.
 */

/** Live objects, without garbage. */
export interface Inspection {
  /** Timeouts and intervals, including those that only a reference keeps alive. */
  timers: number
  /** Functions: a leaked listener is one, with everything it references. */
  functions: number
  signals: number
  promises: number
  objects: number
}

void readLines(Bun.stdin.stream(), () => console.log(JSON.stringify(inspect())))

function inspect(): Inspection {
  // What only a finalizer of a collected object releases is garbage the second time.
  Bun.gc(true)
  Bun.gc(true)
  const { objectCount, objectTypeCounts: counts } = heapStats()
  const count = (...types: string[]) => types.reduce((sum, type) => sum + (counts[type] ?? 0), 0)
  return {
    timers: count('Timeout', 'Immediate'),
    functions: count('Function', 'AsyncFunction'),
    signals: count('AbortSignal'),
    promises: count('Promise'),
    objects: objectCount,
  }
}
