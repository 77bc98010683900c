import type { Target } from '../explore.ts'
import type { Plant } from '../load.ts'

/** A parser of Weir that reads what strangers write. */
export interface FuzzedParser {
  /** The modules whose branches count. */
  files: RegExp
  /** Imports the parser; only now, so that its modules are instrumented. */
  open(): Promise<Target>
  /** A fault that the fuzzer must find: one that needs several things at once. */
  plant: Plant
}

/** @throws Error unless the error is of one of the classes */
export function only(
  error: unknown,
  ...allowed: readonly (abstract new (
    ...args: never[]
  ) => Error)[]
): void {
  if (!allowed.some((type) => error instanceof type)) throw error
}

export function same(a: unknown, b: unknown, what: string): void {
  if (JSON.stringify(a) !== JSON.stringify(b))
    throw new Error(`${what}: ${JSON.stringify([a, b]).slice(0, 500)}`)
}

export const PLANTED = "throw new Error('planted')"
