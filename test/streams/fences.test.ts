import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import type { Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { type RollupDelta, tallied } from '../../src/streams/measures/rollup-delta.ts'
import { RollupWriter } from '../../src/streams/measures/rollup-writer.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { type Proven, storeEvidence } from '../../src/streams/recording/store-evidence.ts'
import { owedTallies, storeSums } from '../../src/streams/recording/store-rollups.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { interrupted, testStorage } from '../support/storage.ts'

const own = testStorage()
const MINUTE = Date.UTC(2026, 0, 5, 12, 30)
const EXPECTED = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const

const storeOf = (worker: string, bus = testBus(), db = own.db) =>
  runStore(db, worker, bus, new LargeDocuments())
const begin = async (streamId: string, worker = 'a') =>
  (await storeOf(worker).begin({ streamId, attempt: 1, takeOver: true })) as Run
const checkpointOf = async (id: string) =>
  (await own.rows<Record<string, unknown>>(sql`SELECT * FROM weir.checkpoints WHERE stream_id = ${id}`))[0] ??
  {}
const stateOf = async (id: string) =>
  (await own.rows<Record<string, unknown>>(sql`SELECT * FROM weir.states WHERE stream_id = ${id}`))[0] ?? {}
const seqsOf = async (id: string) =>
  (
    await own.rows<{ seq: number }>(
      sql`SELECT seq::int FROM weir.entries WHERE stream_id = ${id} ORDER BY seq`,
    )
  ).map(({ seq }) => seq)
const entryOf = (run: Run, seq: number, more: Partial<Entry> = {}): Entry => ({
  ...{ streamId: run.stream.id, epoch: run.epoch, seq, at: MINUTE, kind: 'event' },
  ...{ wireBytes: 5, bodyBytes: 3, data: `${seq}` },
  ...more,
})
const store = (run: Run, ...seqs: number[]) =>
  storeEntries(
    own.db,
    seqs.map((seq) => ({ entry: entryOf(run, seq), checkpoint: { seq, lastEventId: `e${run.epoch}` } })),
  )

test('a replaced run moves neither the log nor the checkpoint', async () => {
  const { id } = await own.stream()
  const first = await begin(id)
  const second = await begin(id, 'b')
  expect(await store(second, 1)).toEqual(new Map([[id, second.epoch]]))
  expect(await store(first, 1, 2, 3)).toEqual(new Map())
  expect(await seqsOf(id)).toEqual([1])
  expect(await checkpointOf(id)).toMatchObject({ epoch: 2, last_event_id: 'e2' })
  expect(Number((await checkpointOf(id)).seq)).toBe(1)
})

test('in a batch of several streams, only those of replaced runs are refused', async () => {
  const [a, b] = await Promise.all([own.stream(), own.stream()])
  const [old, good] = [await begin(a.id), await begin(b.id)]
  await begin(a.id, 'b')
  const batch = [old, good].map((run) => ({ entry: entryOf(run, 1), checkpoint: { seq: 1 } }))
  expect(await storeEntries(own.db, batch)).toEqual(new Map([[b.id, 1]]))
  expect([await seqsOf(a.id), await seqsOf(b.id)]).toEqual([[], [1]])
})

test('a checkpoint is that of the last entry of its batch, with every field', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const checkpoint = {
    ...{ seq: 2, snapshotSeq: 2, bodyHash: 'h', plainBytes: 20, gzipBytes: 10 },
    ...{ lastEventId: 'e', etag: '"t"', lastModified: 'm' },
  }
  await storeEntries(own.db, [
    { entry: entryOf(run, 1), checkpoint: { seq: 1, etag: 'old' } },
    { entry: entryOf(run, 2), checkpoint },
  ])
  expect((await begin(id)).checkpoint).toMatchObject({
    seq: 2,
    lastEventId: 'e',
    plainBytes: 20,
    gzipBytes: 10,
  })
  expect(await checkpointOf(id)).toMatchObject({ body_hash: 'h', etag: '"t"', last_modified: 'm' })
})

test('entries that may be stored already are skipped, and only then', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await store(run, 1)
  const batch = [1, 2].map((seq) => ({ entry: entryOf(run, seq), checkpoint: { seq } }))
  expect(storeEntries(own.db, batch)).rejects.toThrow()
  await storeEntries(own.db, batch, true)
  expect(await seqsOf(id)).toEqual([1, 2])
})

