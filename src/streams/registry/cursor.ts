import { isUuid } from '../../core/uuid.ts'
import { Problem } from '../../errors.ts'
import type { Order, Sort } from './listing.ts'

/** Where a page of a sorted list ended. */
export interface Cursor {
  sort: Sort
  order: Order
  /** The time of the first page, in milliseconds: all pages use its rates. */
  at: number
  /** Sort key of the last stream. */
  key: string | number
  /** ID of the last stream: it breaks ties. */
  id: string
}

/** The latest time that a `Date` can hold, in milliseconds. */
const LAST_MS = 8.64e15

export function writeCursor({ sort, order, at, key, id }: Cursor): string {
  return Buffer.from(JSON.stringify([sort, order, at, key, id])).toString('base64url')
}

/** @throws Problem `invalid_field` if the text isn't a cursor of this order */
export function readCursor(text: string, { sort, order }: Pick<Cursor, 'sort' | 'order'>): Cursor {
  const [ofSort, ofOrder, at, key, id] = parse(text)
  const fits = typeof key === (sort === 'name' ? 'string' : 'number') && !String(key).includes('\0')
  const isAt = Number.isInteger(at) && Math.abs(at as number) < LAST_MS / 2
  if (ofSort === sort && ofOrder === order && fits && isAt && typeof id === 'string' && isUuid(id)) {
    return { sort, order, at: at as number, key: key as string | number, id }
  }
  const detail =
    'after: expected a cursor from a page with the same order. Omit it to start from the first page.'
  throw new Problem('invalid_field', detail, 'after')
}

function parse(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
