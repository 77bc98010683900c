import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import type { Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { polledSumsOf } from '../../src/streams/measures/measures.ts'
import { emptyDelta, type Summed, tallied } from '../../src/streams/measures/rollup-delta.ts'
import { RollupWriter } from '../../src/streams/measures/rollup-writer.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { testBus } from '../support/bus.ts'
import { testStorage } from '../support/storage.ts'

const own = testStorage()
const START = Date.UTC(2026, 0, 5, 12, 30)
const REQUEST = { method: 'GET', url: 'http://a.test/', headers: {} }

/** A poll, an error or a gap at that time. */
const at = (seq: number, afterMs: number, kind: Entry['kind'] = 'exchange', durationMs?: number): Entry => ({
  ...{ streamId: '', epoch: 1, seq, at: START + afterMs, kind, wireBytes: 5, bodyBytes: 5, headBytes: 100 },
  ...(kind === 'exchange' && { changed: false }),
  ...(durationMs !== undefined && {
    exchange: { request: REQUEST, response: { status: 200, headers: {}, firstByteMs: 1, durationMs } },
  }),
})
const heldMs = (entries: readonly Summed[], lastAt?: number) =>
  [...tallied(emptyDelta(0, lastAt), entries).minutes.values()].map(({ held_ms }) => held_ms)

test.each<[string, entries: Entry[], heldMs: number[]]>([
  [
    'polls of a slow API: the time between them, not an interval each',
    [at(1, 900, 'exchange', 900), at(2, 1_900), at(3, 2_900)],
    [2_900],
  ],
  [
    'a failure that delays the next poll',
    [at(1, 0, 'exchange', 0), at(2, 1_000, 'error'), at(3, 9_000)],
    [9_000],
  ],
  [
    'time in which nothing was polled, which isn’t held',
    [at(1, 0, 'exchange', 0), at(2, 50_000, 'gap'), at(3, 51_000)],
    [1_000],
  ],
  [
    'polls longer apart than a minute, in the minute of each',
    [at(1, 0, 'exchange', 0), at(2, 3_600_000)],
    [0, 3_600_000],
  ],
  ['a clock that is set back', [at(1, 5_000, 'exchange', 0), at(2, 1_000), at(3, 2_000)], [1_000]],
])('a stream is held for %s', (_what, entries, expected) => {
  expect(heldMs(entries)).toEqual(expected)
})

test('a row that is written in parts is held as long as one', () => {
  const entries = [at(1, 0, 'exchange', 0), at(2, 1_000), at(3, 3_000)]
  const first = tallied(emptyDelta(0), entries.slice(0, 2))
  expect(heldMs(entries.slice(2), first.lastAt)).toEqual([2_000])
})

const begin = async (streamId: string) =>
  (await runStore(own.db, 'a', testBus(), new LargeDocuments()).begin({
    ...{ streamId, attempt: 1, takeOver: true },
  })) as Run
const store = (entries: readonly Entry[]) =>
  storeEntries(
    own.db,
    entries.map((entry) => ({ entry, checkpoint: { seq: entry.seq } })),
  )
const heldOf = async (id: string) => {
  const [row] = await own.rows<{ held: number }>(
    sql`SELECT sum(held_ms)::int AS held FROM weir.rollups WHERE stream_id = ${id}`,
  )
  return row?.held
}

test('what a killed worker leaves is held as long as what a living one writes', async () => {
  const [living, killed] = await Promise.all([own.stream(), own.stream()])
  const entriesOf = (run: Run) =>
    [at(1, 500, 'exchange', 500), at(2, 1_500), at(3, 2_500), at(4, 62_500)].map((entry) => ({
      ...entry,
      ...{ streamId: run.stream.id, epoch: run.epoch },
    }))
  for (const { id } of [living, killed]) {
    const run = await begin(id)
    const entries = entriesOf(run)
    const writer = new RollupWriter()
    await store(entries)
    writer.stored(run, entries.slice(0, 2))
    await writer.write(own.db)
    if (id === killed.id) continue
    writer.stored(run, entries.slice(2))
    await writer.write(own.db)
  }
  const next = await begin(killed.id)
  const writer = new RollupWriter()
  writer.stored(next, [])
  await writer.write(own.db)
  expect(await heldOf(living.id)).toBe(62_500)
  expect(await heldOf(killed.id)).toBe(62_500)
})

test('a run goes on from the last poll of the one before', async () => {
  const { id } = await own.stream()
  await own.db.execute(
    sql`UPDATE weir.states SET evidence = evidence || ${JSON.stringify({ lastPollAt: START })}::jsonb WHERE stream_id = ${id}`,
  )
  const run = await begin(id)
  expect(heldMs([at(1, 800)], run.unsummed.lastAt)).toEqual([800])
})

test('the time that was held is the time connected, whatever the interval is now', async () => {
  const { id } = await own.stream()
  await own.db.execute(sql`UPDATE weir.streams SET kind = 'poll', interval_ms = 500 WHERE id = ${id}`)
  await own.db.execute(sql`INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, polls, errors, head_bytes, held_ms)
    VALUES (${id}, ${new Date(START).toISOString()}::timestamptz, 1, 9, 1, 8, 100, 3600000)`)
  const window = { from: new Date(START), to: new Date(START + 60_000) }
  expect((await polledSumsOf(own.db, { streamId: id }, window)).connectedMs).toBe(3_600_000)
  // The fleet's sums are added up by triggers.
  expect((await polledSumsOf(own.db, 'fleet', window)).connectedMs).toBe(3_600_000)
})
