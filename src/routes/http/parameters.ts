import { KINDS } from '../../../drizzle/schema.ts'
import { VERDICTS } from '../../core/judging/verdict.ts'
import { choice, instant, otherwise, text, whole } from './query.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500

/** Filters of a list of streams. */
export const STREAM_FILTERS = {
  q: text('Search in name and URL'),
  tag: text('Only streams with this tag'),
  host: text('Host of the URL, including the port'),
  state: choice(VERDICTS, 'Status of the stream'),
  kind: choice(KINDS),
}

/** The size of a page. */
export function pageSize(max = MAX_LIMIT) {
  return otherwise(whole({ min: 1, max }, 'Page size'), DEFAULT_LIMIT)
}

/** Pages of a list. */
export const PAGES = { after: text('Cursor: `next` of the previous page'), limit: pageSize() }

/** A span of time. */
export const SPAN = { from: instant(), to: instant() }
