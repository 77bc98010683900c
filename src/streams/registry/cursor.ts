import { Problem } from '../../errors.ts'
import type { Order, Sort } from './listing.ts'
import { isUuid } from './uuid.ts'

/** Where a page of a sorted list ended. */
export interface Cursor {
  sort: Sort
  order: Order
  /** The moment of the first page, in milliseconds, by which rates are counted on all of them. */
  at: number
  /** What the last stream was sorted by. */
  key: string | number
  /** That stream: it decides between those with the same key. */
  id: string
}

/** The last instant that a `Date` can be, in milliseconds. */
const LAST_MS = 8.64e15

export function writeCursor({ sort, order, at, key, id }: Cursor): string {
  return Buffer.from(JSON.stringify([sort, order, at, key, id])).toString('base64url')
}

/** @throws Problem `invalid_field` for what isn't a cursor of this order */
export function readCursor(text: string, { sort, order }: Pick<Cursor, 'sort' | 'order'>): Cursor {
  const [ofSort, ofOrder, at, key, id] = parse(text)
  const fits = typeof key === (sort === 'name' ? 'string' : 'number') && !String(key).includes('\0')
  const isAt = Number.isInteger(at) && Math.abs(at as number) < LAST_MS / 2
  if (ofSort === sort && ofOrder === order && fits && isAt && typeof id === 'string' && isUuid(id)) {
    return { sort, order, at: at as number, key: key as string | number, id }
  }
  const detail = 'after: expected the cursor of a page in the same order; leave it out to begin.'
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
