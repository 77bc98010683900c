import { expect, test } from 'bun:test'
import type { Database } from '../../src/storage/storage.ts'
import { LostWorkers } from '../../src/streams/status/lost-workers.ts'

/** A worker without a sign of life for this long is lost. */
const LOST_AFTER_MS = 5_000
/** How often they look, in milliseconds. */
const STEP_MS = 1_000

/** Some workers, seen by the eyes of one of them. */
function watch(worker: string) {
  let clock = 0
  const freed: string[][] = []
  const held = [
    { id: 'stream-of-a', worker: 'a' },
    { id: 'stream-of-b', worker: 'b' },
    { id: 'stream-of-c', worker: 'c' },
  ]
  const db = { select: () => ({ from: () => ({ where: async () => held }) }) } as unknown as Database
  const state = { isAway: false }
  const claims = [
    { id: 'begun-by-c', worker: 'c', at: 0 },
    { id: 'begun-by-b', worker: 'b', at: 0 },
  ]
  const control = {
    claims: async (isAskedFor: (id: string) => boolean) => claims.filter(({ id }) => isAskedFor(id)),
    async free(ids: readonly string[]) {
      if (state.isAway) throw new Error('The queue is away')
      freed.push([...ids])
    },
  }
  const lost = new LostWorkers({ db, control, worker, clock: () => clock })
  const signs = new Map(['a', 'b', 'c'].map((name) => [name, 0]))
  /** The clock goes on, and those who live give a sign. @returns who is lost then */
  const step = async (living: readonly string[], ms = STEP_MS) => {
    clock += ms
    for (const name of living) signs.set(name, clock)
    const gone = lost.check([...signs].map(([name, at]) => ({ name, seenAt: new Date(at) })))
    await lost.free(gone)
    return [...gone]
  }
  return { step, freed, state, claims }
}

test('a worker without heartbeats is lost, and its jobs are freed once', async () => {
  const { step, freed } = watch('a')
  await step(['a', 'b', 'c'])
  for (let ms = STEP_MS; ms < LOST_AFTER_MS; ms += STEP_MS) expect(await step(['a', 'b'])).toEqual([])
  expect(await step(['a', 'b'])).toEqual(['c'])
  expect(await step(['a', 'b'])).toEqual(['c'])
  expect(freed).toEqual([['stream-of-c'], ['begun-by-c']])
})

test('only the first live worker frees them', async () => {
  const { step, freed } = watch('b')
  await step(['a', 'b', 'c'])
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  expect(await step(['a', 'b'])).toEqual(['c'])
  expect(freed).toEqual([])
})

test('a worker that couldn’t check for a while considers nobody lost', async () => {
  const { step, freed } = watch('a')
  await step(['a', 'b', 'c'])
  expect(await step(['a'], 10 * LOST_AFTER_MS)).toEqual([])
  expect(await step(['a', 'b', 'c'])).toEqual([])
  expect(freed).toEqual([])
})

test('a lost worker that returns can be lost again', async () => {
  const { step, freed } = watch('a')
  await step(['a', 'b', 'c'])
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  expect(await step(['a', 'b', 'c'])).toEqual([])
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  expect(freed.filter((ids) => ids.includes('stream-of-c'))).toHaveLength(2)
})

test('a job that another lost worker claimed later, without ever holding its stream, is freed in the end', async () => {
  const { step, freed, claims } = watch('a')
  await step(['a', 'b', 'c'])
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  freed.length = 0
  // It was killed before its first heartbeat.
  claims.push({ id: 'stream-of-c', worker: 'd', at: 0 })
  for (let ms = 0; ms < 20_000; ms += STEP_MS) await step(['a', 'b'])
  expect(freed.flat()).toContain('stream-of-c')
})

test('a job that a worker which is lost now claimed from another lost one is freed with it', async () => {
  const { step, freed, claims } = watch('a')
  await step(['a', 'b', 'c'])
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  claims.push({ id: 'stream-of-c', worker: 'b', at: 0 })
  freed.length = 0
  for (let ms = 0; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a'])
  expect(freed.flat()).toContain('stream-of-c')
  expect(freed.flat()).toContain('stream-of-b')
})

test('jobs that couldn’t be freed are freed with the next check', async () => {
  const { step, freed, state } = watch('a')
  await step(['a', 'b', 'c'])
  for (let ms = STEP_MS; ms < LOST_AFTER_MS; ms += STEP_MS) await step(['a', 'b'])
  state.isAway = true
  await step(['a', 'b']).catch(() => {})
  state.isAway = false
  await step(['a', 'b'])
  expect(freed).toEqual([['stream-of-c'], ['begun-by-c']])
})
