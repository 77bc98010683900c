import type { Json, PatchOperation } from './document.ts'

/**
 * Begins a string that stands for something else: the digits of a number that a double can't hold, or a string that
 * itself begins like this. Keys are never marked.
 */
const MARK = '\0'
const NUMBER = `${MARK}n`
const STRING = `${MARK}s`
/** How a marked string begins in JSON text; NUL can't be written in another way. */
const QUOTED_MARK = '"\\u0000'
/**
 * Numbers of fifteen digits survive `JSON.parse`, and exponents of two. Two expressions, as one that holds both takes
 * six times as long.
 */
const LONG_NUMBER = /(?<!["\d.])[\d.]{16}/
const LONG_EXPONENT = /\d[eE][+-]?\d{3,}(?:[\s,\]}]|$)/

/** What `lib` doesn't know yet. @see https://tc39.es/proposal-json-parse-with-source/ */
interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: Json, context: { source: string }) => Json): Json
  rawJSON(text: string): unknown
}
const { parse, rawJSON } = JSON as unknown as JsonWithSource

/**
 * Parses JSON, and keeps numbers that a double can't hold (`12345678901234567890`, `1e400`) digit for digit: as
 * strings of a form that only {@link stringifyJson} and {@link canonicalJson} know.
 * @throws SyntaxError when the text isn't JSON.
 */
export function parseJson(text: string): Json {
  if (LONG_NUMBER.test(text) || LONG_EXPONENT.test(text) || text.includes(QUOTED_MARK)) {
    return parse(text, mark)
  }
  return JSON.parse(text)
}

/** The JSON text of what {@link parseJson} returned, or of a patch between two such documents. */
export function stringifyJson(value: Json | readonly PatchOperation[]): string {
  const text = JSON.stringify(value)
  return text.includes(QUOTED_MARK) ? JSON.stringify(value, unmark) : text
}

function mark(_key: string, value: Json, { source }: { source: string }): Json {
  if (typeof value === 'number') return digits(String(value)) === digits(source) ? value : NUMBER + source
  return typeof value === 'string' && value.startsWith(MARK) ? STRING + value : value
}

function unmark(_key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (value.startsWith(NUMBER)) return rawJSON(value.slice(NUMBER.length))
  return value.startsWith(STRING) ? value.slice(STRING.length) : value
}

/** A number's significant digits and their power of ten: the same for equal numbers, whatever their sign. */
function digits(text: string): string | undefined {
  const [, whole = '', fraction = '', exponent = 0] = /^-?(\d+)\.?(\d*)(?:[eE](.*))?$/.exec(text) ?? []
  const all = (whole + fraction).replace(/^0+/, '')
  let length = all.length
  while (all[length - 1] === '0') length--
  if (length === 0) return whole && '0'
  return `${all.slice(0, length)}e${Number(exponent) - fraction.length + all.length - length}`
}
