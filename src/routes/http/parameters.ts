import { STATUSES } from '../../core/sets/statuses.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { SORTS } from '../../streams/registry/listing.ts'
import { choice, deprecated, instant, otherwise, renamed, text, whole } from './query.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

/** Filters of a list of streams. */
export const STREAM_FILTERS = {
  q: text('Search in name and URL'),
  tag: text('Only streams with this tag'),
  host: text('Host of the URL, including the port'),
  status: choice(STATUSES, 'Status of the stream'),
  state: deprecated(choice(STATUSES, 'Former name of `status`')),
  kind: choice(STREAM_KINDS),
}

/** What a list is sorted by; `verdict` is the former name of `status`. */
export const SORT = renamed(choice(SORTS), { verdict: 'status' })

/** The size of a page. */
export function pageSize(max = MAX_LIMIT) {
  return otherwise(whole({ min: 1, max }, 'Page size'), DEFAULT_LIMIT)
}

/** Pages of a list. */
export const PAGES = { after: text('Cursor: `next` of the previous page'), limit: pageSize() }

/** A span of time. */
export const SPAN = { from: instant(), to: instant() }
