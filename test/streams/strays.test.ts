import { afterAll, beforeAll, expect, test } from 'bun:test'
import { count, eq } from 'drizzle-orm'
import { entries, streams } from '../../drizzle/schema.ts'
import { removeStrays } from '../../src/streams/registry/strays.ts'
import { type Bench, oddDrafts, openBench } from '../archive/support.ts'
import { seeded } from '../core/seeded.ts'

const COUNT = 60

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.close())

const entriesOf = async (id: string) =>
  (await bench.db.select({ count: count() }).from(entries).where(eq(entries.streamId, id)))[0]?.count

test('a log whose stream was removed by a process that was killed then is removed, and no other', async () => {
  const random = seeded('strays')
  const ids = [await bench.register(), await bench.register(), await bench.register()] as const
  for (const id of ids) await bench.record(id, oddDrafts(random, COUNT))
  await bench.db.delete(streams).where(eq(streams.id, ids[1]))
  expect(await Promise.all(ids.map(entriesOf))).toEqual([COUNT, COUNT, COUNT])
  const open = new AbortController().signal
  expect(await removeStrays(bench.db, open)).toBe(1)
  expect(await Promise.all(ids.map(entriesOf))).toEqual([COUNT, 0, COUNT])
  expect(await removeStrays(bench.db, open)).toBe(0)
})
