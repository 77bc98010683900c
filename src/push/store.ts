import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import { checkpoints, states, streams } from '../../drizzle/schema.ts'
import { type Evidence, judge } from '../core/judging/status.ts'
import { PUSHED_KINDS } from '../core/sets/stream-kinds.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { emptyDelta, tallied } from '../streams/measures/rollup-delta.ts'
import type { Entry } from '../streams/recording/entry.ts'
import { storeEntries, type ToStore } from '../streams/recording/store-entries.ts'
import { owedTallies, storeSums } from '../streams/recording/store-rollups.ts'
import { expectation, type JudgingLimits } from '../streams/status/expectation.ts'
import type { Delivery } from './delivery.ts'

/** A delivery with an ID that one of this many entries before it has is the same again. */
const SEEN_ENTRIES = 10_000

/** What became of a delivery: `seq` is its place in the log, or that of the one that it repeats. */
export type Stored = { seq: number; isNew: boolean } | 'stopped'

export interface StoredBatch {
  outcomes: Stored[]
  /** The new entries, in the order of each log. */
  entries: Entry[]
}

interface Context {
  tx: Database
  limits: JudgingLimits
  now: number
}

/**
 * Stores deliveries to any number of streams, with their place in the log, their rollups and the status they show. The
 * checkpoint's row is locked meanwhile, so that any number of processes may store entries of one stream: each numbers
 * them from where the last one ended, and sees what it stored.
 */
export function storeDeliveries(
  db: Database,
  batch: readonly Delivery[],
  limits: JudgingLimits,
  now: number,
): Promise<StoredBatch> {
  return transact(db, async (tx) => {
    const context = { tx, limits, now }
    const held = await hold(tx, [...new Set(batch.map(({ streamId }) => streamId))])
    const seen = await seenBefore(tx, batch, held)
    const { outcomes, added } = number(batch, held, seen)
    if (added.length > 0) await store(context, added, held)
    return { outcomes, entries: added.map(({ entry }) => entry) }
  })
}

type Held = Map<string, { stream: Stream; checkpoint: typeof checkpoints.$inferSelect }>

/** The streams that take deliveries. In the order of their IDs, so that two batches never wait for each other. */
async function hold(tx: Database, ids: readonly string[]): Promise<Held> {
  const locked = await tx
    .select()
    .from(checkpoints)
    .where(inArray(checkpoints.streamId, [...ids]))
    .orderBy(asc(checkpoints.streamId))
    .for('update')
  const taking = await tx
    .select()
    .from(streams)
    .where(
      and(inArray(streams.id, [...ids]), inArray(streams.kind, PUSHED_KINDS), eq(streams.desired, 'running')),
    )
  const byId = new Map(taking.map((stream) => [stream.id, stream]))
  return new Map(
    locked.flatMap((checkpoint) => {
      const stream = byId.get(checkpoint.streamId)
      return stream === undefined ? [] : [[stream.id, { stream, checkpoint }] as const]
    }),
  )
}

function keyOf(streamId: string, id: string): string {
  return `${streamId} ${id}`
}

/** The places of deliveries that the last entries of their logs have already. */
async function seenBefore(
  tx: Database,
  batch: readonly Delivery[],
  held: Held,
): Promise<Map<string, number>> {
  const asked = batch.flatMap(({ streamId, id }) => {
    const seq = held.get(streamId)?.checkpoint.seq
    return id === undefined || seq === undefined
      ? []
      : [{ stream_id: streamId, id, after: seq - SEEN_ENTRIES }]
  })
  if (asked.length === 0) return new Map()
  const { rows } = (await tx.execute(sql`
    SELECT entry.stream_id, entry.event_id, max(entry.seq)::float8 AS seq
    FROM json_to_recordset(${JSON.stringify(asked)}::json) AS row(stream_id uuid, id text, after bigint)
    JOIN weir.entries AS entry
      ON entry.stream_id = row.stream_id AND entry.seq > row.after AND entry.event_id = row.id
    GROUP BY 1, 2`)) as { rows: { stream_id: string; event_id: string; seq: number }[] }
  return new Map(rows.map(({ stream_id, event_id, seq }) => [keyOf(stream_id, event_id), seq]))
}