test.each([100, 5_000, 300_000])('content of %i characters is stored once a day', async (length) => {
  const { id } = await own.stream()
  const run = await begin(id)
  const data = `${length}`.padEnd(length, 'x')
  const days = [MINUTE, MINUTE, MINUTE + 86_400_000]
  for (const [index, at] of days.entries()) {
    const entry = entryOf(run, index + 1, { data, at })
    await storeEntries(own.db, [{ entry, checkpoint: { seq: index + 1 } }])
  }
  const bodies = await own.rows(sql`SELECT day FROM weir.bodies WHERE data = ${data}`)
  expect(bodies).toHaveLength(length < 2_048 ? 0 : 2)
})

test('the end of a replaced run leaves the stream to its successor', async () => {
  const { id } = await own.stream()
  const first = await begin(id, 'a')
  await begin(id, 'b')
  await storeOf('a').end({ run: first, reason: 'released' })
  expect(await stateOf(id)).toMatchObject({ worker: 'b', epoch: 2 })
  const runs = await own.rows(sql`SELECT epoch, end_reason FROM weir.runs WHERE stream_id = ${id} ORDER BY 1`)
  expect(runs).toEqual([
    { epoch: 1, end_reason: 'released' },
    { epoch: 2, end_reason: null },
  ])
})

test('the end of the current run frees its stream', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await storeOf('a').end({ run, reason: 'changed' })
  expect((await stateOf(id)).worker).toBeNull()
})

test.each([
  ['another worker', false, undefined],
  ['another worker', true, 2],
  ['this worker', false, 2],
  ['no worker', false, 2],
])('a stream of %s: taking it over is %p, and its next run is %p', async (holder, takeOver, epoch) => {
  const { id } = await own.stream()
  const first = await begin(id, holder === 'another worker' ? 'other' : 'this')
  if (holder === 'no worker') await storeOf('this').end({ run: first, reason: 'released' })
  const run = await storeOf('this').begin({ streamId: id, attempt: 1, takeOver })
  expect(run?.epoch).toBe(epoch as number)
})

test.each(['stopped', 'idle'] as const)('a stream that is %s gets no run', async (desired) => {
  const { id } = await own.stream({ desired })
  expect(await storeOf('a').begin({ streamId: id, attempt: 1, takeOver: true })).toBeUndefined()
  expect(await checkpointOf(id)).toMatchObject({ epoch: 0 })
})

test('the others are told of a run that started, with its epoch', async () => {
  const { id } = await own.stream()
  const bus = testBus()
  const started = heardOn(bus, 'run.started')
  await begin(id)
  await storeOf('b', bus).begin({ streamId: id, attempt: 1, takeOver: true })
  expect(started).toEqual([{ type: 'run.started', runs: [[id, 2]] }])
})

test('without its document a run asks for all of it again', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const checkpoint = { seq: 1, snapshotSeq: 1, bodyHash: 'h', etag: '"t"', lastModified: 'm' }
  const entry = entryOf(run, 1, { kind: 'snapshot', data: '{"a":1}', hash: 'h' })
  await storeEntries(own.db, [{ entry, checkpoint }])
  const { checkpoint: kept } = await begin(id)
  expect([kept.bodyHash, kept.etag, kept.lastModified]).toEqual(['h', '"t"', 'm'])
  await own.db.execute(sql`DELETE FROM weir.entries WHERE stream_id = ${id}`)
  const { checkpoint: lost, followed } = await begin(id)
  expect([followed, lost.bodyHash, lost.etag, lost.lastModified]).toEqual(Array(4).fill(undefined))
})

