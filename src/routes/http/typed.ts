import type { TUnsafe } from '@sinclair/typebox'

/** A route's query parameters, body, and the JSON of a `Response` that it builds itself. */
interface Declared {
  query?: object
  body?: unknown
  response?: unknown
}

/**
 * Types for the client of a route that reads its request itself or returns a `Response`. Does nothing at run time: the
 * route validates its input itself.
 */
export function typed<D extends Declared>(): { [K in keyof D]: TUnsafe<D[K]> } {
  return {} as { [K in keyof D]: TUnsafe<D[K]> }
}
