import { afterAll, beforeAll, beforeEach, expect, spyOn, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { openStorage } from '../../src/storage/open.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { GraphChanges } from '../../src/topology/changes.ts'
import { Model } from '../../src/topology/model.ts'
import { readStart, sendThrough } from '../../src/topology/send.ts'
import { Folded, toFold } from '../../src/topology/stored/folding.ts'
import { History } from '../../src/topology/stored/history.ts'
import { Ledger } from '../../src/topology/stored/ledger.ts'
import { writeCalls, writeMinutes, writeServices } from '../../src/topology/stored/rows.ts'
import { CallTally } from '../../src/topology/stored/tallies.ts'
import { newDataDir } from '../support/data-dir.ts'
import { holdTimers } from '../support/timers.ts'

const NOON = Date.UTC(2026, 2, 10, 12)
const MINUTE_MS = 60_000
const ENDS = { from: 'a', to: 'b' }

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = await newDataDir('weir-topology-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  for (const table of ['services', 'calls', 'minutes', 'totals'])
    await storage.db.execute(sql.raw(`DELETE FROM weir.topology_${table}`))
})

async function rows<T>(statement: string): Promise<T[]> {
  return ((await storage.db.execute(sql.raw(statement))) as unknown as { rows: T[] }).rows
}

/** A database that only notes the rows it is to write, and what happens meanwhile. */
function noting(happens: () => void = () => {}) {
  const written: { from?: string; id?: string; minute?: number; count?: number; calls?: number }[][] = []
  const execute = async ({ queryChunks }: { queryChunks: unknown[] }) => {
    const json = queryChunks.find((chunk) => typeof chunk === 'string' && chunk.startsWith('['))
    written.push(JSON.parse((json as string | undefined) ?? '[]') as never)
    happens()
    return { rows: [] }
  }
  const db = { execute, transaction: (work: (tx: unknown) => unknown) => work({ execute }) }
  return { db: db as unknown as Database, written }
}

test('calls that come during a write are written with the next', async () => {
  const tally = new CallTally()
  let more = 1
  const { db, written } = noting(() => {
    if (more-- > 0) call()
  })
  const ledger = new Ledger(db, 'me')
  function call() {
    tally.add(false, 1)
    ledger.count(ENDS, NOON, tally, false)
  }
  call()
  await ledger.write(NOON)
  await ledger.write(NOON)
  await ledger.write(NOON + MINUTE_MS)
  expect(written.flat().flatMap(({ count }) => count ?? [])).toEqual([1, 2])
  // Totals are written as a whole, until their minute is over.
  expect(written.flat().flatMap(({ calls }) => calls ?? [])).toEqual([2, 2, 2])
  await ledger.write(NOON + 2 * MINUTE_MS)
  expect(written.flat().flatMap(({ calls }) => calls ?? [])).toHaveLength(3)
})

test('what waits for the database is bounded: 20,000 minutes of edges, and an hour of totals', async () => {
  const { db, written } = noting()
  const ledger = new Ledger(db, 'me')
  for (let each = 0; each <= 20_000; each++)
    ledger.count({ from: String(each), to: 'b' }, NOON, new CallTally(), false)
  for (let each = 1; each <= 60; each++) ledger.count(ENDS, NOON + each * MINUTE_MS, new CallTally(), false)
  await ledger.write(NOON + 61 * MINUTE_MS)
  const all = written.flat()
  expect(all.filter(({ from }) => from !== undefined)).toHaveLength(20_000)
  expect(all.filter(({ calls }) => calls !== undefined)).toHaveLength(60)
})

