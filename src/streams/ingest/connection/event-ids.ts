import { parseJson, stringifyJson } from '../../../core/documents/json.ts'
import { parsePointer, select } from '../../../core/documents/pointer.ts'
import { LARGE_CHARS } from '../../large/documents.ts'
import type { Stream } from '../run.ts'

/** IDs have no control characters: they are sent back, and a line break would be another message. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROL = /[\x00-\x1f\x7f]/

/**
 * Reads the ID of an event at the stream's pointer: a text or a number.
 * @returns a function that returns undefined for an event without one, and for one that is too large to be parsed here
 */
export function idReader({ messages }: Pick<Stream, 'messages'>): (data: string) => string | undefined {
  const pointer = messages?.idPointer === undefined ? undefined : parsePointer(messages.idPointer)
  if (pointer === undefined) return () => undefined
  return (data) => {
    if (data.length > LARGE_CHARS) return undefined
    try {
      const id = select(parseJson(data), pointer)
      if (typeof id !== 'string' && typeof id !== 'number') return undefined
      // Numbers that a double can't hold keep their digits.
      const text = stringifyJson(id)
      const shown = text.startsWith('"') ? (id as string) : text
      return CONTROL.test(shown) ? undefined : shown
    } catch {
      return undefined
    }
  }
}
