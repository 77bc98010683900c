import { Problem } from '../errors.ts'
import { readCsv } from './csv.ts'
import { isFields } from './fields.ts'
import { isOpenApi, type OpenApiOptions, operationsOf } from './openapi/operations.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'openapi'] as const
export type Format = (typeof FORMATS)[number]

/** Registrations in one import; a file with more is refused, to be sent in parts. */
export const MAX_LINES = 100_000

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

/**
 * The registrations of a file.
 * @throws Problem `invalid_json`, `bad_request` when the file as a whole can't be read, `body_too_large`
 */
export async function readLines(text: string, format: Format, options: OpenApiOptions): Promise<Line[]> {
  const lines = await READERS[format](text, options)
  if (lines.length <= MAX_LINES) return lines
  throw new Problem('body_too_large', `More than ${MAX_LINES} streams; import them in parts.`)
}

const READERS: Record<Format, (text: string, options: OpenApiOptions) => Line[] | Promise<Line[]>> = {
  json: readJson,
  ndjson: readNdjson,
  csv: readCsv,
  openapi: (text, options) => operationsOf(parseDocument(text), options),
}

function looksLike(text: string): Format {
  const [first = ''] = text.trimStart().split(/\r?\n/, 1)
  if (first.startsWith('[')) return 'json'
  if (first.startsWith('{')) return isJson(first) && !isJson(text) ? 'ndjson' : 'json'
  if (/^(openapi|swagger|info|paths|---|#|%)/.test(first)) return 'openapi'
  if (/(^|[,;\t"])\s*(url|id)\s*($|[,;\t"])/.test(first)) return 'csv'
  const detail =
    'This is neither JSON, NDJSON, CSV with field names in its first line, nor OpenAPI. Say ?format=…'
  throw new Problem('bad_request', detail, 'format')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function readJson(text: string, options: OpenApiOptions): Line[] {
  const value = parseJson(text)
  if (isOpenApi(value)) return operationsOf(value, options)
  const list = isFields(value) ? (value.streams ?? [value]) : value
  if (Array.isArray(list)) return list.map((each, index) => ({ line: index + 1, value: each }))
  throw new Problem('invalid_json', 'Expected an array of registrations, or {"streams": […]}.')
}

function readNdjson(text: string): Line[] {
  return text.split('\n').flatMap((each, index) => (each.trim() === '' ? [] : [ndjsonLine(each, index + 1)]))
}

function ndjsonLine(text: string, line: number): Line {
  try {
    return { line, value: parseJson(text) }
  } catch (problem) {
    return { line, problem: problem as Problem }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem('invalid_json', `This isn't JSON: ${(error as Error).message}.`)
  }
}

function parseDocument(text: string): unknown {
  if (text.trimStart().startsWith('{')) return parseJson(text)
  try {
    return Bun.YAML.parse(text)
  } catch (error) {
    throw new Problem('bad_request', `This isn't YAML: ${(error as Error).message}.`)
  }
}
