import { and, asc, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm'
import { marks, states, streams } from '../../../drizzle/schema.ts'
import { AVAILABILITY_WINDOWS } from '../../core/availability.ts'
import type { Database } from '../../storage/storage.ts'
import { storeAvailability } from '../measures/availability.ts'
import { IS_SHARED } from '../registry/visibility.ts'

/** Streams in one statement. */
const PAGE = 1_000
/** The mark of the last time. */
const MARK = 'available'

/** Writes the availability of every stream's last 24 hours into its state, from which lists show and sort it. */
export async function refreshAvailability({ db, now }: { db: Database; now(): number }): Promise<void> {
  const to = now()
  const window = { from: new Date(to - AVAILABILITY_WINDOWS['24h']), to: new Date(to) }
  let after: string | undefined
  do {
    const page = await db
      .select({ id: streams.id })
      .from(streams)
      .where(after === undefined ? undefined : gt(streams.id, after))
      .orderBy(asc(streams.id))
      .limit(PAGE)
    const ids = page.map(({ id }) => id)
    if (ids.length > 0) await storeAvailability(db, ids, window)
    after = ids.length < PAGE ? undefined : ids.at(-1)
  } while (after !== undefined)
  const at = new Date(to)
  await db.insert(marks).values({ name: MARK, at }).onConflictDoUpdate({ target: marks.name, set: { at } })
}

/** As of when lists show availability; undefined before it was first calculated. */
export async function availabilityAsOf(db: Database): Promise<Date | undefined> {
  const [row] = await db.select({ at: marks.at }).from(marks).where(eq(marks.name, MARK))
  return row?.at
}

/** The mean of what lists show, without twins and private streams, and of how many streams. */
export async function meanAvailability(db: Database): Promise<{ share: number | null; streams: number }> {
  const [row] = await db
    .select({
      share: sql<number | null>`avg(${states.availability})`,
      streams: sql`count(*)`.mapWith(Number),
    })
    .from(states)
    .innerJoin(streams, sql`${streams.id} = ${states.streamId}`)
    .where(and(IS_SHARED, isNull(streams.twinOf), isNotNull(states.availability)))
  return { share: row?.share ?? null, streams: row?.streams ?? 0 }
}
