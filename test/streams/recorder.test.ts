import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { openStorage } from '../../src/storage/open.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import type { Draft, Entry } from '../../src/streams/entry.ts'
import { readLog } from '../../src/streams/logs.ts'
import { Recorder } from '../../src/streams/recorder.ts'
import type { Run } from '../../src/streams/run.ts'
import { runStore } from '../../src/streams/run-store.ts'
import { Streams } from '../../src/streams/streams.ts'

const EXPECTATION = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }

let directory: string
let storage: Storage
let streams: Streams

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-recorder-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const control = { runLater: async () => {}, interrupt: () => {}, changed: () => {}, listed: () => {} }
  streams = new Streams({ db: storage.db, control, limits: LIMITS })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A recorder, what it says it stored, and a database that can be away. */
function recording() {
  const stored: Entry[] = []
  let away: PromiseWithResolvers<void> | undefined
  const db = new Proxy(storage.db, {
    get: (target, name) =>
      name === 'execute'
        ? async (statement: Parameters<Database['execute']>[0]) => {
            await away?.promise
            return target.execute(statement)
          }
        : Reflect.get(target, name),
  })
  const recorder = new Recorder(db, () => EXPECTATION, {
    stored: (entries) => void stored.push(...entries),
    changed: () => {},
    unwanted: () => {},
  })
  return {
    recorder,
    stored,
    leave: () => void (away = Promise.withResolvers()),
    comeBack: () => away?.resolve(),
  }
}

const begin = async (streamId: string) => {
  const runs = runStore(storage.db, 'tester', () => {})
  return (await runs.begin({ streamId, attempt: 1, takeOver: true })) as Run
}
const event = (data: string): Draft => ({ at: Date.now(), kind: 'event', wireBytes: 9, bodyBytes: 1, data })
const register = () => streams.register({ url: 'http://a.test/', kind: 'sse' })
const logOf = async (id: string) => (await readLog(storage.db, id, { limit: 100 })).items

test('a run that was replaced writes nothing more, and is told so', async () => {
  const { id } = await register()
  const { recorder, stored } = recording()
  const first = await begin(id)
  recorder.append(first, event('a'))
  await recorder.settle(first)
  const second = await begin(id)
  recorder.append(first, event('late'))
  recorder.append(second, event('b'))
  await recorder.settle(second)
  expect(first.fenced.signal.aborted).toBe(true)
  expect((await logOf(id)).map(({ seq, epoch, data }) => [seq, epoch, data])).toEqual([
    [1, 1, 'a'],
    [2, 2, 'b'],
  ])
  expect(stored.map(({ data }) => data)).toEqual(['a', 'b'])
  await recorder.close()
})

test('what two runs of a stream have waiting in one batch is told apart by their epochs', async () => {
  const { id } = await register()
  const { recorder, stored, leave, comeBack } = recording()
  const first = await begin(id)
  recorder.append(first, event('a'))
  await recorder.settle(first)
  leave()
  for (const data of ['b', 'c', 'd']) recorder.append(first, event(data))
  const second = await begin(id)
  for (const data of ['B', 'C']) recorder.append(second, event(data))
  comeBack()
  await recorder.settle(second)
  expect((await logOf(id)).map(({ seq, epoch, data }) => [seq, epoch, data])).toEqual([
    [1, 1, 'a'],
    [2, 2, 'B'],
    [3, 2, 'C'],
  ])
  expect(stored.map(({ data }) => data)).toEqual(['a', 'B', 'C'])
  await recorder.close()
})

test('a batch that is written again, its answer lost, is neither doubled nor counted twice', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  recorder.append(run, event('a'))
  await recorder.settle(run)
  // As after a lost answer: the run's numbers stand where they stood before the batch.
  run.checkpoint = { ...run.checkpoint, seq: 0 }
  recorder.append(run, event('a'))
  recorder.append(run, event('b'))
  await recorder.settle(run)
  expect((await logOf(id)).map(({ data }) => data)).toEqual(['a', 'b'])
  const { rows } = (await storage.db.execute(
    sql`SELECT sum(entries)::int AS entries FROM weir.rollups WHERE stream_id = ${id}`,
  )) as { rows: { entries: number }[] }
  expect(rows[0]?.entries).toBe(2)
  await recorder.close()
})

test('an entry that the database refuses becomes a gap, and the others are stored', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  recorder.append(run, event('before'))
  recorder.append(run, { ...event('huge'), wireBytes: 2 ** 40 })
  recorder.append(run, event('after'))
  await recorder.settle(run)
  const log = await logOf(id)
  expect(log.map(({ seq, kind }) => [seq, kind])).toEqual([
    [1, 'event'],
    [2, 'gap'],
    [3, 'event'],
  ])
  expect(JSON.parse(log[1]?.data ?? '')).toMatchObject({ reason: 'not_storable', count: 1 })
  await recorder.close()
})

test('what finds no room while the database is away is counted and told in a gap', async () => {
  const { id } = await register()
  const { recorder, leave, comeBack } = recording()
  const run = await begin(id)
  leave()
  let refused = 0
  for (let index = 0; index < 100_500; index++) if (!recorder.append(run, event('x'))) refused++
  expect(refused).toBeGreaterThanOrEqual(500)
  comeBack()
  await recorder.settle(run, 30_000)
  const log = await readLog(storage.db, id, { limit: 10, kinds: ['gap'] })
  expect(log.items.map(({ data }) => JSON.parse(data ?? '').count)).toEqual([refused])
  const { rows } = (await storage.db.execute(
    sql`SELECT count(*)::int AS n, max(seq)::int AS last FROM weir.entries WHERE stream_id = ${id}`,
  )) as { rows: { n: number; last: number }[] }
  expect(rows[0]?.n).toBe(rows[0]?.last as number)
  await recorder.close()
})
