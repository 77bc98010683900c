import { endSentence } from '../core/judging/ended-connections.ts'
import { failureSentence } from '../core/judging/failure.ts'
import { gapSentence } from '../core/sets/gap-reasons.ts'
import { bytes } from '../core/units.ts'
import type { EntryJson } from '../streams/recording/entry.ts'
import type { Output } from './command.ts'
import { dimmed } from './print.ts'
import { cut, safe } from './text.ts'

/** Characters of an entry's data that are shown if there is no terminal width. */
const MAX_SHOWN_CHARS = 200

/** An entry in one line: time, number, kind, size, and the beginning of its data; ends, gaps and errors in words. */
export function entryLine(entry: EntryJson, out: Output): string {
  const { at, seq, kind, event, response, wireBytes, data } = entry
  const contents = contentsOf(kind, data)
  const parts = [
    String(seq).padStart(6),
    kind.padEnd(8),
    ...(response ? [String(response.status)] : []),
    ...(event ? [event] : []),
    bytes(wireBytes),
    // Cut before escaping, because a body may have megabytes.
    contents.slice(0, MAX_SHOWN_CHARS) + (contents.length > MAX_SHOWN_CHARS ? '…' : ''),
  ]
  const line = `${at} ${parts.join(' ')}`
  const shown = cut(safe(line).trimEnd(), out.columns ?? Number.POSITIVE_INFINITY)
  return `${dimmed(out)(shown.slice(0, at.length))}${shown.slice(at.length)}\n`
}

const IN_WORDS: Partial<Record<EntryJson['kind'], (data: unknown) => string | undefined>> = {
  end: endSentence,
  error: failureSentence,
  gap: gapSentence,
}

function contentsOf(kind: EntryJson['kind'], data: EntryJson['data']): string {
  if (data === undefined) return ''
  return IN_WORDS[kind]?.(data) ?? (typeof data === 'string' ? data : JSON.stringify(data))
}
