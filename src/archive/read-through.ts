import type { ReadVersions, Version, VersionQuery } from '../streams/documents/versions.ts'
import type { LogQuery } from '../streams/log/logs.ts'
import { type Entry, isKeyframe } from '../streams/recording/entry.ts'
import { mergeBySeq } from './merge.ts'
import type { Archived, Span } from './reader.ts'

/**
 * Adds to a page of the log what lies in the archive.
 * @param kept what the database has of it, in the order of the query: oldest first after a number, else newest first
 * @throws Problem when something of it is in the archive, and that can't be read
 */
export async function withArchived(
  archived: Archived,
  streamId: string,
  query: LogQuery,
  kept: readonly Entry[],
): Promise<Entry[]> {
  const { kinds, from, to, after, before, limit } = query
  const span: Span = {
    from: after === undefined ? undefined : after + 1,
    to: before === undefined ? undefined : before - 1,
    fromAt: from?.getTime(),
    toAt: to === undefined ? undefined : to.getTime() - 1,
    only: kinds?.every((kind) => kind === 'snapshot' || kind === 'patch') ? 'versions' : undefined,
    newestFirst: after === undefined,
  }
  const isWanted = ({ kind }: Entry) => kinds?.includes(kind) ?? true
  const others = which(archived.entries(streamId, within(span, kept, limit)), isWanted)
  return firstOf(mergeBySeq(each(kept), others, span.newestFirst), limit)
}

/** Versions from the database and the archive. Where both have one, that of the database counts: it may be a base. */
export function versionsWith(read: ReadVersions, archived: Archived): ReadVersions {
  return async (streamId, query) => {
    const kept = await read(streamId, query)
    const { from, to, until, only, newestFirst, limit, maxDataBytes } = query
    const span: Span = {
      from,
      to,
      toAt: until?.getTime(),
      only: only === 'snapshots' ? 'snapshots' : 'versions',
      newestFirst,
    }
    const isWanted = (entry: Entry) => isVersion(entry, only)
    const others = which(archived.entries(streamId, within(span, kept, limit)), isWanted)
    const versions = map(others, (entry) => toVersion(entry, maxDataBytes))
    return firstOf(mergeBySeq(each(kept), versions, newestFirst), limit)
  }
}

/** What of a span may still be missing: a full page leaves nothing beyond its last line. */
function within(span: Span, kept: readonly { seq: number }[], limit: number): Span {
  const last = kept.at(-1)?.seq
  if (last === undefined || kept.length < limit) return span
  return span.newestFirst ? { ...span, from: last } : { ...span, to: last }
}

function isVersion(entry: Entry, only: VersionQuery['only']): boolean {
  if (entry.kind !== 'snapshot' && entry.kind !== 'patch') return false
  if (only === 'snapshots') return entry.kind === 'snapshot'
  return only === undefined || !isKeyframe(entry)
}

function toVersion(entry: Entry, maxDataBytes = Number.POSITIVE_INFINITY): Version {
  const { seq, at, kind, changed, hash = '', patchBytes, snapshotBytes, data } = entry
  const isShown = data !== undefined && maxDataBytes > 0 && Buffer.byteLength(data) <= maxDataBytes
  return {
    seq,
    at: new Date(at),
    kind: kind as Version['kind'],
    changed,
    hash,
    patchBytes,
    snapshotBytes,
    data: isShown ? data : undefined,
  }
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

async function* which<T>(items: AsyncIterable<T>, isWanted: (item: T) => boolean): AsyncGenerator<T> {
  for await (const item of items) if (isWanted(item)) yield item
}

async function* map<T, U>(items: AsyncIterable<T>, to: (item: T) => U): AsyncGenerator<U> {
  for await (const item of items) yield to(item)
}

/** As many as are asked for; the rest isn't read. */
async function firstOf<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const first: T[] = []
  if (limit <= 0) return first
  for await (const item of items) if (first.push(item) >= limit) break
  return first
}
