import { eq, inArray } from 'drizzle-orm'
import { marks } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'

/** Names of the marks, and what their `at` means. */
export type MarkName =
  /** Hours and days before it are rolled up. */
  | 'rolled'
  /** Minute rollups before it are dropped. */
  | 'minutes'
  /** When retention last ran. */
  | 'seen'
  /** When the clock was last seen to jump ahead. */
  | 'jumped'
  /** When a day was last dropped; which one, why, and what it contained. */
  | 'dropped'
  /** When today's oldest entries were last deleted to stay below the byte limit, and the log's size after that. */
  | 'trimmed'
  /** Since when a drop has been blocked, and why. */
  | 'blocked'
  /** When the secret that signs links was made; the secret. Read in `src/auth/links.ts` only. */
  | 'links'
  /** When the topology was last declared; the declaration. Read in `src/topology/declared` only. */
  | 'declared'

export interface RetentionMark<Detail = unknown> {
  at: Date
  detail: Detail
}

export async function readMarks(
  db: Database,
  names: readonly MarkName[],
): Promise<Map<MarkName, RetentionMark>> {
  const rows = await db
    .select()
    .from(marks)
    .where(inArray(marks.name, [...names]))
  return new Map(rows.map(({ name, at, detail }) => [name as MarkName, { at, detail }]))
}

export async function setMark(db: Database, name: MarkName, at: Date, detail: unknown = null): Promise<void> {
  await db
    .insert(marks)
    .values({ name, at, detail })
    .onConflictDoUpdate({ target: marks.name, set: { at, detail } })
}

export async function removeMark(db: Database, name: MarkName): Promise<void> {
  await db.delete(marks).where(eq(marks.name, name))
}
