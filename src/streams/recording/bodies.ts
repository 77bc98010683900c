import { and, eq, inArray, sql } from 'drizzle-orm'
import { bodies } from '../../../drizzle/schema.ts'
import { type Day, dayOf, isBusy, partitionName } from '../../storage/partitions.ts'
import type { Database } from '../../storage/storage.ts'

/**
 * Contents of this many characters and more are stored once a day, whatever number of entries has them. A body takes
 * some 300 bytes and 15 µs beside it: at the bound, that pays when one in five is a repeat.
 */
export const BODY_CHARS = 2_048
/** Longest wait for the lock when bodies are deleted, in milliseconds: recording waits behind it. */
const DELETE_LOCK_MS = 250

/** What a stored entry says of its contents. */
export interface Contents {
  at: Date
  data: string | null
  bodyKey: string | null
}

/** Where contents lie among the bodies of their day: by the SHA-256 of the text. */
export function bodyKeyOf(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('base64url')
}

/**
 * Puts the bodies into the rows that only name theirs. By a query of its own for each day at hand, which touches that
 * day's partition alone. A row whose body is gone, as its day was dropped meanwhile, is left without data.
 * @param maxBytes bodies of more are left out
 */
export async function withBodies<Row extends Contents>(
  db: Database,
  rows: readonly Row[],
  maxBytes?: number,
): Promise<Row[]> {
  const found = await readBodies(db, rows, dataUpTo(maxBytes))
  return rows.map((row) => ({ ...row, data: row.data ?? found.get(placeOf(row)) ?? null }))
}

/** MD5 of the contents of each row that names a body, by {@link placeOf}. */
export function md5OfBodies(db: Database, rows: readonly Omit<Contents, 'data'>[]) {
  return readBodies(db, rows, sql<string>`md5(${bodies.data})`)
}

/** What tells bodies apart: the same contents are stored once a day. */
export function placeOf({ at, bodyKey }: Omit<Contents, 'data'>): string {
  return `${dayOf(at.getTime())} ${bodyKey}`
}

/** Deletes the bodies that entries named which are gone, unless others of the day still do. */
export async function deleteBodies(db: Database, gone: readonly Omit<Contents, 'data'>[]): Promise<void> {
  for (const [day, keys] of keysByDay(gone)) {
    try {
      await db.transaction((tx) => deleteOfDay(tx, day, keys))
    } catch (error) {
      // They stay until their day is dropped.
      if (!isBusy(error)) throw error
    }
  }
}

/**
 * An entry that is being stored may name a body that is there already: with writers kept out, every entry that names
 * one can be seen.
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
