import type { Archived } from '../../archive/reader.ts'
import type { Database } from '../../storage/storage.ts'
import type { Entry, EntryKind } from '../recording/entry.ts'
import { readLog } from './logs.ts'

/** Which entries are looked for; of what is left out, all. */
export interface LogFilter {
  kinds?: readonly EntryKind[]
  /** Part of what an entry holds, of its event's name or id, or of the URL that was asked; in any case. */
  text?: string
}

export interface Found {
  /** In the order of `seq`. */
  items: Entry[]
  /** Everything from this entry on was looked at; 1 when that is all there is. */
  searchedTo: number
}

/** Entries read at a time: each may hold a document of megabytes. */
const PAGE = 50
/** One search looks at this many entries, and at this many characters; whoever wants more goes on from there. */
const MAX_SEARCHED = 2_000
const MAX_SEARCHED_CHARS = 33_554_432

/** Whether an entry is one of those looked for. */
export function matches(entry: Entry, { kinds, text }: LogFilter): boolean {
  if (kinds !== undefined && !kinds.includes(entry.kind)) return false
  if (text === undefined) return true
  const part = text.toLowerCase()
  const { data, event, eventId, exchange } = entry
  return [event, eventId, exchange?.request.url, data].some((held) => held?.toLowerCase().includes(part))
}

/**
 * The last entries before one, or of all, that match.
 * @param archived as of {@link readLog}
 */
export async function searchLog(
  db: Database,
  streamId: string,
  { filter, before, limit }: { filter: LogFilter; before: number | undefined; limit: number },
  archived?: Archived,
): Promise<Found> {
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
