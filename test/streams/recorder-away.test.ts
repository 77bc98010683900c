import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import type { Database } from '../../src/storage/storage.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import type { Draft, Entry } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { testBus } from '../support/bus.ts'
import { elapse, settle } from '../support/clock.ts'
import { newRun } from '../support/run.ts'

const EXPECTED = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
/** Small enough to share its statement with others. */
const LONG = 'x'.repeat(200_000)

type Kind = 'entries' | 'sums' | 'evidence'

let failures: number[]
let written: Kind[]
/** How statements of a kind fail; undefined: they don't. */
let fails: Partial<Record<Kind, () => Error>>
let runs: Run[]
let batches: (readonly Entry[])[]
let recorder: Recorder
let from: number
/** Streams that are in no answer: their runs were replaced. */
let replaced: Set<string>

beforeEach(() => {
  jest.useFakeTimers()
  from = Date.now()
  failures = []
  written = []
  fails = {}
  runs = []
  batches = []
  replaced = new Set()
  const bus = testBus()
  bus.subscribe('the test', { 'entries.stored': ({ entries = [] }) => void batches.push(entries) })
  recorder = new Recorder(database(), () => EXPECTED, bus, {
    failing() {
      failures.push(Date.now() - from)
      // No test gets this far with pauses; without any, nothing else would ever happen.
      if (failures.length > 1_000) throw new Error('The database is written to without a pause')
    },
  })
})

afterEach(async () => {
  fails = {}
  const closed = recorder.close()
  await elapse(10_000)
  await closed
  jest.useRealTimers()
})

/** A database that answers as for runs that are current, and fails as it is told. */
function database(): Database {
  const rows = async () => []
  return {
    execute: async (query: { queryChunks: unknown[] }) => {
      const kind = kindOf(query)
      const error = fails[kind]?.()
      if (error !== undefined) throw error
      written.push(kind)
      const current = runs.filter(({ stream }) => !replaced.has(stream.id))
      return { rows: current.map(({ stream, epoch }) => ({ stream_id: stream.id, epoch, runs: true })) }
    },
    select: () => ({ from: () => ({ where: rows }) }),
  } as unknown as Database
}

function kindOf(query: { queryChunks: unknown[] }): Kind {
  const text = Bun.inspect(query, { depth: 12 })
  if (text.includes('weir.entries')) return 'entries'
  return text.includes('weir.rollups') ? 'sums' : 'evidence'
}

function begin(): Run {
  const run = newRun()
  runs.push(run)
  return run
}
const event = (data = 'x'): Draft => ({ at: Date.now(), kind: 'event', wireBytes: 1, bodyBytes: 1, data })
const of = (kind: Kind) => written.filter((each) => each === kind).length
const away = () => new Error('the connection broke')

test('toward a database that is away it waits twice as long each time, up to five seconds', async () => {
  fails = { entries: away }
  recorder.append(begin(), event())
  await elapse(25)
  await elapse(17_750, 250)
  expect(failures).toEqual([25, 275, 775, 1_775, 3_775, 7_775, 12_775, 17_775])
  fails = {}
  await elapse(5_000)
  expect(batches.map((entries) => entries.length)).toEqual([1])
})

test('evidence whose write failed is written once the database is back', async () => {
  fails = { evidence: away }
  recorder.touch(begin(), true)
  await elapse(25)
  expect([failures.length, of('evidence')]).toEqual([1, 0])
  fails = {}
  await elapse(250)
  expect(of('evidence')).toBe(1)
})

test('evidence that people needn’t see at once is written every fifteen seconds', async () => {
  const run = begin()
  recorder.touch(run, false)
  await elapse(14_999)
  expect(of('evidence')).toBe(0)
  await elapse(1)
  await elapse(25)
  expect(of('evidence')).toBe(1)
  await elapse(60_000)
  expect(of('evidence')).toBe(1)
})

test('entries that come within a moment share a statement', async () => {
  const run = begin()
  recorder.append(run, event())
  await elapse(24)
  recorder.append(run, event())
  expect(batches).toEqual([])
  await elapse(1)
  expect(batches.map((entries) => entries.length)).toEqual([2])
})

test('a statement has at most a thousand entries, and four MiB beyond its first', async () => {
  fails = { entries: away }
  const run = begin()
  for (let count = 0; count < 1_500; count++) recorder.append(run, event())
  for (let count = 0; count < 30; count++) recorder.append(run, event(LONG))
  await settle()
  fails = {}
  await elapse(2_000, 25)
  expect(batches.map((entries) => entries.length)).toEqual([1_000, 520, 10])
})

