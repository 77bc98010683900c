import { sql } from 'drizzle-orm'
import { MINUTE_MS } from '../core/time.ts'
import { dayOf, partitionName, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { dropLogOfDay, type LogSize, logSize } from './drop.ts'
import { readMarks, removeMark, setMark } from './marks.ts'
import { lastBefore, type TrimDeps, trimStream } from './trim.ts'

/** Dropping starts at this share of the limit, so that what arrives until the next check still fits. */
const FILLED = 0.9
/** The share of today's entries deleted at a time, if there is nothing older. */
const TRIMMED_PART = 0.2
/** Growth after a trim, as a share of the limit, that means the freed space is used up. */
const GROWN_PART = 0.002

/**
 * Keeps the log below its limit by dropping whole days, oldest first, never today. If today alone is too large, its
 * oldest entries are deleted. The freed space is reused, so today's files stop growing. They don't shrink, so the
 * free space is estimated from how many entries filled them.
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

/** At the limit with nothing that may be dropped: recording continues beyond it, and the state says so. */
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
  /** Size of the log when it was trimmed, and how many of today's entries filled it. */
  bytes: number
  capacity: number
  /** Today's entries before this are gone. */
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

/**
 * How many entries were recorded since an instant, and until when the first share of them was; never within the last
 * minute.
 */
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
