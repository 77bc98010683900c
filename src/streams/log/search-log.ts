import type { Archived } from '../../archive/reader.ts'
import type { EntryKind } from '../../core/sets/entry-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import type { Entry } from '../recording/entry.ts'
import { readLog } from './logs.ts'

/** Which entries to find; an omitted field matches all. */
export interface LogFilter {
  kinds?: readonly EntryKind[]
  /** Case-insensitive part of an entry's data, of its event's name or ID, or of the requested URL. */
  text?: string
}

export interface SearchResult {
  /** Ordered by `seq`. */
  items: Entry[]
  /** Everything from this entry on was searched; 1 at the beginning of the log. */
  searchedTo: number
}

/** Entries read at a time: each may hold a document of megabytes. */
const PAGE = 50
/** One search covers at most this many entries and characters; the next one continues from there. */
const MAX_SEARCHED = 2_000
const MAX_SEARCHED_CHARS = 33_554_432

/** Whether an entry matches. */
export function matches(entry: Entry, { kinds, text }: LogFilter): boolean {
  if (kinds !== undefined && !kinds.includes(entry.kind)) return false
  if (text === undefined) return true
  const part = text.toLowerCase()
  const { data, event, eventId, exchange } = entry
  return [event, eventId, exchange?.request.url, data].some((held) => held?.toLowerCase().includes(part))
}

/**
 * The last matching entries, before a given one or of all.
 * @param archived as for {@link readLog}
 */
export async function searchLog(
  db: Database,
  streamId: string,
  { filter, before, limit }: { filter: LogFilter; before: number | undefined; limit: number },
  archived?: Archived,
): Promise<SearchResult> {
  const { kinds, text } = filter
  if (text === undefined) {
    const { items } = await readLog(db, streamId, { kinds, before, limit }, archived)
    return { items, searchedTo: items.length < limit ? 1 : (items[0] as Entry).seq }
  }
  const found: Entry[] = []
  let next = before
  for (let looked = 0, chars = 0; looked < MAX_SEARCHED && chars < MAX_SEARCHED_CHARS; ) {
    const { items } = await readLog(db, streamId, { kinds, before: next, limit: PAGE }, archived)
    for (const entry of items.reverse()) {
      next = entry.seq
      chars += entry.data?.length ?? 0
      if (matches(entry, filter)) found.push(entry)
      if (found.length === limit) return { items: found.reverse(), searchedTo: next }
    }
    if (items.length < PAGE) return { items: found.reverse(), searchedTo: 1 }
    looked += items.length
  }
  return { items: found.reverse(), searchedTo: next ?? 1 }
}
