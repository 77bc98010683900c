import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import {
  MAX_IMPORT_CHARS,
  MAX_LINE_CHARS,
  MAX_LINES,
  MAX_VALUES,
  tooManyLines,
  tooManyValues,
  tooMuchText,
} from './bounds.ts'
import { csvLines } from './csv.ts'
import { isFields } from './fields.ts'
import type { ForeignFormat, ForeignLine, ForeignOptions } from './foreign/format.ts'
import { FOREIGN, FOREIGN_NAMES, type ForeignName, foreignFormatOf } from './foreign/formats.ts'
import { URL_LINE, urlLines } from './foreign/urls.ts'
import { hasTooManyValues, membersOf, ndjsonLines, parseWhole } from './json-lines.ts'
import { isOpenApi, type OpenApiOptions, operationsOf } from './openapi/operations.ts'
import { pacer } from './pace.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'openapi', ...FOREIGN_NAMES, 'urls'] as const
export type Format = (typeof FORMATS)[number]

/** One unchecked registration of a file. */
export interface ImportLine {
  /** From 1: the line of the text, the member of the array, or the item of the document. */
  line: number
  /** The registration, of any type; omitted if `problem` says why there is none. */
  value?: unknown
  problem?: Problem
  /** Why it is left out although nothing is wrong with it: it is no request that Weir may or can follow. */
  skipped?: string
}

const TYPES: readonly [RegExp, Format][] = [
  [/^application\/(x-)?(ndjson|jsonl|json-?lines)$/, 'ndjson'],
  [/^text\/(csv|tab-separated-values)$/, 'csv'],
  [/^(application|text)\/(x-)?(yaml|vnd\.yaml)$|[+/.]openapi|\+yaml$/, 'openapi'],
  [/^application\/json$|\+json$/, 'json'],
]

/**
 * The format of a file, from its content type or else its content.
 * @throws Problem `bad_request` if it isn't recognized
 */
export function formatOf(text: string, contentType: string | null): Format {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
  return TYPES.find(([pattern]) => pattern.test(type))?.[1] ?? looksLike(text)
}

/** The registrations of a file, created on demand. Iterating again starts over. */
export type Lines = Iterable<ImportLine> | AsyncIterable<ImportLine>

/**
 * The registrations of a file, once it is known to be readable and within its bounds.
 * @throws Problem `invalid_json`, `bad_request` if the file can't be read, `too_large`
 */
export async function readImportLines(text: string, format: Format, options: Options): Promise<Lines> {
  const begin = await READERS[format](text, options)
  const lines = { [Symbol.asyncIterator]: begin }
  await check(lines, options.headers)
  return lines
}

/** The length of a line's long texts; a hidden header counts as long as the longest value that the caller set. */
export function charsOf({ value }: ImportLine, hiddenChars = 0): number {
  if (!isFields(value)) return 0
  const { url, body, headers } = value
  const own = isFields(headers) ? Object.entries(headers) : []
  const ofHeaders = own.map(([name, text]) => name.length + (text === HIDDEN ? hiddenChars : lengthOf(text)))
  return ofHeaders.reduce((sum, chars) => sum + chars, lengthOf(url) + lengthOf(body))
}

function lengthOf(text: unknown): number {
  return typeof text === 'string' ? text.length : 0
}

/** Starts reading a file; can be called again. */
type Begin = () => AsyncGenerator<ImportLine>
type Options = OpenApiOptions & ForeignOptions
type Headers = Options['headers']

type Read = (text: string, options: Options) => Begin | Promise<Begin>

const READERS: Record<Format, Read> = {
  json: readJson,
  ndjson: (text) => () => ndjsonLines(text),
  csv: (text) => () => csvLines(text),
  openapi: async (text, options) => operations(await parseDocument(text), options),
  ...(Object.fromEntries(
    FOREIGN_NAMES.map((name) => [
      name,
      (text: string, options: Options) => readForeign(FOREIGN[name], text, options),
    ]),
  ) as Record<ForeignName, Read>),
  urls: (text) => () => urlLines(text),
}

