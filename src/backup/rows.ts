import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../storage/storage.ts'
import { quoted, type Table } from './tables.ts'

/** Rows read by one statement, and about how many bytes it returns; at least one row. */
const MAX_ROWS = 2_000
const MAX_BYTES = 4_194_304

/** Types whose text depends on server settings; as JSON they are ISO 8601. */
const TIMES = /^(timestamp|date|time)\b/
/** Types whose values may be large. */
const LARGE = /^(text|bytea)$/

/** Rows as lines: JSON arrays of text and null; with the keys of the first and the last row. */
export interface RowPage {
  lines: string[]
  first: readonly string[]
  last: readonly string[]
}

/** The rows of a table ordered by key. A page is a few megabytes at most, or one row. */
export async function* rowsOf(
  db: Database,
  table: Table,
  where: SQL = sql`TRUE`,
): AsyncGenerator<RowPage, void> {
  let last: readonly string[] | undefined
  for (;;) {
    const rows: Row[] = await pageOf(db, table, where, last)
    const [first, end] = [rows[0]?.['weir key'], rows.at(-1)?.['weir key']]
    if (first === undefined || end === undefined) return
    last = end
    yield { lines: rows.map((row) => row['weir line']), first, last }
  }
}

interface Row {
  'weir line': string
  'weir key': string[]
}

async function pageOf(
  db: Database,
  { name, columns, key }: Table,
  where: SQL,
  last: readonly string[] | undefined,
) {
  const keys = sql.raw(key.map(quoted).join(', '))
  const texts = sql.raw(columns.map(textOf).join(', '))
  const size = sql.raw(columns.map(sizeOf).join(' + '))
  const types = key.map((each) => columns.find((column) => column.name === each)?.type ?? 'text')
  const behind =
    last === undefined
      ? sql`TRUE`
      : sql`(${keys}) > (${sql.join(
          last.map((value, index) => sql`${value}::${sql.raw(types[index] as string)}`),
          sql`, `,
        )})`
  const keyTexts = sql.raw(
    key.map((each) => textOf({ name: each, type: types[key.indexOf(each)] ?? '' })).join(', '),
  )
  const { rows } = (await db.execute(sql`
    SELECT json_build_array(${texts})::text AS "weir line", json_build_array(${keyTexts}) AS "weir key"
    FROM (
      SELECT *, sum(${size}) OVER (ORDER BY ${keys}) AS "weir size", row_number() OVER (ORDER BY ${keys}) AS "weir row"
      FROM (
        SELECT * FROM weir.${sql.raw(quoted(name))}
        WHERE ${where} AND ${behind} ORDER BY ${keys} LIMIT ${MAX_ROWS}
      ) AS page
    ) AS sized
    WHERE "weir row" = 1 OR "weir size" <= ${MAX_BYTES}
    ORDER BY ${keys}`)) as unknown as { rows: Row[] }
  return rows
}

/** One value as text that is the same on every server. */
function textOf({ name, type }: { name: string; type: string }): string {
  if (TIMES.test(type)) return quoted(name)
  return type === 'bytea' ? `'\\x' || encode(${quoted(name)}, 'hex')` : `${quoted(name)}::text`
}

/** Approximate size of a value, without fetching it. */
function sizeOf({ name, type }: { name: string; type: string }): string {
  const size = LARGE.test(type) ? 'octet_length' : 'pg_column_size'
  return `coalesce(${size}(${quoted(name)}), 0)`
}
