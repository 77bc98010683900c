import type { Json } from '../../core/documents/document.ts'
import { parseJson } from '../../core/documents/json.ts'
import { mediaTypeIn } from '../../core/sets/media-types.ts'
import { decodeText, linesAsArray, mayBeJson } from './text.ts'

/**
 * What a body is, decided by decoding it: nothing, bytes, or text, whatever its type says. Text may be a document, which
 * parsing it shows.
 */
export type Content =
  | { as: 'empty' }
  | { as: 'bytes' }
  | {
      as: 'text'
      text: string
      /** Whether the body is the text in UTF-8. */
      isUtf8: boolean
      /** Whether the text begins as JSON does, so that it is worth parsing. */
      mayBeDocument: boolean
    }

/**
 * The content of a body. A preview, a poll and whatever reads what they stored agree, because all begin here.
 * @param plain after decompression
 * @param isPart whether it may end within a character
 */
export function contentOf(plain: Uint8Array, headers: Headers, isPart = false): Content {
  if (plain.byteLength === 0) return { as: 'empty' }
  const decoded = decodeText(plain, mediaTypeIn(headers.get('content-type')), isPart)
  if (decoded === undefined) return { as: 'bytes' }
  if (decoded.text === '') return { as: 'empty' }
  return { as: 'text', ...decoded, mayBeDocument: mayBeJson(decoded.text) }
}

/**
 * The document in a text: JSON, or else JSON Lines or a JSON text sequence as an array.
 * @returns it with its JSON text
 * @throws SyntaxError if it is none of them; RangeError if it is nested too deeply
 */
export function parseDocument(text: string): { document: Json; json: string } {
  try {
    return { document: parseJson(text), json: text }
  } catch (error) {
    const json = error instanceof SyntaxError ? linesAsArray(text) : undefined
    if (json === undefined) throw error
    return { document: parseJson(json), json }
  }
}
