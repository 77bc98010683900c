import { beforeEach, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import type { Claim } from '../../src/streams/registry/streams.ts'
import {
  exchangeHeartbeats,
  judgeAll,
  leaveWorker,
  reconcile,
  retireWorker,
} from '../../src/streams/status/health.ts'
import { fleet, statusesOf } from '../../src/streams/status/status.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { interrupted, testStorage } from '../support/storage.ts'

const own = testStorage()
const NOW = Date.UTC(2026, 0, 5, 12)
const LIMITS = { requestTimeoutMs: 1_000, silenceMs: 60_000 }

beforeEach(async () => {
  await own.db.execute(sql`DELETE FROM weir.streams`)
  await own.db.execute(sql`DELETE FROM weir.workers`)
})

const at = (ms: number) => sql`${new Date(ms).toISOString()}::timestamptz`
const worker = (name: string, seenAt: number) =>
  own.db.execute(
    sql`INSERT INTO weir.workers (name, started_at, seen_at, streams) VALUES (${name}, ${at(seenAt)}, ${at(seenAt)}, 0)`,
  )
/** A stream that a worker runs, or ran until some time. */
async function held(by: string | null, endedAt?: number) {
  const { id } = await own.stream()
  await own.db.execute(sql`UPDATE weir.states SET worker = ${by}, epoch = 1 WHERE stream_id = ${id}`)
  await own.db.execute(sql`INSERT INTO weir.runs (stream_id, epoch, worker, started_at, ended_at)
    VALUES (${id}, 1, 'w', ${at(NOW - 60_000)}, ${endedAt === undefined ? sql`NULL` : at(endedAt)})`)
  return id
}
function control(claimed: readonly Claim[] = []) {
  const [later, freed]: [string[], string[]] = [[], []]
  return {
    later,
    freed,
    runLater: async (ids: readonly string[]) => void later.push(...ids),
    claims: async (isAskedFor: (id: string) => boolean) => claimed.filter(({ id }) => isAskedFor(id)),
    free: async (ids: readonly string[]) => void freed.push(...ids),
  }
}

test.each([
  [5_000, 0],
  [5_001, 1],
])('a stream whose worker was last seen %i ms ago gets %i jobs', async (ms, jobs) => {
  await worker('w', NOW - ms)
  await held('w')
  const jobControl = control()
  expect(await reconcile(own.db, jobControl, NOW)).toBe(jobs)
  expect(jobControl.later).toHaveLength(jobs)
})

test('only streams that should run get a job', async () => {
  const { id } = await own.stream()
  await own.stream({ desired: 'stopped' })
  await own.stream({ desired: 'idle' })
  const jobControl = control()
  await reconcile(own.db, jobControl, NOW)
  expect(jobControl.later).toEqual([id])
})

test('a job that was claimed long ago for a stream that nobody runs is freed', async () => {
  const [long, fresh, running, between] = [
    await held(null, NOW - 5_001),
    await held(null, NOW - 5_001),
    await held('w'),
    await held(null, NOW - 4_999),
  ]
  await worker('w', NOW)
  const old = { worker: 'gone', at: NOW - 5_001 }
  const jobControl = control([
    { id: long, ...old },
    { id: fresh, worker: 'new', at: NOW - 4_999 },
    { id: running, ...old },
    { id: between, ...old },
  ])
  await reconcile(own.db, jobControl, NOW)
  expect(jobControl.freed).toEqual([long])
})

/** A stream that was fine, and is silent for a minute by now. */
async function silent() {
  const id = await held('w')
  const evidence = JSON.stringify({ phase: 'open', phaseSince: 0, failures: 0, lastByteAt: NOW - 61_000 })
  await own.db.execute(
    sql`UPDATE weir.states SET verdict = 'live', evidence = ${evidence}::jsonb, verdict_since = ${at(0)} WHERE stream_id = ${id}`,
  )
  await worker('w', NOW)
  return id
}
const deps = (db = own.db, bus = testBus()) => ({
  db,
  bus,
  limits: LIMITS,
  heldRun: () => undefined,
  now: () => NOW,
})
const statusOf = async (id: string) =>
  (
    await own.rows<{ status: string; since: string }>(
      sql`SELECT verdict AS status, extract(epoch FROM verdict_since) * 1000 AS since FROM weir.states WHERE stream_id = ${id}`,
    )
  )[0]

test('a status that time alone changes is written, told, and only once', async () => {
  const id = await silent()
  const bus = testBus()
  const updated = heardOn(bus, 'stream.updated')
  expect(await judgeAll(deps(own.db, bus))).toBe(1)
  expect(await statusOf(id)).toMatchObject({ status: 'stalled' })
  expect(Number((await statusOf(id))?.since)).toBe(NOW - 61_000)
  expect(updated).toEqual([{ type: 'stream.updated', streamIds: [id] }])
  expect(await judgeAll(deps(own.db, bus))).toBe(0)
  expect(updated).toHaveLength(1)
})

test('a stream is no longer degraded once its failures are out of the window', async () => {
  const id = await held('w')
  await worker('w', NOW)
  const failedAt = NOW - 10 * 60_000
  const write = (checks: unknown) =>
    own.db.execute(sql`
      UPDATE weir.states SET verdict = 'degraded', evidence = ${JSON.stringify({
        ...{
          phase: 'open',
          phaseSince: failedAt,
          failures: 0,
          lastByteAt: NOW - 1_000,
          lastEventAt: NOW - 1_000,
        },
        ...{ checks, degradedSince: failedAt },
      })}::jsonb WHERE stream_id = ${id}`)
  await write([[failedAt + 1, 2, 2, 2, 0]])
  expect(await judgeAll(deps())).toBe(0)
  await write([[failedAt, 2, 2, 2, 0]])
  expect(await judgeAll(deps())).toBe(1)
  expect(await statusOf(id)).toMatchObject({ status: 'live' })
})

test.each([
  ['a run that began', sql`epoch = epoch + 1`],
  ['a status that was written', sql`verdict = 'quiet'`],
])('%s meanwhile isn’t overruled by what was read before', async (_, change) => {
  const id = await silent()
  const db = interrupted(own.db, () =>
    own.db.execute(sql`UPDATE weir.states SET ${change} WHERE stream_id = ${id}`),
  )
  await judgeAll(deps(db))
  expect((await statusOf(id))?.status).not.toBe('stalled')
})

test('the run of this process is judged by its own evidence, unless it was replaced', async () => {
  const id = await silent()
  const evidence = { phase: 'open', phaseSince: 0, failures: 0, lastByteAt: NOW, lastEventAt: NOW } as const
  const status = async (epoch: number) => {
    const heldRun = () => ({ epoch, evidence }) as never
    return (await statusesOf({ ...deps(), heldRun }, [id]))[0]?.status
  }
  expect(await status(1)).toBe('live')
  expect(await status(2)).toBe('stalled')
})

test('a stream that is just starting isn’t stalled; after ten seconds without a worker it is', async () => {
  const { id } = await own.stream()
  const status = async (ms: number) => {
    await own.db.execute(sql`UPDATE weir.states SET verdict_since = ${at(NOW - ms)} WHERE stream_id = ${id}`)
    return (await statusesOf(deps(), [id]))[0]?.status
  }
  expect(await status(9_999)).toBe('quiet')
  expect(await status(10_000)).toBe('stalled')
})

test('rates are of the last five minutes', async () => {
  const { id } = await own.stream({ createdAt: new Date(NOW - 3_600_000) })
  for (const minutes of [1, 4, 5, 6]) {
    await own.db.execute(sql`INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries)
      VALUES (${id}, ${at(NOW - minutes * 60_000)}, 1, 1, 1)`)
  }
  const [found] = await statusesOf(deps(), [id])
  // By whole minutes, of which the current one has just begun.
  expect(found?.recent).toMatchObject({ entries: 2, minutes: 4 })
})

test('who may not see a private stream doesn’t see it counted', async () => {
  await own.stream()
  await own.stream({ proxyKey: 'k', headers: { a: 'secret' }, owner: 'key:1' })
  const reader = (id: string) => ({ id, name: id, scope: 'read' }) as const
  expect((await fleet(own.db)).streams).toBe(1)
  expect((await fleet(own.db, reader('key:1'))).streams).toBe(2)
  expect((await fleet(own.db, reader('key:2'))).streams).toBe(1)
  expect((await fleet(own.db, { ...reader('key:2'), scope: 'admin' })).streams).toBe(2)
})

test('heartbeats list the workers of the last day and count the streams that should run', async () => {
  await own.stream()
  await own.stream({ desired: 'stopped' })
  await worker('yesterday', NOW - 86_400_001)
  await worker('today', NOW - 86_399_000)
  const { signs, running } = await exchangeHeartbeats(own.db, 'me', 3, new Date(NOW))
  expect(running).toBe(1)
  expect(signs).toEqual([
    { name: 'me', seenAt: new Date(NOW) },
    { name: 'today', seenAt: new Date(NOW - 86_399_000) },
  ])
  await exchangeHeartbeats(own.db, 'me', 4, new Date(NOW + 1_000))
  expect(await own.rows(sql`SELECT name, streams FROM weir.workers ORDER BY 1`)).toEqual([
    { name: 'me', streams: 4 },
    { name: 'today', streams: 0 },
  ])
})

test('who retires keeps its streams and has no share; who leaves is gone', async () => {
  await worker('w', NOW)
  await worker('v', NOW)
  await retireWorker(own.db, 'w', new Date(NOW))
  const seen = sql`SELECT name, (extract(epoch FROM seen_at) * 1000)::float8 AS at FROM weir.workers ORDER BY 1`
  expect(await own.rows<{ name: string; at: number }>(seen)).toEqual([
    { name: 'v', at: NOW },
    { name: 'w', at: NOW - 7_000 },
  ])
  await leaveWorker(own.db, 'w')
  expect(await own.rows<{ name: string; at: number }>(seen)).toEqual([{ name: 'v', at: NOW }])
})
