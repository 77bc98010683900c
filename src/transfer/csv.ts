import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { Problem } from '../errors.ts'
import { lineTooLong, MAX_LINE_CHARS, many } from './bounds.ts'
import { type Field, type JsonObject, LISTS, NUMBERS, REGISTRATION_FIELDS } from './fields.ts'
import type { ImportLine } from './lines.ts'

/** Bytes parsed at a time, so that other work continues in between. */
const STEP_BYTES = 65_536
const LIST_SEPARATOR = ';'
const HEADER_PREFIX = 'header:'
/** Header columns of an export; beyond it, NDJSON is the better format. */
export const MAX_HEADER_COLUMNS = 200
const MAX_COLUMNS = REGISTRATION_FIELDS.length + MAX_HEADER_COLUMNS
/** Spreadsheets execute a cell that begins like this; a leading apostrophe makes it text. */
const FORMULA = /^[=+\-@\t\r']/
const GUARDED = /^'(?=[=+\-@\t\r'])/

/** A first line that tells Excel the separator. */
const SEPARATOR_LINE = /^"?sep=(.)"?(?:\r\n|\n|\r|$)/i

/** A record, and the line number where it ends. */
interface CsvRecord {
  record: string[]
  info: { lines: number }
}

/**
 * Parses CSV (RFC 4180, or separated by semicolons or tabs) with field names, in any case, in its first line, as spreadsheets
 * write it: `sep=;` may come before, and rows and columns without a cell may follow.
 * @throws Problem `bad_request` for unbalanced quotes, `invalid_field` for an unknown column
 */