test('runs that were replaced are fenced, and those of changed streams reported; tags don’t count', async () => {
  const all = await Promise.all(Array.from({ length: 5 }, () => own.stream()))
  const [same, replaced, tagged, changed, stopped] = all.map(({ id }) => id)
  const runs = await Promise.all(all.map(({ id }) => begin(id)))
  await begin(`${replaced}`, 'b')
  await own.db.execute(sql`UPDATE weir.streams SET tags = '{t}', updated_at = now() WHERE id = ${tagged}`)
  await own.db.execute(sql`UPDATE weir.streams SET interval_ms = 7 WHERE id = ${changed}`)
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'stopped' WHERE id = ${stopped}`)
  const outdated = await storeOf('a').outdated(runs)
  expect(outdated.map(({ stream }) => stream.id)).toEqual([`${changed}`, `${stopped}`])
  const fenced = runs.filter((run) => run.fenced.signal.aborted).map(({ stream }) => stream.id)
  expect(fenced).toEqual([`${replaced}`])
  expect(outdated.map(({ stream }) => stream.id)).not.toContain(`${same}`)
})

test('evidence of a replaced run isn’t written, and it is fenced', async () => {
  const { id } = await own.stream()
  const first = await begin(id)
  const second = await begin(id, 'b')
  second.evidence.lastEventAt = 7
  await storeEvidence(own.db, [second], () => EXPECTED, new Map())
  first.evidence.lastEventAt = 3
  expect(await storeEvidence(own.db, [first], () => EXPECTED, new Map())).toEqual([])
  expect(first.fenced.signal.aborted).toBe(true)
  expect((await stateOf(id)).evidence).toMatchObject({ lastEventAt: 7 })
})

test('evidence claims no byte that is not in the log yet', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  run.evidence.lastByteAt = MINUTE
  const claimed = async (provenByLog: Map<Run, Proven>) => {
    await storeEvidence(own.db, [run], () => EXPECTED, provenByLog)
    return ((await stateOf(id)).evidence as { lastByteAt: number }).lastByteAt
  }
  expect(await claimed(new Map())).toBe(MINUTE)
  expect(await claimed(new Map([[run, { lastByteAt: MINUTE - 40_000 }]]))).toBe(MINUTE - 40_000)
  expect(await claimed(new Map())).toBe(MINUTE)
  // The run itself knows better.
  expect(run.evidence.lastByteAt).toBe(MINUTE)
})

test('a run whose stream was stopped is reported, once, and the status stays stopped', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'stopped' WHERE id = ${id}`)
  await own.db.execute(sql`UPDATE weir.states SET verdict = 'stopped' WHERE stream_id = ${id}`)
  expect(await storeEvidence(own.db, [run], () => EXPECTED, new Map())).toEqual([run])
  expect(run.fenced.signal.aborted).toBe(false)
  expect(await stateOf(id)).toMatchObject({ verdict: 'stopped' })
})

const tallyOf = (run: Run, after: number, ...seqs: number[]): RollupDelta =>
  tallied(
    { after, upTo: after, minutes: new Map() },
    seqs.map((seq) => entryOf(run, seq)),
  )
const sumsOf = async (id: string) => {
  const [row] = await own.rows<{ n: number }>(
    sql`SELECT coalesce(sum(entries), 0)::int AS n FROM weir.rollups WHERE stream_id = ${id}`,
  )
  return [row?.n, Number((await checkpointOf(id)).summed_seq)]
}

test('sums that are written twice count once', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const owed = [{ streamId: id, epoch: run.epoch, tally: tallyOf(run, 0, 1, 2, 3) }]
  expect(await storeSums(own.db, owed)).toEqual(new Set([id]))
  expect(await storeSums(own.db, owed)).toEqual(new Set())
  expect(await sumsOf(id)).toEqual([3, 3])
  await storeSums(own.db, [{ ...owed[0], streamId: id, epoch: run.epoch, tally: tallyOf(run, 3, 4) }])
  expect(await sumsOf(id)).toEqual([4, 4])
})

test('sums of a replaced run aren’t written', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await begin(id, 'b')
  const owed = [{ streamId: id, epoch: run.epoch, tally: tallyOf(run, 0, 1) }]
  expect(await storeSums(own.db, owed)).toEqual(new Set())
  expect(await sumsOf(id)).toEqual([0, 0])
})

test('sums lock their streams in one order, whatever the order they come in', async () => {
  // The larger one is stored first, so that no plan finds the smaller one first by chance.
  const ids = ['f1000000-0000-7000-8000-000000000002', 'f1000000-0000-7000-8000-000000000001']
  for (const id of ids) await own.stream({ id })
  const runs = await Promise.all(ids.map((id) => begin(id)))
  const owed = runs.map((run) => ({ streamId: run.stream.id, epoch: run.epoch, tally: tallyOf(run, 0, 1) }))
  const other = await own.session()
  const lock = 'SELECT FROM weir.checkpoints WHERE stream_id = $1 FOR UPDATE'
  await other.run('BEGIN')
  await other.run(lock, [ids[1]])
  const stored = storeSums(own.db, owed)
  await other.isWaitedFor()
  await other.run(`${lock} NOWAIT`, [ids[0]])
  await other.run('COMMIT')
  expect(await stored).toEqual(new Set(ids))
  other.end()
})

