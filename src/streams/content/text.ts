import { isTextType, type MediaType } from '../../core/sets/media-types.ts'

const BYTE_ORDER_MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
] as const
const NUL = 0
/** Separates the texts of a JSON sequence. @see https://www.rfc-editor.org/rfc/rfc7464 */
const RECORD_SEPARATOR = '\x1e'
/** How a JSON text begins, after a byte order mark and white space. */
const JSON_BEGINS = /^\s*(?:[[{"]|-?\d|true\b|false\b|null\b)/

/** A body as text. */
export interface DecodedText {
  text: string
  /** Whether its bytes are UTF-8. */
  isUtf8: boolean
}

/**
 * A body as text: by its byte order mark, else its charset, else UTF-8, or UTF-16 if it looks like that.
 * @param isPart whether it may end within a character
 * @returns undefined if it is no text: nothing says so, and its bytes aren't UTF-8, or have NULs; or something says so,
 * and they are neither
 * @see https://encoding.spec.whatwg.org/#decode
 */
export function decodeText(
  bytes: Uint8Array,
  { type, charset }: MediaType,
  isPart = false,
): DecodedText | undefined {
  const mark = BYTE_ORDER_MARKS.find(([, marks]) => marks.every((byte, index) => bytes[index] === byte))
  const label = mark?.[0] ?? charset ?? guessed(bytes) ?? 'utf-8'
  const isDeclared = mark !== undefined || charset !== undefined || isTextType(type)
  const strict = decoded(bytes, decoderOf(label, true), isPart)
  if (strict !== undefined) return isDeclared || !strict.text.includes('\0') ? strict : undefined
  const loose = isDeclared ? decoded(bytes, decoderOf(label, false), isPart) : undefined
  return loose?.text.includes('\0') ? undefined : loose
}

/** Whether a text may be JSON, so that it is worth parsing. */
export function mayBeJson(text: string): boolean {
  return text.startsWith(RECORD_SEPARATOR) || JSON_BEGINS.test(text)
}

/**
 * JSON Lines, or a JSON text sequence, as one array.
 * @returns undefined unless there are at least two lines, all of which are objects or arrays
 */
export function linesAsArray(text: string): string | undefined {
  const separator = text.startsWith(RECORD_SEPARATOR) ? RECORD_SEPARATOR : '\n'
  // Most texts that aren't lines of JSON show it in the first one.
  if (separator === '\n' && !isContainer(firstLine(text))) return undefined
  const lines = text.split(separator).map((line) => line.trim())
  const filled = lines.filter((line) => line !== '')
  const isSequence = separator === RECORD_SEPARATOR
  if (filled.length < (isSequence ? 1 : 2) || !filled.every(isContainer)) return undefined
  return `[${filled.join(',')}]`
}

function firstLine(text: string): string {
  const start = text.search(/\S/)
  const end = text.indexOf('\n', start)
  return text.slice(Math.max(0, start), end < 0 ? undefined : end).trim()
}

function isContainer(line: string): boolean {
  if (!/^(?:\[.*\]|\{.*\})$/s.test(line)) return false
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

/** JSON without a byte order mark is UTF-16 if its first character, which is ASCII, has a NUL beside it. */
function guessed([first, second]: Uint8Array): string | undefined {
  if (first === NUL && second !== undefined && second !== NUL) return 'utf-16be'
  return second === NUL && first !== undefined && first !== NUL ? 'utf-16le' : undefined
}

function decoded(bytes: Uint8Array, decoder: TextDecoder, isPart: boolean): DecodedText | undefined {
  try {
    return { text: decoder.decode(bytes, { stream: isPart }), isUtf8: decoder.encoding === 'utf-8' }
  } catch {
    return undefined
  }
}

function decoderOf(label: string, fatal: boolean): TextDecoder {
  try {
    return new TextDecoder(label, { fatal })
  } catch {
    return new TextDecoder('utf-8', { fatal })
  }
}