export async function* csvLines(text: string): AsyncGenerator<ImportLine> {
  let columns: readonly string[] | undefined
  let countedTwice = 0
  const skipped = SEPARATOR_LINE.test(text) ? 1 : 0
  try {
    for await (const { record, info } of recordsOf(text)) {
      const cells = record.join('')
      const line = info.lines + skipped - countedTwice - countOf(/[\r\n]/g, cells)
      // Within a cell, the parser counts both characters of a CRLF.
      countedTwice += countOf(/\r\n/g, cells)
      if (cells.trim() === '') continue
      if (columns === undefined) columns = columnsOf(record)
      else if (cells.length > MAX_LINE_CHARS) yield { line, problem: lineTooLong() }
      else yield lineOf(columns, record, line)
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new Problem('bad_request', `Invalid CSV: ${error.message}.`)
  }
}

/** The first line of a CSV file: a column for each field and header. */
export function csvHead(headerNames: readonly string[]): string {
  return csvLine(columnsFor(headerNames))
}

/** A stream as a line of CSV. */
export function csvRow(fields: JsonObject, headerNames: readonly string[]): string {
  const headers = fields.headers as Record<string, string>
  return csvLine(
    columnsFor(headerNames).map((column) => {
      const value = column.startsWith(HEADER_PREFIX)
        ? headers[column.slice(HEADER_PREFIX.length)]
        : fields[column]
      if (Array.isArray(value)) return listCell(value)
      return typeof value === 'object' && value !== null
        ? JSON.stringify(value)
        : String(value ?? '').replace(FORMULA, "'$&")
    }),
  )
}

function recordsOf(text: string): AsyncIterable<CsvRecord> {
  const told = SEPARATOR_LINE.exec(text)
  const table = told === null ? text : text.slice(told[0].length)
  const [head = ''] = table.trimStart().split(/[\r\n]/, 1)
  const delimiter = told?.[1] ?? [',', ';', '\t'].find((each) => head.includes(each)) ?? ','
  const options = { delimiter, info: true, relax_column_count: true, skip_empty_lines: true }
  const endings = { record_delimiter: ['\r\n', '\n', '\r'] }
  return Readable.from(stepsOf(table)).pipe(parse({ ...options, ...endings }))
}

async function* stepsOf(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += STEP_BYTES) {
    yield bytes.subarray(from, from + STEP_BYTES)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0
}

/** @throws Problem `invalid_field` */
function columnsOf(record: readonly string[]): string[] {
  if (record.length > MAX_COLUMNS) {
    const detail = `The first line has ${many(record.length)} columns; the limit is ${MAX_COLUMNS}. Remove columns that are no field, or send NDJSON.`
    throw new Problem('too_large', detail)
  }
  const last = record.findLastIndex((cell) => cell.trim() !== '')
  const columns = record.slice(0, last + 1).map((cell) => columnOf(cell.trim()))
  for (const [index, column] of columns.entries()) {
    const refuse = (detail: string) => new Problem('invalid_field', detail, column.slice(0, 64))
    if (column === '') throw refuse(`Column ${index + 1} has no name.`)
    const isHeader = column.startsWith(HEADER_PREFIX) && column.length > HEADER_PREFIX.length
    if (!isHeader && (column === 'headers' || !REGISTRATION_FIELDS.includes(column as Field))) {
      throw refuse(`Unknown column: ${column.slice(0, 64)}. Name header columns header:Name.`)
    }
    if (columns.indexOf(column) !== index) throw refuse(`Duplicate column: ${column.slice(0, 64)}.`)
  }
  return columns
}

/** A field's name whatever its case; a header keeps its own. */
function columnOf(name: string): string {
  const prefix = name.slice(0, HEADER_PREFIX.length).toLowerCase()
  if (prefix === HEADER_PREFIX) return prefix + name.slice(HEADER_PREFIX.length)
  return REGISTRATION_FIELDS.find((field) => field.toLowerCase() === name.toLowerCase()) ?? name
}

function lineOf(columns: readonly string[], cells: readonly string[], line: number): ImportLine {
  const record = cells.slice(0, cells.findLastIndex((cell) => cell.trim() !== '') + 1)
  if (record.length > columns.length) {
    const detail = `The line has ${record.length} cells, the first line ${columns.length}.`
    return { line, problem: new Problem('invalid_field', detail) }
  }
  const named = columns.flatMap((column, index): [string, string][] => {
    const cell = record[index] ?? ''
    return cell === '' ? [] : [[column, cell]]
  })
  const isHeader = ([column]: [string, string]) => column.startsWith(HEADER_PREFIX)
  const headers = named
    .filter(isHeader)
    .map(([column, cell]) => [column.slice(HEADER_PREFIX.length), text(cell)])
  const fields = named
    .filter((cell) => !isHeader(cell))
    .map(([column, cell]) => [column, typed(column, cell)])
  const value = Object.fromEntries(fields)
  if (headers.length > 0) value.headers = Object.fromEntries(headers)
  return { line, value }
}

/** The value of a cell. If it doesn't have the type of its field, it stays text, and is rejected later. */
function typed(column: string, cell: string): unknown {
  const word = cell.trim()
  if (LISTS.includes(column as Field)) return listOf(word, column === 'tags' ? /[;,]/ : LIST_SEPARATOR)
  if (OBJECTS.has(column)) return parsed(word)
  if (NUMBERS.includes(column as Field)) return /^\d+$/.test(word) ? Number(word) : word
  if (SWITCHES.has(column)) return BOOLEANS.get(word.toLowerCase()) ?? word
  return column === 'name' || column === 'body' ? text(cell) : text(word)
}

const OBJECTS: ReadonlySet<string> = new Set<Field>(['retention', 'auth', 'tls', 'messages', 'push'])
const SWITCHES: ReadonlySet<string> = new Set<Field>(['resumes', 'repeatable', 'start', 'twin'])
const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
])

function text(cell: string): string {
  return cell.replace(GUARDED, '')
}

/** A list: members separated by semicolons or, if one contains a semicolon itself, JSON. No tag contains a comma. */
function listOf(cell: string, separator: string | RegExp): unknown {
  if (cell.startsWith('[')) return parsed(cell)
  const members = text(cell).split(separator)
  return members.map((member) => member.trim()).filter((member) => member !== '')
}

function parsed(cell: string): unknown {
  try {
    return JSON.parse(cell)
  } catch {
    return cell
  }
}

function listCell(members: readonly string[]): string {
  const isPlain = members.every(
    (member) => member === member.trim() && member !== '' && !member.includes(LIST_SEPARATOR),
  )
  const cell = members.join(LIST_SEPARATOR)
  return isPlain && !cell.startsWith('[') ? cell.replace(FORMULA, "'$&") : JSON.stringify(members)
}

function columnsFor(headerNames: readonly string[]): string[] {
  const fields = REGISTRATION_FIELDS.filter((field) => field !== 'headers')
  return [...fields, ...headerNames.map((name) => HEADER_PREFIX + name)]
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`
}
