import { expect, test } from 'bun:test'
import { ReplaySearch } from '../../src/streams/ingest/connection/replay.ts'
import type { SeqRange, StoredEvent } from '../../src/streams/log/logs.ts'
import { newRun } from '../support/run.ts'

/** A search in a log of this length, which has these events; and the stretches that it reads. */
function search(length: number, stored: Record<string, number>, replayDepth?: number) {
  const run = newRun({}, { checkpoint: { seq: length }, evidence: { replayDepth } })
  const read: [after: number, until: number][] = []
  const deps = {
    async storedEvents(_id: string, ids: readonly string[], { after, until }: SeqRange) {
      read.push([after, until])
      const found = ids.flatMap((id): [string, StoredEvent][] => {
        const seq = stored[id]
        return seq !== undefined && seq > after && seq <= until ? [[id, { seq, kind: 'event', md5: '' }]] : []
      })
      return new Map(found)
    },
  }
  return { run, read, search: new ReplaySearch(run, deps) }
}

test('an event is found however far back it is', async () => {
  const { search: one, read, run } = search(25_000, { old: 3 })
  const found = await one.find(['old'])
  expect(found.get('old')?.seq).toBe(3)
  expect(read).toEqual([
    [15_000, 25_000],
    [5_000, 15_000],
    [0, 5_000],
  ])
  expect(run.evidence.replayDepth).toBe(24_997)
})

test('of a new upstream a million entries are searched, and no more', async () => {
  const { search: one, read } = search(1_500_000, {})
  expect((await one.find(['new'])).size).toBe(0)
  expect(read).toHaveLength(100)
  expect(read.at(-1)).toEqual([500_000, 510_000])
})

test('of one that is known, twice as far as it ever replayed', async () => {
  const { search: one, read } = search(1_500_000, {}, 12_000)
  await one.find(['new'])
  expect(read.at(-1)).toEqual([1_476_000, 1_480_000])
})

test('one that never replayed is searched a little', async () => {
  const { search: one, read } = search(1_500_000, {}, 0)
  await one.find(['new'])
  expect(read).toEqual([[1_490_000, 1_500_000]])
})

test('later events are searched from the last match on', async () => {
  const { search: one, read } = search(30_000, { a: 100, b: 15_000 })
  await one.find(['a'])
  read.length = 0
  expect((await one.find(['b'])).get('b')?.seq).toBe(15_000)
  expect(read).toEqual([
    [100, 10_100],
    [10_100, 20_100],
  ])
})
