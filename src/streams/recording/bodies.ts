import { and, eq, inArray, sql } from 'drizzle-orm'
import { bodies } from '../../../drizzle/schema.ts'
import { transact } from '../../storage/errors/sql-state.ts'
import { type Day, dayOf, isBusy, partitionName } from '../../storage/partitions.ts'
import type { Database } from '../../storage/storage.ts'
import type { Entry } from './entry.ts'

/**
 * Content of this many characters or more is stored once a day, however many entries have it. A body costs about 300
 * bytes and 15 µs on top: at this size, that pays off if one in five is a repeat.
 */
export const BODY_CHARS = 2_048
/** Longest wait for the lock to delete bodies, in milliseconds: recording waits behind it. */
const DELETE_LOCK_MS = 250

/** What a stored entry says about its content. */
export interface Contents {
  at: Date
  data: string | null
  bodyKey: string | null
}

/** Where content is stored: beside its entry, among the bodies, or, for the body of a failed answer, both. */
export interface Split {
  data: string | undefined
  body: string | undefined
}

/**
 * Separates long content from its entry. The body of a failed answer is stored without what differs from one failure
 * to the next, so that a page that an API returns a thousand times is stored once a day.
 */
export function splitContent({ kind, data }: Pick<Entry, 'kind' | 'data'>): Split {
  if (data === undefined || data.length < BODY_CHARS) return { data, body: undefined }
  if (kind !== 'error') return { data: undefined, body: data }
  const { body, ...rest } = JSON.parse(data) as { body?: string }
  if (body === undefined || body.length < BODY_CHARS) return { data, body: undefined }
  return { data: JSON.stringify(rest), body }
}

/** The key of content among the bodies of its day: the SHA-256 of the text. */
export function bodyKeyOf(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('base64url')
}

/**
 * Fills in the bodies of rows that only refer to them, with one query per day, which touches that day's partition
 * only. A row whose body is gone, because its day was dropped meanwhile, is left without data.
 * @param maxBytes larger bodies are left out
 */
export async function withBodies<Row extends Contents>(
  db: Database,
  rows: readonly Row[],
  maxBytes?: number,
): Promise<Row[]> {
  const found = await readBodies(db, rows, dataUpTo(maxBytes))
  return rows.map((row) => ({ ...row, data: joined(row.data, found.get(dayAndKeyOf(row))) }))
}

/** The content as it was before {@link splitContent}. */
function joined(data: string | null, body: string | undefined): string | null {
  if (data === null) return body ?? null
  return body === undefined ? data : JSON.stringify({ ...JSON.parse(data), body })
}

/** MD5 of the content of each row that refers to a body, by {@link dayAndKeyOf}. */
export function md5OfBodies(db: Database, rows: readonly Omit<Contents, 'data'>[]) {
  return readBodies(db, rows, sql<string>`md5(${bodies.data})`)
}

/** Identifies a body: the same content is stored once a day. */
export function dayAndKeyOf({ at, bodyKey }: Omit<Contents, 'data'>): string {
  return `${dayOf(at.getTime())} ${bodyKey}`
}

/** Deletes the bodies of deleted entries, unless other entries of the day still refer to them. */
export async function deleteBodies(db: Database, gone: readonly Omit<Contents, 'data'>[]): Promise<void> {
  for (const [day, keys] of keysByDay(gone)) {
    try {
      await transact(db, (tx) => deleteOfDay(tx, day, keys))
    } catch (error) {
      // They stay until their day is dropped.
      if (!isBusy(error)) throw error
    }
  }
}

/**
 * An entry that is being stored may refer to an existing body. With writers locked out, every entry that refers to
 * one is visible.
 */
async function deleteOfDay(tx: Database, day: Day, keys: string[]): Promise<void> {
  const from = `${day} 00:00:00+00`
  const name = `weir.${partitionName('bodies', day)}`
  const { rows } = (await tx.execute(sql`SELECT to_regclass(${name}) IS NOT NULL AS "isThere"`)) as {
    rows: { isThere: boolean }[]
  }
  const table = sql.raw(rows[0]?.isThere ? name : 'weir.bodies_rest')
  await tx.execute(sql.raw(`SET LOCAL lock_timeout = ${DELETE_LOCK_MS}`))
  await tx.execute(sql`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`)
  await tx.execute(sql`
    DELETE FROM ${table} AS body
    USING json_array_elements_text(${JSON.stringify(keys)}::json) AS gone(key)
    WHERE body.day = ${day}::date AND body.key = gone.key AND NOT EXISTS (
      SELECT FROM weir.entries AS entry WHERE entry.body_key = gone.key
        AND entry.at >= ${from}::timestamptz AND entry.at < ${from}::timestamptz + interval '1 day')`)
}

async function readBodies(
  db: Database,
  rows: readonly Omit<Contents, 'data'>[],
  data: ReturnType<typeof dataUpTo>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const [day, keys] of keysByDay(rows)) {
    const stored = await db
      .select({ key: bodies.key, data })
      .from(bodies)
      .where(and(eq(bodies.day, day), inArray(bodies.key, keys)))
    for (const body of stored) if (body.data !== null) found.set(`${day} ${body.key}`, body.data)
  }
  return found
}

function keysByDay(rows: readonly Omit<Contents, 'data'>[]): Map<Day, string[]> {
  const byDay = new Map<Day, Set<string>>()
  for (const { at, bodyKey } of rows) {
    if (bodyKey === null) continue
    const day = dayOf(at.getTime())
    const keys = byDay.get(day) ?? new Set()
    byDay.set(day, keys.add(bodyKey))
  }
  return new Map([...byDay].map(([day, keys]) => [day, [...keys]]))
}

function dataUpTo(maxBytes: number | undefined) {
  if (maxBytes === undefined) return sql<string | null>`${bodies.data}`
  return sql<string | null>`CASE WHEN octet_length(${bodies.data}) <= ${maxBytes} THEN ${bodies.data} END`
}
