import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { openStorage } from '../../src/storage/open.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { type Draft, type Entry, entryJson } from '../../src/streams/entry.ts'
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
const sumsOf = async (table: 'rollups' | 'path_rollups', id: string) => {
  const which = sql.raw(table)
  const { rows } = (await storage.db.execute(
    sql`SELECT * FROM weir.${which} WHERE stream_id = ${id} ORDER BY 2, 3`,
  )) as { rows: Record<string, unknown>[] }
  return rows
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
  const written = event('a')
  const run = await begin(id)
  recorder.append(run, written)
  await recorder.settle(run)
  // As after a lost answer: the run's numbers stand where they stood before the batch.
  run.checkpoint = { ...run.checkpoint, seq: 0 }
  recorder.append(run, written)
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

/** A minute that no test's clock can leave. */
const AT = Date.UTC(2026, 0, 5, 12, 30)
const answered = (status: number) => ({
  exchange: {
    request: { method: 'GET', url: 'http://a.test/', headers: {} },
    response: { status, headers: {}, firstByteMs: 1 },
  },
})
const polled = (draft: Partial<Draft> & Pick<Draft, 'kind'>, status = 200): Draft => ({
  at: AT,
  wireBytes: 50,
  bodyBytes: 100,
  headBytes: 30,
  plainBytes: 100,
  gzipBytes: 40,
  ...answered(status),
  ...draft,
})
const DRAFTS: Draft[] = [
  polled({ kind: 'snapshot', snapshotBytes: 90 }),
  polled({ kind: 'patch', changed: true, patchBytes: 11, snapshotBytes: 91, paths: ['/a'] }),
  { at: AT, kind: 'snapshot', wireBytes: 0, bodyBytes: 0, snapshotBytes: 91, hash: 'h', data: '{}' },
  polled({ kind: 'snapshot', changed: true, patchBytes: 400, snapshotBytes: 92, paths: [''] }),
  polled({ kind: 'exchange', changed: false, patchBytes: 0 }),
  polled({ kind: 'exchange', changed: false, patchBytes: 0, wireBytes: 0, bodyBytes: 0 }, 304),
  polled({ kind: 'exchange', changed: true, plainBytes: 7, gzipBytes: 27, bodyBytes: 7 }),
  { at: AT, kind: 'error', wireBytes: 5, bodyBytes: 0, ...answered(500) },
]

test('polls are summed up by what they moved, and by what polling otherwise would have', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  for (const draft of DRAFTS) recorder.append(run, draft)
  await recorder.settle(run)
  const [sums, ...more] = await sumsOf('rollups', id)
  const frames = [
    'event: patch\nid: 01234567.2\ndata: \n\n',
    'event: data\nid: 01234567.4\ndata: \n\n',
    'event: data\nid: 01234567.7\ndata: \n\n',
  ]
  expect(more).toEqual([])
  expect(numbers(sums)).toMatchObject({
    entries: 8,
    events: 3,
    polls: 6,
    errors: 1,
    compared: 5,
    changed: 3,
    not_modified: 1,
    wire_bytes: 5 * 50 + 5,
    body_bytes: 4 * 100 + 7,
    head_bytes: 6 * 30,
    plain_bytes: 5 * 100 + 7,
    gzip_bytes: 5 * 40 + 27,
    conditional_bytes: 3 * 40 + 27,
    patch_bytes: 11 + 92 + 7,
    frame_bytes: 11 + 92 + 7 + frames.join('').length,
  })
  await recorder.close()
})

test('entries keep their sizes, and the next run knows the last body by them', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  const sizes = { plainBytes: 100, gzipBytes: 40 }
  recorder.append(run, DRAFTS[1] as Draft, { bodyHash: 'b', ...sizes })
  await recorder.settle(run)
  const [entry] = await logOf(id)
  expect(entry).toMatchObject({ headBytes: 30, ...sizes, patchBytes: 11, snapshotBytes: 91 })
  // They were counted, and are no part of the log.
  expect(Object.keys(entry as Entry)).not.toContain('paths')
  expect(entryJson({ ...(entry as Entry), paths: ['/a'] })).not.toContain('paths')
  expect((await begin(id)).checkpoint).toMatchObject({ bodyHash: 'b', ...sizes })
  await recorder.close()
})

test('the paths that changed are counted by the hour, once for every entry that is stored', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  const patched = (paths: string[], at = AT) => ({ ...event('x'), at, paths })
  recorder.append(run, patched(['/a', '/b']))
  recorder.append(run, patched(['/a', '/nul\0', '/nul\uFFFD'], AT + 59 * 60_000))
  await recorder.settle(run)
  // Written again, as after a lost answer, and something more.
  run.checkpoint = { ...run.checkpoint, seq: 1 }
  recorder.append(run, patched(['/a'], AT + 59 * 60_000))
  recorder.append(run, patched(['/a']))
  await recorder.settle(run)
  const rows = await sumsOf('path_rollups', id)
  const hours = rows.map(({ hour, path, changes }) => [
    new Date(hour as string).getUTCHours(),
    path,
    Number(changes),
  ])
  expect(hours).toEqual([
    [12, '/a', 2],
    [12, '/b', 1],
    [13, '/a', 1],
    [13, '/nul\uFFFD', 1],
  ])
  await recorder.close()
})

test('past a hundred paths, a run counts the changes of the others together', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  for (let n = 0; n < 110; n++) recorder.append(run, { ...event('x'), at: AT, paths: [`/${n}`, `/-${n}`] })
  await recorder.settle(run)
  const rows = await sumsOf('path_rollups', id)
  expect(rows.length).toBe(101)
  expect(rows.filter(({ path }) => path === '*').map(({ changes }) => Number(changes))).toEqual([60])
  await recorder.close()
})

/** Sums come as text where a driver takes them for larger than a number. */
function numbers(sums: Record<string, unknown> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, Number(value)]))
}
