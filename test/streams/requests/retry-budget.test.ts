import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { DAY_MS, HOUR_MS } from '../../../src/core/time.ts'
import { followPoll } from '../../../src/streams/ingest/follow-poll.ts'
import type { Run } from '../../../src/streams/ingest/run.ts'
import { RETRIES_PER_DAY, RetryBudget, retryBudgetOf } from '../../../src/streams/requests/retry-budget.ts'
import { elapse, settle } from '../../support/clock.ts'
import { followDeps, logOf, newRun } from '../../support/run.ts'

/** Noon of a day (UTC). */
const NOON = Date.UTC(2026, 0, 5, 12)
let stop: AbortController

beforeEach(() => {
  jest.useFakeTimers({ now: NOON })
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await settle()
  jest.useRealTimers()
})

/** Follows an API that is down; counts what it is asked. */
function followDown(retries: RetryBudget, run: Run, headers: Record<string, string> = {}) {
  const asked: number[] = []
  const deps = followDeps(
    async () => {
      asked.push(Date.now() - NOON)
      return new Response('', { status: 503, headers })
    },
    { retries, random: () => 0.999 },
  )
  followPoll(run, logOf(run), stop.signal, deps).catch(() => {})
  return asked
}

const hourly = (more: object = {}) =>
  newRun({ kind: 'poll', intervalMs: HOUR_MS, url: 'http://a.test/', ...more })

test('a daily poll that fails is retried a few times an hour at most, not once a minute', async () => {
  const asked = followDown(new RetryBudget(), newRun({ kind: 'poll', intervalMs: DAY_MS }))
  for (let minutes = 0; minutes < 10 * 60; minutes++) await elapse(60_000)
  const afterFirstHours = asked.filter((at) => at > 3 * HOUR_MS)
  expect(afterFirstHours.length).toBeGreaterThan(1)
  expect(afterFirstHours.length).toBeLessThan(6)
})

test('without retries left for its host, a failing poll waits for its schedule', async () => {
  const run = hourly()
  const asked = followDown(new RetryBudget(3), run)
  for (let minutes = 0; minutes < 150; minutes++) await elapse(60_000)
  expect(asked.slice(0, 4).every((at) => at < HOUR_MS)).toBe(true)
  expect(asked.slice(4)).toEqual([HOUR_MS, 2 * HOUR_MS])
  expect(run.evidence.retries).toMatchObject({ count: 3, left: 0 })
  expect(run.evidence.nextRetryAt).toBe(NOON + 3 * HOUR_MS)
})

test('all streams of a host share its budget; other hosts have their own', async () => {
  const retries = new RetryBudget(4)
  const asked = ['http://a.test/1', 'http://a.test/2', 'http://b.test/'].map((url) =>
    followDown(retries, hourly({ url })),
  )
  for (let minutes = 0; minutes < 50; minutes++) await elapse(60_000)
  const [one = 0, two = 0, other = 0] = asked.map(({ length }) => length)
  expect(one + two).toBe(2 + 4)
  expect(other).toBe(1 + 4)
})

test('the next day begins with a whole budget', async () => {
  const retries = new RetryBudget(1)
  const poll = { id: 'a', url: 'http://a.test/' }
  expect(retries.take(poll, NOON)).toMatchObject({ isTaken: true, left: 0 })
  expect(retries.take(poll, NOON)).toMatchObject({ isTaken: false })
  expect(retries.take(poll, NOON + DAY_MS)).toMatchObject({ isTaken: true, left: 0 })
})

test('a restart doesn’t forget what was used, and a new run in the same process doesn’t count it twice', () => {
  const poll = { id: 'a', url: 'http://a.test/' }
  const before = new RetryBudget(10)
  before.take(poll, NOON)
  const { isTaken: _, ...use } = before.take(poll, NOON)
  before.restore(poll, use, NOON)
  expect(before.take(poll, NOON).left).toBe(7)
  const after = new RetryBudget(10)
  after.restore(poll, use, NOON)
  expect(after.take(poll, NOON)).toMatchObject({ count: 3, left: 7 })
  const nextDay = new RetryBudget(10)
  nextDay.restore(poll, use, NOON + DAY_MS)
  expect(nextDay.take(poll, NOON + DAY_MS).left).toBe(9)
})

test('a Retry-After still holds without a budget', async () => {
  const asked = followDown(new RetryBudget(0), hourly(), { 'Retry-After': '1800' })
  for (let minutes = 0; minutes < 65; minutes++) await elapse(60_000)
  expect(asked[1]).toBeGreaterThanOrEqual(30 * 60_000)
  expect(asked[1]).toBe(HOUR_MS)
})

test('what is left is told while a stream fails', () => {
  const retries = { day: Math.floor(NOON / DAY_MS), count: 2, left: 990 }
  expect(retryBudgetOf({ failures: 0, retries })).toBeUndefined()
  expect(retryBudgetOf({ failures: 2 })).toBeUndefined()
  expect(retryBudgetOf({ failures: 2, retries })).toEqual({
    left: 990,
    perDay: RETRIES_PER_DAY,
    resetsAt: new Date(Date.UTC(2026, 0, 6)),
  })
})
