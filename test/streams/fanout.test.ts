import { afterAll, beforeAll, expect, jest, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entries } from '../../drizzle/schema.ts'
import { parseConfig } from '../../src/config/config.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Fanout } from '../../src/streams/recording/fanout.ts'
import { entriesTopic } from '../../src/topics.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'weir-fanout-'))
let storage: Storage

beforeAll(async () => {
  storage = await openStorage(parseConfig({ DATA_DIR: dataDir }))
})

afterAll(async () => {
  await storage.close()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A fan-out with one subscriber of a stream, who has its entries up to a number. */
function watched(known: number) {
  const hub = new Hub()
  const seen: number[] = []
  const warnings: string[] = []
  const bus = testBus()
  const fanout = new Fanout({
    db: storage.db,
    hub,
    bus,
    pages: { follows: () => false },
    proxy: { follows: () => false, stored: ({ seq }) => void seen.push(seq) },
    warn: (message) => void warnings.push(message),
  })
  const id = Bun.randomUUIDv7()
  const leaving = new AbortController()
  hub.subscribe(entriesTopic(id), { signal: leaving.signal, after: known })
  bus.publish({ type: 'stream.watched', streamId: id, seq: known })
  const entry = (seq: number) =>
    ({ streamId: id, seq, at: Date.now(), epoch: 1, kind: 'event', wireBytes: 1, bodyBytes: 1 }) as const
  const store = (...seqs: number[]) =>
    storage.db.insert(entries).values(seqs.map((seq) => ({ ...entry(seq), at: new Date() })))
  const close = () => {
    fanout.close()
    hub.close()
  }
  /** Somebody else comes in place of the subscriber, who has left. */
  const replaceBy = (known: number) => {
    hub.subscribe(entriesTopic(id), { signal: new AbortController().signal, after: known })
    bus.publish({ type: 'stream.watched', streamId: id, seq: known })
  }
  return { bus, id, seen, warnings, entry, store, close, leave: () => leaving.abort(), replaceBy }
}

test('entries of another process in between come first, and everything once', async () => {
  const { bus, seen, warnings, entry, store, close } = watched(10)
  await store(11, 12, 13)
  bus.publish({ type: 'entries.stored', entries: [entry(13)] })
  await until('all have come', () => seen.length === 3)
  bus.publish({ type: 'entries.stored', entries: [entry(14)] })
  expect(seen).toEqual([11, 12, 13, 14])
  expect(warnings).toEqual([])
  close()
})

test('dropped entries aren’t waited for', async () => {
  const { bus, id, seen, store, close } = watched(10)
  await store(101, 102)
  bus.publish({ type: 'entries.stored', spans: [[id, 101, 102]] }, 'elsewhere')
  await until('what there is has come', () => seen.length === 2)
  expect(seen).toEqual([101, 102])
  close()
})

test('entries of others are read where somebody watches, and told to the pages that show them', async () => {
  const { bus, id, store, close } = watched(10)
  const read = heardOn(bus, 'entries.read')
  await store(11, 12)
  bus.publish({ type: 'entries.stored', spans: [[Bun.randomUUIDv7(), 1, 9]] }, 'elsewhere')
  bus.publish({ type: 'entries.stored', spans: [[id, 12, 12]] }, 'elsewhere')
  await until('they were read', () => read.length > 0)
  expect(read).toMatchObject([{ entries: [{ seq: 11 }, { seq: 12 }] }])
  close()
})

test('what was missed while the relay was down is read once it is back, and nothing after the end', async () => {
  const { bus, seen, store, entry, close } = watched(10)
  await store(11, 12)
  bus.publish({ type: 'relay.restored' })
  await until('all have come', () => seen.length === 2)
  expect(seen).toEqual([11, 12])
  close()
  bus.publish({ type: 'entries.stored', entries: [entry(13)] })
  expect(seen).toEqual([11, 12])
})

test('what others stored while nobody watched isn’t read for who comes later and has it', async () => {
  const { bus, id, store, close, leave, replaceBy } = watched(10)
  const read = heardOn(bus, 'entries.read')
  leave()
  await store(11, 12)
  bus.publish({ type: 'entries.stored', spans: [[id, 11, 12]] }, 'elsewhere')
  replaceBy(12)
  await store(13)
  bus.publish({ type: 'entries.stored', spans: [[id, 13, 13]] }, 'elsewhere')
  await until('the last one is read', () => read.length > 0)
  expect(read).toMatchObject([{ entries: [{ seq: 13 }] }])
  close()
})

test('an entry that is told again isn’t sent again', async () => {
  const { bus, seen, entry, close } = watched(10)
  bus.publish({ type: 'entries.stored', entries: [entry(11)] })
  bus.publish({ type: 'entries.stored', entries: [entry(10), entry(11), entry(12)] })
  expect(seen).toEqual([11, 12])
  close()
})

test('what was about to be read isn’t read after the end', () => {
  jest.useFakeTimers()
  try {
    const { bus, id, close } = watched(10)
    const before = jest.getTimerCount()
    bus.publish({ type: 'entries.stored', spans: [[id, 11, 12]] }, 'elsewhere')
    expect(jest.getTimerCount()).toBe(before + 1)
    close()
    expect(jest.getTimerCount()).toBe(0)
  } finally {
    jest.useRealTimers()
  }
})