/** @param seen gets the IDs of this batch as well */
function number(batch: readonly Delivery[], held: Held, seen: Map<string, number>) {
  const added: ToStore[] = []
  const outcomes = batch.map((delivery): Stored => {
    const known = held.get(delivery.streamId)
    if (known === undefined) return 'stopped'
    const key = delivery.id === undefined ? undefined : keyOf(delivery.streamId, delivery.id)
    const before = key === undefined ? undefined : seen.get(key)
    if (before !== undefined) return { seq: before, isNew: false }
    known.checkpoint = { ...known.checkpoint, seq: known.checkpoint.seq + 1 }
    added.push(entryOf(delivery, known.checkpoint))
    const { seq } = known.checkpoint
    if (key !== undefined) seen.set(key, seq)
    return { seq, isNew: true }
  })
  return { outcomes, added }
}

function entryOf(delivery: Delivery, checkpoint: typeof checkpoints.$inferSelect): ToStore {
  const { streamId, id, event, text, bytes, at } = delivery
  const { seq, epoch } = checkpoint
  const entry: Entry = {
    ...{ streamId, seq, epoch, at, kind: 'event', wireBytes: bytes, bodyBytes: bytes, data: text },
    ...(id !== undefined && { eventId: id }),
    ...(event !== undefined && { event }),
  }
  // What a stream was before stays: its document, if it had one.
  const { snapshotSeq, bodyHash, plainBytes, gzipBytes, lastEventId, etag, lastModified } = checkpoint
  const rest = { snapshotSeq, bodyHash, plainBytes, gzipBytes, lastEventId, etag, lastModified }
  const known = Object.entries(rest).filter(([, value]) => value !== null)
  return { entry, checkpoint: { seq, ...Object.fromEntries(known) } }
}

async function store(context: Context, added: readonly ToStore[], held: Held): Promise<void> {
  const { tx } = context
  await storeEntries(tx, added)
  const byStream = Map.groupBy(
    added.map(({ entry }) => entry),
    ({ streamId }) => streamId,
  )
  const evidence = await evidenceOf(tx, [...byStream.keys()])
  await sumUp(tx, byStream, held, evidence)
  await judgeAgain(context, byStream, held, evidence)
}

async function evidenceOf(tx: Database, ids: readonly string[]) {
  const rows = await tx
    .select()
    .from(states)
    .where(inArray(states.streamId, [...ids]))
    .orderBy(asc(states.streamId))
    .for('update')
  return new Map(rows.map((row) => [row.streamId, row]))
}

type States = Awaited<ReturnType<typeof evidenceOf>>

async function sumUp(tx: Database, byStream: Map<string, Entry[]>, held: Held, known: States): Promise<void> {
  // Of a stream that was followed before, entries may be left to roll up: they are read back with these.
  const behind = [...byStream].filter(
    ([id, [first]]) => held.get(id)?.checkpoint.summedSeq !== (first?.seq ?? 0) - 1,
  )
  const readBack = await owedTallies(
    tx,
    behind.flatMap(([id]) => held.get(id)?.checkpoint ?? []),
  )
  const owed = [...byStream].map(([streamId, entries]) => {
    const { epoch = 0, summedSeq = 0 } = held.get(streamId)?.checkpoint ?? {}
    const lastAt = (known.get(streamId)?.evidence as Evidence | undefined)?.lastEventAt
    const tally = readBack.get(streamId) ?? tallied(emptyDelta(summedSeq, lastAt), entries)
    return { streamId, epoch, tally }
  })
  await storeSums(tx, owed)
}

/** A delivery shows that its stream is alive: everybody sees that at once. */
async function judgeAgain(
  { tx, limits, now }: Context,
  byStream: Map<string, Entry[]>,
  held: Held,
  known: States,
): Promise<void> {
  const rows = [...byStream].flatMap(([streamId, entries]) => {
    const [state, stream] = [known.get(streamId), held.get(streamId)?.stream]
    if (state === undefined || stream === undefined) return []
    const at = Math.max(...entries.map((entry) => entry.at))
    const evidence: Evidence = {
      ...(state.evidence as Evidence),
      ...{ phase: 'open', failures: 0, lastByteAt: at, lastEventAt: at, writtenAt: now },
    }
    const judged = judge(evidence, expectation(stream, limits, null), now)
    const since = judged.status === state.status ? state.statusSince : new Date(judged.since ?? now)
    return [{ stream_id: streamId, evidence, ...judged, since: since.toISOString() }]
  })
  await tx.execute(sql`
    UPDATE weir.states AS state
    SET evidence = row.evidence, verdict = row.status, verdict_reason = row.reason, verdict_since = row.since
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS row(stream_id uuid, evidence jsonb, status text, reason text, since timestamptz)
    WHERE state.stream_id = row.stream_id`)
}