test('two writes of the same sums at the same time count once', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const other = await own.session()
  await other.run('BEGIN')
  await other.run('UPDATE weir.checkpoints SET summed_seq = 1 WHERE stream_id = $1', [id])
  const stored = storeSums(own.db, [{ streamId: id, epoch: run.epoch, tally: tallyOf(run, 0, 1) }])
  await other.isWaitedFor()
  await other.run('COMMIT')
  other.end()
  expect(await stored).toEqual(new Set())
  expect(await sumsOf(id)).toEqual([0, 1])
})

test('what came after sums whose answer was lost is counted, too', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await store(run, 1, 2)
  const writer = new RollupWriter()
  const losing = new Proxy(own.db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'execute') return typeof value === 'function' ? value.bind(target) : value
      return async (query: Parameters<typeof target.execute>[0]) => {
        await target.execute(query)
        throw new Error('the answer is lost')
      }
    },
  })
  writer.stored(run, [entryOf(run, 1)])
  expect(await writer.write(losing).catch(({ message }: Error) => message)).toBe('the answer is lost')
  writer.stored(run, [entryOf(run, 2)])
  await writer.write(own.db)
  await writer.write(own.db)
  expect(await sumsOf(id)).toEqual([2, 2])
})

test('entries that aren’t summed up are read back, each once, up to the checkpoint', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  await store(run, 1, 2, 3, 4, 5)
  const owed = async (summedSeq: number) => {
    const tally = (await owedTallies(own.db, [{ streamId: id, seq: 5, summedSeq }])).get(id)
    return [tally?.after, tally?.upTo, [...(tally?.minutes.values() ?? [])].map(({ entries }) => entries)]
  }
  expect(await owed(0)).toEqual([0, 5, [5]])
  expect(await owed(2)).toEqual([2, 5, [3]])
  expect(await owed(5)).toEqual([5, 5, []])
  await own.db.execute(sql`UPDATE weir.checkpoints SET seq = 4 WHERE stream_id = ${id}`)
  expect(await owed(2)).toEqual([2, 4, [2]])
})

test('entries dated a day before the last sums are read back, and earlier ones not', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const ages = [0, 23, 25]
  const batch = ages.map((hours, index) => ({
    entry: entryOf(run, index + 1, { at: MINUTE - hours * 3_600_000 }),
    checkpoint: { seq: index + 1 },
  }))
  await storeEntries(own.db, batch)
  await own.db.execute(
    sql`UPDATE weir.checkpoints SET summed_minute = ${new Date(MINUTE).toISOString()}::timestamptz WHERE stream_id = ${id}`,
  )
  const tally = (await owedTallies(own.db, [{ streamId: id, seq: 3, summedSeq: 0 }])).get(id)
  expect(tally?.minutes.size).toBe(2)
})

test('a run that was replaced while it began is none', async () => {
  const { id } = await own.stream()
  let other: Run | undefined
  // Another one begins between the two statements of this one.
  const db = new Proxy(own.db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'execute') return typeof value === 'function' ? value.bind(target) : value
      return async (query: Parameters<typeof target.execute>[0]) => {
        const result = await target.execute(query)
        other ??= await begin(id, 'b')
        return result
      }
    },
  })
  expect(
    await storeOf('a', testBus(), db).begin({ streamId: id, attempt: 1, takeOver: true }),
  ).toBeUndefined()
  expect(other?.epoch).toBe(2)
})

test('evidence that meets a new run on its way is refused', async () => {
  const { id } = await own.stream()
  const run = await begin(id)
  const db = interrupted(own.db, () => begin(id, 'b'))
  run.evidence.lastEventAt = 3
  await storeEvidence(db, [run], () => EXPECTED, new Map())
  expect((await stateOf(id)).evidence).not.toHaveProperty('lastEventAt')
  expect(run.fenced.signal.aborted).toBe(true)
})
