import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import {
  MAX_LINE_CHARS,
  MAX_LINES,
  MAX_TEXT_CHARS,
  MAX_VALUES,
  tooManyLines,
  tooManyValues,
  tooMuchText,
} from './bounds.ts'
import { csvLines } from './csv.ts'
import { isFields } from './fields.ts'
import { hasTooManyValues, membersOf, ndjsonLines, parseWhole } from './json-lines.ts'
import { isOpenApi, type OpenApiOptions, operationsOf } from './openapi/operations.ts'
import { pacer } from './pace.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'openapi'] as const
export type Format = (typeof FORMATS)[number]

/** One registration of a file, not checked yet. */
export interface Line {
  /** From 1: the line of the text, the member of the array, the operation of the OpenAPI document. */
  line: number
  /** What is to be registered, whatever it is; left out where `problem` says why there is nothing. */
  value?: unknown
  problem?: Problem
}

const TYPES: readonly [RegExp, Format][] = [
  [/^application\/(x-)?(ndjson|jsonl|json-?lines)$/, 'ndjson'],
  [/^text\/(csv|tab-separated-values)$/, 'csv'],
  [/^(application|text)\/(x-)?(yaml|vnd\.yaml)$|[+/.]openapi|\+yaml$/, 'openapi'],
  [/^application\/json$|\+json$/, 'json'],
]

/**
 * The format of a file: what its type says or, where that says nothing, what it looks like.
 * @throws Problem `bad_request` when it looks like none
 */
export function formatOf(text: string, contentType: string | null): Format {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
  return TYPES.find(([pattern]) => pattern.test(type))?.[1] ?? looksLike(text)
}

/** The registrations of a file, made as they are taken: never all at once. Each time it is gone through, from the start. */
export type Lines = Iterable<Line> | AsyncIterable<Line>

/**
 * The registrations of a file, once all of it is found to be readable and within its bounds.
 * @throws Problem `invalid_json`, `bad_request` when the file as a whole can't be read, `too_large`
 */
export async function readLines(text: string, format: Format, options: OpenApiOptions): Promise<Lines> {
  const begin = await READERS[format](text, options)
  const lines = { [Symbol.asyncIterator]: begin }
  await check(lines, options.headers)
  return lines
}

/** The length of a line's long texts; a header that it hides has that of the longest that the caller says. */
export function charsOf({ value }: Line, hiddenChars = 0): number {
  if (!isFields(value)) return 0
  const { url, body, headers } = value
  const own = isFields(headers) ? Object.entries(headers) : []
  const ofHeaders = own.map(([name, text]) => name.length + (text === HIDDEN ? hiddenChars : lengthOf(text)))
  return ofHeaders.reduce((sum, chars) => sum + chars, lengthOf(url) + lengthOf(body))
}

function lengthOf(text: unknown): number {
  return typeof text === 'string' ? text.length : 0
}

/** Begins to read a file, as often as it is called. */
type Begin = () => AsyncGenerator<Line>
type Headers = OpenApiOptions['headers']

const READERS: Record<Format, (text: string, options: OpenApiOptions) => Begin | Promise<Begin>> = {
  json: readJson,
  ndjson: (text) => () => ndjsonLines(text),
  csv: (text) => () => csvLines(text),
  openapi: async (text, options) => operations(await parseDocument(text), options),
}

/** An array, or an object that has nothing but one. */
const LIST = /^\s*(\[|\{\s*"streams"\s*:\s*\[)/

/** @throws Problem `too_large` for more lines, or more text of all lines together, than an import may have */
async function check(lines: AsyncIterable<Line>, headers: Headers): Promise<void> {
  const hiddenChars = Math.max(0, ...Object.values(headers).map(lengthOf))
  let [count, chars] = [0, 0]
  for await (const line of lines) {
    if (++count > MAX_LINES) throw tooManyLines()
    chars += charsOf(line, hiddenChars)
    if (chars > MAX_TEXT_CHARS) throw tooMuchText()
  }
}

function looksLike(text: string): Format {
  const [first = ''] = text.trimStart().split(/\r?\n/, 1)
  if (first.startsWith('[')) return 'json'
  if (first.startsWith('{')) return isFirstOfMany(first, text) ? 'ndjson' : 'json'
  if (/^(openapi|swagger|info|paths|---|#|%)/.test(first)) return 'openapi'
  if (/(^|[,;\t"])\s*(url|id)\s*($|[,;\t"])/.test(first)) return 'csv'
  const detail =
    'This is neither JSON, NDJSON, CSV with field names in its first line, nor OpenAPI. Say ?format=…'
  throw new Problem('bad_request', detail, 'format')
}

/** Whether a line is JSON by itself and there are more. */
function isFirstOfMany(first: string, text: string): boolean {
  if (first.length > MAX_LINE_CHARS || text.trim().length === first.trimEnd().length) return false
  try {
    JSON.parse(first)
    return true
  } catch {
    return false
  }
}

async function readJson(text: string, options: OpenApiOptions): Promise<Begin> {
  const [head = '', begin = ''] = LIST.exec(text) ?? []
  if (begin === '[') return () => membersOf(text, head.length, /^\s*$/)
  if (begin !== '' && (await hasTooManyValues(text))) return () => membersOf(text, head.length, /^\s*\}\s*$/)
  const value = await parseWhole(text)
  if (isOpenApi(value)) return operations(value, options)
  const list = isFields(value) ? (value.streams ?? [value]) : value
  if (Array.isArray(list)) return () => numbered(list)
  throw new Problem('invalid_json', 'Expected an array of registrations, or {"streams": […]}.')
}

async function* numbered(list: readonly unknown[]): AsyncGenerator<Line> {
  for (const [index, value] of list.entries()) yield { line: index + 1, value }
}

function operations(document: unknown, options: OpenApiOptions): Begin {
  return async function* () {
    const rest = pacer()
    for (const line of operationsOf(document, options)) {
      if (line !== undefined) yield line
      await rest()
    }
  }
}

async function parseDocument(text: string): Promise<unknown> {
  if (text.trimStart().startsWith('{')) return parseWhole(text)
  if (await isLargeYaml(text)) throw tooManyValues()
  try {
    return Bun.YAML.parse(text)
  } catch (error) {
    throw new Problem('bad_request', `Invalid YAML: ${(error as Error).message}.`)
  }
}

/** What YAML has one of, at least, for each value but the first. */
const YAML_VALUES = /[\n,[{]|- /g
/** Where it puts what an alias stands for into something else. */
const YAML_MERGES = /<<|[[,:-]\s*\*[^\s*]/g
/** Keys that are copied by merging, at most. */
const MAX_MERGED = 2_000_000
/** Characters of YAML searched in one go. */
const YAML_STEP_CHARS = 65_536

/** Whether YAML has more values than may be parsed in one go, or merges the same ones too often. */
async function isLargeYaml(text: string): Promise<boolean> {
  const rest = pacer()
  let [values, merges] = [0, 0]
  for (let from = 0; from < text.length; from += YAML_STEP_CHARS) {
    const part = text.slice(from, from + YAML_STEP_CHARS)
    values += part.match(YAML_VALUES)?.length ?? 0
    merges += part.match(YAML_MERGES)?.length ?? 0
    if (values > MAX_VALUES) return true
    await rest()
  }
  return text.includes('<<') && merges * values > MAX_MERGED
}
