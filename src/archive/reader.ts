import { and, asc, desc, eq, gte, lte, or, type SQL, sql } from 'drizzle-orm'
import { type ArchiveBlock, archives } from '../../drizzle/schema.ts'
import { Problem } from '../errors.ts'
import { dayOf } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import type { Entry } from '../streams/recording/entry.ts'
import { BlockCache } from './block-cache.ts'
import type { Bucket } from './bucket.ts'
import { ArchiveError, sentence } from './errors.ts'
import { lineEntry, unpackBlock } from './format.ts'
import { mergeBySeq } from './merge.ts'

/** Which of a stream's entries are wanted; all bounds are included, and one left out doesn't bound. */
export interface Span {
  from?: number
  to?: number
  /** Milliseconds since the epoch. */
  fromAt?: number
  toAt?: number
  /** Only parts of objects that hold such entries are read; others may come along. */
  only?: 'versions' | 'snapshots'
  /** Default: oldest first. */
  newestFirst?: boolean
}

/** Reads entries that are no longer in the database. */
export interface Archived {
  /** Those of a span, in order. @throws Problem when they are in the archive, and that can't be read */
  entries(streamId: string, span: Span): AsyncGenerator<Entry>
}

type ArchivedObject = typeof archives.$inferSelect

/** Objects looked up at a time. */
const PAGE = 30

export interface ArchiveReaderDeps {
  db: Database
  /** Left out: there is none, and what was archived once can't be read. */
  bucket: Bucket | undefined
  /** Text of blocks kept for the next reader, in bytes. Default: 16 MiB. */
  cacheBytes?: number
}

/** Reads the archive block by block; the last ones read are kept in memory, within a bound. */
export class ArchiveReader implements Archived {
  readonly #db: Database
  readonly #bucket: Bucket | undefined
  readonly #cache: BlockCache
  readonly #closed = new AbortController()

  constructor({ db, bucket, cacheBytes }: ArchiveReaderDeps) {
    this.#db = db
    this.#bucket = bucket
    this.#cache = new BlockCache(cacheBytes)
  }

  async *entries(streamId: string, span: Span): AsyncGenerator<Entry> {
    for await (const group of this.#objects(streamId, span)) {
      const all = group
        .map((object) => this.entriesOf(object, span))
        .reduce((one, other) => mergeBySeq(one, other, span.newestFirst))
      for await (const entry of all) yield entry
    }
  }

  /** Entries of one object. */
  async *entriesOf(object: ArchivedObject, span: Span = {}): AsyncGenerator<Entry> {
    const { blocks } = object
    const indexes = blocks.map((_, index) => index)
    for (const index of span.newestFirst ? indexes.reverse() : indexes) {
      if (!mayHold(blocks[index] as ArchiveBlock, span)) continue
      const entries = await this.#block(object, index)
      for (const entry of span.newestFirst ? entries.toReversed() : entries)
        if (isIn(entry, span)) yield entry
    }
  }

  /** Lets go of what is kept, and ends reads that are under way. */
  close(): void {
    this.#closed.abort()
    this.#cache.clear()
  }

