import { sql } from 'drizzle-orm'
import { dayOf, partitionName, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { dropLogOfDay, type LogSize, logSize } from './drop.ts'
import { readMarks, removeMark, setMark } from './marks.ts'
import { lastBefore, type TrimDeps, trimStream } from './trim.ts'

/** Room is made from this part of the cap on, so that what comes until the next look still fits. */
const FILLED = 0.9
/** The part of today's entries that goes at a time, when there is nothing older. */
const TRIMMED_PART = 0.2
/** Growth after that which says that the room it made is used up, as a part of the cap. */
const GROWN_PART = 0.002
const MINUTE_MS = 60_000

/**
 * Holds the log below its cap: by dropping whole days, the oldest first, never today. When today alone is too much, its
 * oldest entries are deleted; the room they leave is used again, so that today's files grow no more. They don't shrink,
 * either, so that room is estimated: by how many entries filled them.
 */
export async function holdBytes(deps: TrimDeps, maxBytes: number): Promise<void> {
  const { db } = deps
  for (;;) {
    const size = await logSize(db)
    if (size.totalBytes <= maxBytes * FILLED) return unblock(db)
    const oldest = size.days.find(({ day }) => day < dayOf(deps.now()))
    if (oldest === undefined) return trimToday(deps, size, maxBytes)
    const outcome = await dropLogOfDay(deps, oldest, 'bytes')
    if (outcome === 'unsafe') return block(deps, oldest.day, size)
    if (outcome === 'busy') return
  }
}

/** At the cap, with nothing that may go: recording goes on beyond it, and whoever looks is told. */
async function block({ db, now, warn }: TrimDeps, day: string, { totalBytes }: LogSize): Promise<void> {
  const known = (await readMarks(db, ['blocked'])).get('blocked')
  if (known === undefined) {
    warn(
      `The log is over its size limit, but ${day} isn't archived yet, so nothing can be deleted. Recording continues.`,
    )
  }
  const detail = { reason: 'not_archived', day, bytes: totalBytes }
  await setMark(db, 'blocked', known?.at ?? new Date(now()), detail)
}

async function unblock(db: Database): Promise<void> {
  if ((await readMarks(db, ['blocked'])).size > 0) await removeMark(db, 'blocked')
}

interface Trimmed {
  /** The log's bytes when it was trimmed, and how many entries of today filled them. */
  bytes: number
  capacity: number
  /** Before it, today's entries are gone. */
  from: string
}

async function trimToday(deps: TrimDeps, { totalBytes, days }: LogSize, maxBytes: number): Promise<void> {
  const { db, now, mayDrop } = deps
  const today = dayOf(now())
  if (mayDrop !== undefined) return block(deps, today, { totalBytes, days })
  const last = (await readMarks(db, ['trimmed'])).get('trimmed')
  const before =
    last !== undefined && dayOf(last.at.getTime()) === today ? (last.detail as Trimmed) : undefined
  const { entries, until } = await oldestOf(
    db,
    before?.from ?? new Date(startOfDay(today)).toISOString(),
    now(),
  )
  const todayBytes = days.find(({ day }) => day === today)?.bytes ?? 0
  const isFull = before === undefined || totalBytes > before.bytes + maxBytes * GROWN_PART
  const freeBytes = isFull ? 0 : todayBytes * Math.max(0, 1 - entries / before.capacity)
  if (totalBytes - freeBytes <= maxBytes * FILLED || until === undefined) return
  for (const id of await streamsOf(db)) await trimStream(deps, id, await lastBefore(db, id, until.getTime()))
  for (const table of ['entries', 'bodies'] as const) {
    await db.execute(sql.raw(`VACUUM weir.${partitionName(table, today)}`))
  }
  const { totalBytes: bytes } = await logSize(db)
  const capacity = isFull ? entries : before.capacity
  const trimmed: Trimmed = { bytes, capacity, from: until.toISOString() }
  await setMark(db, 'trimmed', new Date(now()), trimmed)
}

/** How many entries were recorded since an instant, and until when the first part of them was; never the last minute. */
async function oldestOf(
  db: Database,
  since: string,
  nowMs: number,
): Promise<{ entries: number; until?: Date }> {
  const { rows } = (await db.execute(sql`
    SELECT minute, total::float8 AS total FROM (
      SELECT minute, sum(sum(entries)) OVER (ORDER BY minute) AS so_far, sum(sum(entries)) OVER () AS total
      FROM weir.rollups WHERE minute >= ${since}::timestamptz AND minute <= ${new Date(nowMs).toISOString()}::timestamptz
      GROUP BY minute
    ) AS part WHERE so_far >= total * ${TRIMMED_PART}::float8 ORDER BY minute LIMIT 1`)) as {
    rows: { minute: string; total: number }[]
  }
  const [first] = rows
  if (first === undefined) return { entries: 0 }
  const until = new Date(first.minute).getTime() + MINUTE_MS
  return { entries: first.total, until: until > nowMs - MINUTE_MS ? undefined : new Date(until) }
}

async function streamsOf(db: Database): Promise<string[]> {
  const { rows } = (await db.execute(sql`SELECT id FROM weir.streams ORDER BY id`)) as {
    rows: { id: string }[]
  }
  return rows.map(({ id }) => id)
}