test('what waits is bounded by its bytes, too; the rest is counted in a gap', async () => {
  fails = { entries: away }
  const run = begin()
  let appended = 0
  while (recorder.append(run, event(LONG))) appended++
  expect(appended).toBe(671)
  expect(recorder.append(run, event())).toBe(false)
  fails = {}
  await elapse(10_000, 50)
  recorder.append(run, event())
  await elapse(1_000, 50)
  const stored = batches.flat()
  expect(stored.slice(-2).map(({ kind }) => kind)).toEqual(['gap', 'event'])
  expect(JSON.parse(stored.at(-2)?.data ?? '')).toMatchObject({ reason: 'buffer_full', count: 2 })
  expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: 673 }, (_, index) => index + 1))
})

test('an entry that can’t be stored is searched for by halves; the others are stored', async () => {
  const run = begin()
  for (const data of ['a', 'b', 'bad', 'c']) recorder.append(run, event(data))
  const refusals: number[] = []
  let isSearched = true
  fails = {
    entries: () => {
      const isBad = isSearched && refusals.length < 3
      if (isBad) refusals.push(refusals.length)
      return (isBad ? Object.assign(new Error('out of range'), { code: '22003' }) : undefined) as never
    },
  }
  await elapse(25)
  isSearched = false
  await elapse(5_000)
  // Four, two and one were refused: the first alone became a gap.
  expect(refusals.length).toBe(3)
  expect(
    batches.flat().map(({ kind, data }) => [kind, kind === 'gap' ? JSON.parse(data ?? '').reason : data]),
  ).toEqual([
    ['gap', 'not_storable'],
    ['event', 'b'],
    ['event', 'bad'],
    ['event', 'c'],
  ])
  expect(failures).toEqual([])
})

test('a duplicate isn’t refused data: it is written again', async () => {
  let isFirst = true
  fails = {
    entries: () => {
      const error = isFirst ? Object.assign(new Error('duplicate key'), { code: '23505' }) : undefined
      isFirst = false
      return error as never
    },
  }
  recorder.append(begin(), event('a'))
  await elapse(25)
  expect(failures.length).toBe(1)
  await elapse(250)
  expect(batches.flat().map(({ kind, data }) => [kind, data])).toEqual([['event', 'a']])
})

test('entries of a replaced run are neither stored nor told, and it is fenced', async () => {
  const [old, good] = [begin(), begin()]
  replaced.add(old.stream.id)
  recorder.append(old, event())
  recorder.append(good, event())
  await elapse(25)
  expect(old.fenced.signal.aborted).toBe(true)
  expect(batches.flat().map(({ streamId }) => streamId)).toEqual([good.stream.id])
  expect(recorder.append(old, event())).toBe(false)
})

test('sums are written four times a second', async () => {
  recorder.append(begin(), event())
  await elapse(25)
  expect([of('entries'), of('sums')]).toEqual([1, 0])
  await elapse(224)
  expect(of('sums')).toBe(0)
  await elapse(1)
  await elapse(150)
  expect(of('sums')).toBe(1)
})

test('a run that ends waits until all is written, but no longer than three seconds', async () => {
  const run = begin()
  recorder.append(run, event())
  let isSettled = false
  void recorder.settle(run).then(() => {
    isSettled = true
  })
  await settle()
  expect([of('entries'), of('sums'), of('evidence'), isSettled]).toEqual([1, 1, 1, true])
  fails = { entries: away }
  recorder.append(run, event())
  isSettled = false
  void recorder.settle(run).then(() => {
    isSettled = true
  })
  await elapse(2_999)
  expect(isSettled).toBe(false)
  await elapse(1)
  expect(isSettled).toBe(true)
})

test('what a run dropped is told when it ends', async () => {
  const run = begin()
  run.dropped = { count: 7, from: from - 1_000, to: from }
  const settled = recorder.settle(run)
  await settle()
  await settled
  expect(JSON.parse(batches.flat()[0]?.data ?? '')).toMatchObject({ reason: 'buffer_full', count: 7 })
})

test('who waits for durability waits for what was appended until then', async () => {
  fails = { entries: away }
  const run = begin()
  recorder.append(run, event())
  let isDurable = false
  const leaving = new AbortController()
  void recorder.durable(leaving.signal).then(() => {
    isDurable = true
  })
  await elapse(100)
  expect(isDurable).toBe(false)
  fails = {}
  await elapse(250)
  expect(isDurable).toBe(true)
})

test('a closed recorder leaves no timer behind', async () => {
  recorder.append(begin(), event())
  const closed = recorder.close()
  await elapse(25)
  await closed
  expect([of('entries'), jest.getTimerCount()]).toEqual([1, 0])
})
