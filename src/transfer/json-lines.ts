import { Problem } from '../errors.ts'
import { lineTooLong, MAX_LINE_CHARS, MAX_VALUES, tooManyValues } from './bounds.ts'
import type { ImportLine } from './lines.ts'
import { pacer } from './pace.ts'

/** Characters between two checks of the clock. */
const STRIDE_CHARS = 16_384
const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Each line of NDJSON that isn't blank. */
export async function* ndjsonLines(text: string): AsyncGenerator<ImportLine> {
  const rest = pacer()
  let line = 0
  for (let from = 0; from < text.length; ) {
    const found = text.indexOf('\n', from)
    const to = found === -1 ? text.length : found
    line++
    if (line % 1_024 === 0) await rest()
    if (to - from > MAX_LINE_CHARS) yield { line, problem: lineTooLong() }
    else if (to > from) {
      const each = text.slice(from, to)
      if (each.trim() !== '') yield parsedLine(each, line)
    }
    from = to + 1
  }
}

/**
 * The members of a JSON array, each parsed separately.
 * @param from where its first member begins
 * @param end what follows the array
 * @throws Problem `invalid_json` if the text isn't JSON
 */
export async function* membersOf(text: string, from: number, end: RegExp): AsyncGenerator<ImportLine> {
  let [begin, line] = [from, 0]
  for await (const at of separatorsOf(text, from)) {
    const isLast = text.charCodeAt(at) === CLOSE_LIST
    const isEmpty = isLast && line === 0 && text.slice(begin, at).trim() === ''
    if (!isEmpty) yield memberOf(text, begin, at, ++line)
    begin = at + 1
    if (!isLast) continue
    if (end.test(text.slice(begin))) return
    throw new Problem(
      'invalid_json',
      `This isn't JSON: unexpected text after the array, at character ${begin}.`,
    )
  }
  throw new Problem('invalid_json', "This isn't JSON: the array isn't closed.")
}

/**
 * Parses a JSON text as a whole.
 * @throws Problem `invalid_json`, `too_large`
 */
export async function parseWhole(text: string): Promise<unknown> {
  if (await hasTooManyValues(text)) throw tooManyValues()
  return requireJson(text)
}

/** Whether a JSON text has too many values to be parsed at once. */
export async function hasTooManyValues(text: string): Promise<boolean> {
  const rest = pacer()
  let values = 0
  for (let [at, next] = [0, STRIDE_CHARS]; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfText(text, at)
    else if (code === COMMA || code === OPEN_LIST || code === OPEN_OBJECT) values++
    if (at < next) continue
    next = at + STRIDE_CHARS
    if (values > MAX_VALUES) return true
    await rest()
  }
  return values > MAX_VALUES
}

/** @throws Problem `invalid_json` */
export function requireJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem('invalid_json', `This isn't JSON: ${(error as Error).message}.`)
  }
}

function parsedLine(text: string, line: number): ImportLine {
  try {
    return { line, value: requireJson(text) }
  } catch (problem) {
    return { line, problem: problem as Problem }
  }
}

function memberOf(text: string, from: number, to: number, line: number): ImportLine {
  if (to - from > MAX_LINE_CHARS) return { line, problem: lineTooLong() }
  return { line, value: requireJson(text.slice(from, to)) }
}

/** The ends of an array's members: at each comma, and at the closing bracket. */
async function* separatorsOf(text: string, from: number): AsyncGenerator<number> {
  const rest = pacer()
  let depth = 0
  for (let [at, next] = [from, from + STRIDE_CHARS]; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfText(text, at)
    else if (code === OPEN_LIST || code === OPEN_OBJECT) depth++
    else if (depth > 0 && (code === CLOSE_LIST || code === CLOSE_OBJECT)) depth--
    else if (depth === 0 && (code === COMMA || code === CLOSE_LIST)) {
      yield at
      if (code === CLOSE_LIST) return
    }
    if (at < next) continue
    next = at + STRIDE_CHARS
    await rest()
  }
}

/** The position of a string's closing quote; the end of the text if there is none. */
function endOfText(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return at
  }
  return text.length
}
