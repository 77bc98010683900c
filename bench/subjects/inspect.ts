import { heapStats } from 'bun:jsc'
import { readLines } from '../lib/child.ts'

/**
 * Loaded before a program, tells what its heap holds: to each line of the program's input it collects what is garbage,
 * and answers with a line of JSON.
 */

/** What lives, garbage aside. */
export interface Inspection {
  /** Timeouts and intervals, also those that only a reference keeps. */
  timers: number
  /** Functions: a listener that nobody removes is one, with all that it sees. */
  functions: number
  signals: number
  promises: number
  objects: number
}

void readLines(Bun.stdin.stream(), () => console.log(JSON.stringify(inspect())))

function inspect(): Inspection {
  // What only a collected object's finaliser lets go of is garbage at the second time.
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
