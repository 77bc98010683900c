import { and, eq, gt, gte, lte, sql } from 'drizzle-orm'
import { archiveDays, archives, entries } from '../../drizzle/schema.ts'
import { backoffMs } from '../core/judging/backoff.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Day } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { waitUntil } from '../streams/ingest/wait.ts'
import { readLog } from '../streams/log/logs.ts'
import type { Entry } from '../streams/recording/entry.ts'
import type { Bucket } from './bucket.ts'
import { spanOf } from './days.ts'
import { ArchiveError, sentence } from './errors.ts'
import { EntryPacker } from './format.ts'
import { mergeBySeq } from './merge.ts'
import type { ArchiveReader } from './reader.ts'

/** Attempts in a row at one object before the day is postponed. */
const ATTEMPTS = 4
/** Size of a page read from the database, in bytes, with a limit on its entries. */
const PAGE_BYTES = 4_194_304
const MAX_PAGE = 500
const FIRST_PAGE = 20

export interface ArchiveStreamDeps {
  db: Database
  bucket: Bucket
  reader: ArchiveReader
  now(): number
  random(): number
}

/**
 * Archives a stream's entries of a day, and records that together with the day's progress. If they are archived
 * already, nothing is sent. If more entries arrived since, a new object gets the old and the new ones.
 * @throws ArchiveError if the object can't be stored and read back; then nothing is recorded as archived
 */
export async function archiveStream(
  deps: ArchiveStreamDeps,
  streamId: string,
  day: Day,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await archiveOnce(deps, streamId, day, signal)
    } catch (error) {
      const again = error instanceof ArchiveError && error.isTransient && attempt < ATTEMPTS
      if (!again) throw error
      await waitUntil(deps.now() + backoffMs(attempt, deps.random), signal, deps.now)
      signal.throwIfAborted()
    }
  }
}

type Row = typeof archives.$inferInsert

async function archiveOnce(
  deps: ArchiveStreamDeps,
  streamId: string,
  day: Day,
  signal: AbortSignal,
): Promise<void> {
  const { db, bucket, reader } = deps
  const known = await archivedBefore(db, streamId, day)
  const stored = dayEntries(db, streamId, day)
  if (known !== undefined && !(await hasMore(db, streamId, day, known.lastSeq))) {
    return pass(db, streamId, day, known, false)
  }
  const name = known === undefined ? 'entries' : `entries-after-${known.lastSeq}`
  const key = `${bucket.prefix}/stream=${streamId}/date=${day}/${name}.ndjson.gz`
  const all = known === undefined ? stored : mergeBySeq(reader.entriesOf(known), stored)
  const row = await upload(deps, key, all, signal)
  await pass(db, streamId, day, row && { ...row, streamId, day, key, archivedAt: new Date(deps.now()) }, true)
  if (known !== undefined && known.key !== key) await bucket.remove(known.key, signal)
}

/** Stores an object and reads it back: it may become the only copy of these entries. */
async function upload(
  { bucket }: ArchiveStreamDeps,
  key: string,
  all: AsyncGenerator<Entry>,
  signal: AbortSignal,
) {
  const packer = new EntryPacker()
  const chunks = packer.pack(all)
  const first = await chunks.next()
  if (first.done) return undefined
  await bucket.write(key, startingWith(first.value, chunks), signal)
  const packed = packer.packed()
  if (packed === undefined) return undefined
  const hash = new Bun.CryptoHasher('sha256')
  let bytes = 0
  for await (const chunk of bucket.read(key, signal)) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  if (bytes === packed.bytes && hash.digest('hex') === packed.sha256) return packed
  throw sentence('mismatch', `Wrote ${packed.bytes} bytes to ${key}, but read back ${bytes}.`)
}

async function* startingWith<T>(first: T, others: AsyncGenerator<T>): AsyncGenerator<T> {
  yield first
  yield* others
}

/** Records the stream's object, if there is one, together with the day's progress. */
async function pass(
  db: Database,
  streamId: string,
  day: Day,
  row: Row | undefined,
  isNew: boolean,
): Promise<void> {
  await transact(db, async (tx) => {
    if (row !== undefined && isNew) {
      const target = [archives.streamId, archives.day]
      await tx.insert(archives).values(row).onConflictDoUpdate({ target, set: row })
    }
    await tx
      .update(archiveDays)
      .set({
        cursor: streamId,
        streams: sql`${archiveDays.streams} + ${row === undefined ? 0 : 1}`,
        bytes: sql`${archiveDays.bytes} + ${row?.bytes ?? 0}`,
      })
      // If two processes archive the same day, as after a lost lock, a stream counts once.
      .where(and(eq(archiveDays.day, day), sql`coalesce(${archiveDays.cursor} < ${streamId}, true)`))
  })
}

async function archivedBefore(db: Database, streamId: string, day: string) {
  const [row] = await db
    .select()
    .from(archives)
    .where(and(eq(archives.streamId, streamId), eq(archives.day, day)))
  return row
}

/** Whether there are entries after the archived ones. */
async function hasMore(db: Database, streamId: string, day: Day, lastSeq: number): Promise<boolean> {
  const { from, to } = spanOf(day)
  const rows = await db
    .select({ seq: entries.seq })
    .from(entries)
    .where(
      and(
        eq(entries.streamId, streamId),
        gt(entries.seq, lastSeq),
        gte(entries.at, from),
        lte(entries.at, to),
      ),
    )
    .limit(1)
  return rows.length > 0
}

/** A stream's entries of a day that are in the database, in pages of similar size in bytes. */
async function* dayEntries(db: Database, streamId: string, day: string): AsyncGenerator<Entry> {
  const { from, to } = spanOf(day)
  const before = new Date(to.getTime() + 1)
  let after = 0
  let limit = FIRST_PAGE
  for (;;) {
    const { items } = await readLog(db, streamId, { from, to: before, after, limit })
    yield* items
    if (items.length < limit) return
    after = (items.at(-1) as Entry).seq
    const bytes = items.reduce((sum, { data }) => sum + (data?.length ?? 0), 1)
    limit = Math.max(1, Math.min(MAX_PAGE, Math.floor((PAGE_BYTES / bytes) * items.length)))
  }
}
