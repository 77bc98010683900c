import type { TUnsafe } from '@sinclair/typebox'

/** What a route takes and answers: its query's parameters, its body, and the JSON of a `Response` it makes itself. */
interface Declared {
  query?: object
  body?: unknown
  response?: unknown
}

/**
 * Tells the types of the client what a route takes that reads its request itself, and what it answers where that is a
 * `Response`. Nothing at run time: the route checks its input, by its own rules and with its own errors.
 */
export function typed<D extends Declared>(): { [K in keyof D]: TUnsafe<D[K]> } {
  return {} as { [K in keyof D]: TUnsafe<D[K]> }
}