  /**
   * Objects that hold something of the span which the database doesn't have any more, in order. Those whose entries are
   * interwoven come together: a clock that was set back at midnight makes such.
   */
  async *#objects(streamId: string, span: Span): AsyncGenerator<ArchivedObject[]> {
    let group: ArchivedObject[] = []
    let beyond: number | undefined
    for (;;) {
      const page = await this.#page(streamId, span, beyond)
      for (const object of page) {
        if (group.length > 0 && !group.some((other) => overlap(object, other))) {
          yield group
          group = []
        }
        group.push(object)
      }
      if (page.length < PAGE) break
      beyond = span.newestFirst ? page.at(-1)?.lastSeq : page.at(-1)?.firstSeq
    }
    if (group.length > 0) yield group
  }

  #page(streamId: string, span: Span, beyond: number | undefined): Promise<ArchivedObject[]> {
    const { from, to, fromAt, toAt, only, newestFirst } = span
    const conditions: (SQL | undefined)[] = [
      eq(archives.streamId, streamId),
      from === undefined ? undefined : gte(archives.lastSeq, from),
      to === undefined ? undefined : lte(archives.firstSeq, to),
      fromAt === undefined ? undefined : gte(archives.day, dayOf(fromAt)),
      toAt === undefined ? undefined : lte(archives.day, dayOf(toAt)),
      only === 'snapshots' ? sql`${archives.snapshotSeq} IS NOT NULL` : undefined,
      // What is removed goes from the oldest on, or by the day: then the first entry is gone.
      or(isGone(archives.firstSeq), isGone(archives.lastSeq)),
    ]
    if (beyond !== undefined) {
      conditions.push(
        newestFirst ? sql`${archives.lastSeq} < ${beyond}` : sql`${archives.firstSeq} > ${beyond}`,
      )
    }
    return this.#db
      .select()
      .from(archives)
      .where(and(...conditions))
      .orderBy(newestFirst ? desc(archives.lastSeq) : asc(archives.firstSeq))
      .limit(PAGE)
  }

  async #block(object: ArchivedObject, index: number): Promise<readonly Entry[]> {
    try {
      return await this.#cache.get(`${object.sha256}:${index}`, () => this.#readBlock(object, index))
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      const code = error.code === 'damaged' || error.code === 'missing' ? 'damaged' : 'unavailable'
      const what = `Entries ${object.firstSeq} to ${object.lastSeq} lie in the archive, which can't be read.`
      throw new Problem(code, `${what} ${error.message}`)
    }
  }

  async #readBlock(object: ArchivedObject, index: number) {
    if (this.#bucket === undefined) throw sentence('failed', 'The S3 settings are not set any more.')
    const { blocks, key, bytes } = object
    const { offset, firstSeq, lastSeq } = blocks[index] as ArchiveBlock
    const chunks: Uint8Array[] = []
    const range: [number, number] = [offset, blocks[index + 1]?.offset ?? bytes]
    for await (const chunk of this.#bucket.read(key, this.#closed.signal, range)) chunks.push(chunk)
    const entries = await attempt(async () => {
      const text = await unpackBlock(Buffer.concat(chunks))
      const lines = text.split('\n').slice(0, -1)
      return { entries: lines.map(lineEntry), bytes: text.length }
    })
    if (entries?.entries[0]?.seq !== firstSeq || entries.entries.at(-1)?.seq !== lastSeq) {
      throw sentence('damaged', `It is ${key}.`)
    }
    return entries
  }
}

/** That an entry of an object isn't in the database; asked of its day's partition alone. */
function isGone(seq: typeof archives.firstSeq | typeof archives.lastSeq): SQL {
  return sql`NOT EXISTS (SELECT FROM weir.entries AS kept
    WHERE kept.stream_id = ${archives.streamId} AND kept.seq = ${seq}
      AND kept.at >= ${archives.day}::timestamp AT TIME ZONE 'UTC'
      AND kept.at < (${archives.day} + 1)::timestamp AT TIME ZONE 'UTC')`
}

function overlap(a: ArchivedObject, b: ArchivedObject): boolean {
  return a.firstSeq <= b.lastSeq && b.firstSeq <= a.lastSeq
}

function mayHold(block: ArchiveBlock, { from, to, fromAt, toAt, only }: Span): boolean {
  if (only === 'versions' && block.versionSeq === undefined) return false
  if (only === 'snapshots' && block.snapshotSeq === undefined) return false
  return (
    (from === undefined || block.lastSeq >= from) &&
    (to === undefined || block.firstSeq <= to) &&
    (fromAt === undefined || block.lastAt >= fromAt) &&
    (toAt === undefined || block.firstAt <= toAt)
  )
}

function isIn({ seq, at }: Entry, { from, to, fromAt, toAt }: Span): boolean {
  return (
    (from === undefined || seq >= from) &&
    (to === undefined || seq <= to) &&
    (fromAt === undefined || at >= fromAt) &&
    (toAt === undefined || at <= toAt)
  )
}

async function attempt<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step()
  } catch {
    return undefined
  }
}