/** An array, or an object whose only field is an array. */
const LIST = /^\s*(\[|\{\s*"streams"\s*:\s*\[)/

/** @throws Problem `too_large` if there are too many lines, or too much text in total */
async function check(lines: AsyncIterable<ImportLine>, headers: Headers): Promise<void> {
  const hiddenChars = Math.max(0, ...Object.values(headers).map(lengthOf))
  let [count, chars] = [0, 0]
  for await (const line of lines) {
    if (++count > MAX_LINES) throw tooManyLines()
    chars += charsOf(line, hiddenChars)
    if (chars > MAX_IMPORT_CHARS) throw tooMuchText()
  }
}

function looksLike(text: string): Format {
  const [first = ''] = text.trimStart().split(/\r\n|\n|\r/, 1)
  if (first.startsWith('[')) return 'json'
  if (first.startsWith('{')) return isFirstOfMany(first, text) ? 'ndjson' : 'json'
  if (YAML_HEAD.test(first)) return 'openapi'
  if (/^"?sep=."?$/i.test(first.trim()) || /(^|[,;\t"])\s*(url|id)\s*($|[,;\t"])/i.test(first)) return 'csv'
  if (URL_LINE.test(first)) return 'urls'
  const detail = `Unknown format: expected ${FORMAT_WORDS}. Set ?format=…`
  throw new Problem('bad_request', detail, 'format')
}

/** How a YAML document of OpenAPI may begin. */
const YAML_HEAD =
  /^(---|%|["']?(openapi|swagger|info|paths|servers|components|tags|security|host|schemes|x-[\w-]+)\b)|^#(?!.*https?:)/
const FORMAT_WORDS =
  'JSON, NDJSON, CSV with a header row, OpenAPI, Swagger 2, a Postman collection, HAR, an Uptime Kuma backup, a changedetection.io export, or a list of URLs'

/** Whether a line is JSON by itself and more lines follow. */
function isFirstOfMany(first: string, text: string): boolean {
  if (first.length > MAX_LINE_CHARS || text.trim().length === first.trimEnd().length) return false
  try {
    JSON.parse(first)
    return true
  } catch {
    return false
  }
}

async function readJson(text: string, options: Options): Promise<Begin> {
  const [head = '', begin = ''] = LIST.exec(text) ?? []
  if (begin === '[') return () => membersOf(text, head.length, /^\s*$/)
  if (begin !== '' && (await hasTooManyValues(text))) return () => membersOf(text, head.length, /^\s*\}\s*$/)
  const value = await parseWhole(text)
  if (isOpenApi(value)) return operations(value, options)
  const foreign = foreignFormatOf(value)
  if (foreign?.is(value)) return numberedLines(() => foreign.linesOf(value, options))
  const list = isFields(value) ? (value.streams ?? [value]) : value
  if (Array.isArray(list)) return () => numbered(list)
  throw new Problem('invalid_json', 'Expected an array of registrations, or {"streams": […]}.')
}

async function* numbered(list: readonly unknown[]): AsyncGenerator<ImportLine> {
  for (const [index, value] of list.entries()) yield { line: index + 1, value }
}

/** @throws Problem `bad_request` if the document is of another format */
async function readForeign(format: ForeignFormat, text: string, options: Options): Promise<Begin> {
  const value = await parseWhole(text)
  if (!format.is(value)) throw new Problem('bad_request', `The file isn't a ${format.label}.`, 'format')
  return numberedLines(() => format.linesOf(value, options))
}

function numberedLines(begin: () => Generator<ForeignLine>): Begin {
  return async function* () {
    const rest = pacer()
    let line = 0
    for (const each of begin()) {
      yield { line: ++line, ...each }
      await rest()
    }
  }
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

/** Each YAML value except the first needs at least one of these. */
const YAML_VALUES = /[\n,[{]|- /g
/** Where an alias is merged into something else. */
const YAML_MERGES = /<<|[[,:-]\s*\*[^\s*]/g
/** Maximum keys copied by merging. */
const MAX_MERGED = 2_000_000
/** Characters of YAML searched at a time. */
const YAML_STEP_CHARS = 65_536

/** Whether YAML has too many values to be parsed at once, or merges too often. */
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