test('rows are written in one order, whoever writes them: two processes never wait for each other', async () => {
  const { db, written } = noting()
  const row = {
    name: null,
    kind: null,
    group: null,
    url: null,
    color: null,
    firstAt: 0,
    activeAt: 0,
    reportedAt: 0,
  }
  await writeServices(
    db,
    ['c', 'a', 'b'].map((id) => ({ ...row, id })),
  )
  expect(written[0]?.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
})

test('a minute that is written again counts once, and an earlier call leaves the last status', async () => {
  const minute = { ...ENDS, minute: NOON, count: 3, errors: 1, latency: [] }
  await writeMinutes(storage.db, 'me', [minute])
  await writeMinutes(storage.db, 'me', [minute])
  expect(await rows('SELECT count FROM weir.topology_minutes')).toEqual([{ count: 3 }])
  const call = { ...ENDS, count: 1, errors: 0, lastDurationMs: 1, firstAt: NOON, activeAt: NOON }
  await writeCalls(storage.db, [{ ...call, lastStatus: 200, calledAt: NOON }])
  await writeCalls(storage.db, [{ ...call, lastStatus: 500, calledAt: NOON - 1 }])
  expect(await rows('SELECT last_status, count::int FROM weir.topology_calls')).toEqual([
    { last_status: 200, count: 2 },
  ])
})

test('idle services are folded first, then those reported once, then the longest unheard', () => {
  const item = (id: string, agoMs: number, seen: number) => ({ id, activeAt: NOON - agoMs, seen })
  const items = [
    item('called', 10_000, 9),
    item('idle', 300_001, 9),
    item('made up', 1_000, 1),
    item('also called', 299_999, 9),
  ]
  const folded = (most: number) => toFold(items, most, NOON).map(({ id }) => id)
  expect(folded(4)).toEqual([])
  expect(folded(0)).toEqual(['idle', 'made up', 'also called', 'called'])
})

test('names of folded services are bounded', () => {
  const folded = new Folded()
  for (let each = 0; each < 20_000; each++) folded.add(String(each), NOON)
  expect(folded.service('').name).toBe('20,000 more')
  folded.add('one more', NOON)
  expect(folded.service('').name).toBe('more than 20,000 more')
  expect([folded.remove('0'), folded.remove('1')]).toEqual([false, true])
})

function historyAt(clock: { now: number }) {
  const model = new Model({ service() {}, call() {} })
  const warn = (message: string) => {
    throw new Error(message)
  }
  return { model, history: new History({ db: storage.db, model, writer: 'me', now: () => clock.now, warn }) }
}

async function heard(id: string, updated: string, at = new Date().toISOString()): Promise<void> {
  await rows(`INSERT INTO weir.topology_services (id, kind, first_at, active_at, reported_at, updated_at)
    VALUES ('${id}', 'service', '${at}', '${at}', '${at}', ${updated})`)
}

test('rows of a transaction that ended late are read, once it has', async () => {
  const clock = { now: Date.now() }
  const { model, history } = historyAt(clock)
  await history.load()
  await heard('late', "clock_timestamp() - interval '8 seconds'")
  await history.sync()
  expect(model.service('late')).toBeDefined()
  await history.close()
})

test('what is too old for a replay is deleted, once a minute', async () => {
  const clock = { now: Date.now() }
  const { history } = historyAt(clock)
  const old = new Date(clock.now - 50 * 3_600_000).toISOString()
  const left = async () => (await rows('SELECT FROM weir.topology_services')).length
  await heard('one', 'now()', old)
  await history.sync()
  expect(await left()).toBe(0)
  await heard('two', 'now()', old)
  clock.now += MINUTE_MS - 1
  await history.sync()
  expect(await left()).toBe(1)
  clock.now += 1
  await history.sync()
  expect(await left()).toBe(0)
  await history.close()
})

test('at the end everything is written, also that a service was heard again', async () => {
  const clock = { now: NOON }
  const { history } = historyAt(clock)
  history.ledger.service('a', NOON, { kind: 'service' })
  await history.sync()
  history.ledger.service('a', NOON + 1_000)
  clock.now = NOON + 1_000
  await history.close()
  const [row] = await rows<{ active_at: string }>('SELECT active_at FROM weir.topology_services')
  expect(new Date(row?.active_at ?? 0)).toEqual(new Date(NOON + 1_000))
})

test('changes are gathered for a tenth of a second, longer after large ones, and none is left once closed', () => {
  using timers = holdTimers()
  let bytes = 0
  const service = (id: string) => ({
    id,
    name: id,
    kind: 'service',
    color: 'white',
    reportedAt: String(bytes),
  })
  const sent: unknown[] = []
  const changes = new GraphChanges({
    ...{ service: (id) => service(id) as never, call: () => undefined, now: () => 0 },
    publish(change) {
      sent.push(change)
      return bytes
    },
  })
  const waits = (sentBytes: number) => {
    changes.service(String(sentBytes))
    const [timer] = timers.set()
    bytes = sentBytes
    timer?.fire()
    return timer?.ms
  }
  expect([32_000, 1_000_000, 10].map(waits)).toEqual([100, 500, 1_000])
  // Only the time of its last report is new.
  changes.service('10')
  const before = sent.length
  bytes = 11
  timers.set()[0]?.fire()
  expect(sent).toHaveLength(before)
  changes.service('x')
  expect(timers.set()).toHaveLength(1)
  changes.close()
  expect(timers.set()).toEqual([])
})

test('a service gets 30 s to answer, and isn’t followed elsewhere', async () => {
  const late = new AbortController()
  const timeout = spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal)
  let init: RequestInit = {}
  const fetch = (_url: string, given: RequestInit) => {
    init = given
    late.abort()
    return new Promise<Response>((_resolve, reject) => {
      given.signal?.throwIfAborted()
      reject(new Error('not aborted'))
    })
  }
  const service = { id: 'a', url: 'http://a.test' } as never
  const sent = sendThrough(service, 'white', { fetch, now: () => 0, signal: new AbortController().signal })
  await expect(sent).rejects.toMatchObject({ code: 'upstream_failed' })
  expect(timeout).toHaveBeenCalledWith(30_000)
  timeout.mockRestore()
  expect(init.redirect).toBe('manual')
  expect(init.signal?.aborted).toBe(true)
})

test('of an endless answer, 64 KiB are read', async () => {
  let chunks = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (++chunks > 1_000) return controller.close()
      controller.enqueue(new Uint8Array(10_000).fill(120))
    },
  })
  expect(await readStart(body)).toHaveLength(65_536)
  expect(chunks).toBeLessThan(20)
})
