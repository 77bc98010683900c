import { afterEach, beforeEach, expect, jest, spyOn, test } from 'bun:test'
import { followPoll } from '../../src/streams/ingest/follow-poll.ts'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import { waitUntil } from '../../src/streams/ingest/wait.ts'
import { elapse, settle } from '../support/clock.ts'
import { dataOf, followDeps, logOf, newRun } from '../support/run.ts'

let stop: AbortController

beforeEach(() => {
  jest.useFakeTimers()
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await settle()
  jest.useRealTimers()
})

type Answer = () => Response | Promise<Response>

/** An API that answers with each of these in turn, and then with the last one again. */
function answering(...answers: readonly Answer[]) {
  const askedAt: number[] = []
  const requests: Record<string, string>[] = []
  const from = Date.now()
  const fetch: UpstreamFetch = async (_url, { headers }) => {
    askedAt.push(Date.now() - from)
    requests.push(headers as Record<string, string>)
    return (answers[Math.min(askedAt.length, answers.length) - 1] as Answer)()
  }
  return { fetch, askedAt, requests }
}

const json =
  (value: unknown, headers: Record<string, string> = {}): Answer =>
  () =>
    Response.json(value, { headers })
const busy: Answer = () => new Response('', { status: 503, headers: { 'Retry-After': '30' } })

function poll(
  fetch: UpstreamFetch,
  run: Run = newRun({ kind: 'poll', intervalMs: 1_000 }),
  deps = followDeps(fetch),
  hasRoom?: Parameters<typeof logOf>[1],
) {
  const log = logOf(run, hasRoom)
  const ended = followPoll(run, log, stop.signal, deps)
  ended.catch(() => {})
  return { run, ...log, deps, ended }
}

test('polls keep their beat however long an answer takes, and never overlap', async () => {
  const slow =
    (ms: number): Answer =>
    async () => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return Response.json({ at: Date.now() })
    }
  const { fetch, askedAt } = answering(slow(0), slow(700), slow(1_200), slow(0))
  poll(fetch)
  for (let ms = 0; ms < 6_000; ms += 100) await elapse(100)
  expect(askedAt).toEqual([0, 1_000, 2_000, 4_000, 5_000, 6_000])
})

test('a run continues the wait after a failure of the one before, however long its interval', async () => {
  const { fetch, askedAt } = answering(json({}))
  const now = Date.now()
  const lastError = { code: 'timeout', message: 'No answer.', at: now - 1_000 }
  const evidence = { failures: 2, failingSince: now - 5_000, nextRetryAt: now + 700, lastError }
  const run = newRun(
    { kind: 'poll', intervalMs: 86_400_000 },
    { evidence: { ...evidence, lastPollAt: now - 6_000 } },
  )
  poll(fetch, run)
  await elapse(699)
  expect(askedAt).toEqual([])
  await elapse(1)
  expect(askedAt).toEqual([700])
})

test('a run continues the beat of the one before', async () => {
  const { fetch, askedAt } = answering(json({}))
  poll(fetch, newRun({ kind: 'poll', intervalMs: 1_000 }, { evidence: { lastPollAt: Date.now() - 400 } }))
  await elapse(599)
  expect(askedAt).toEqual([])
  await elapse(1)
  expect(askedAt).toEqual([600])
})

test.each([
  [2_000, []],
  [2_001, [2_001]],
])('after %i ms without a run there are these gaps: %p', async (awayMs, gaps) => {
  const { fetch } = answering(json({}))
  const evidence = { lastPollAt: Date.now() - awayMs }
  const { drafts } = poll(fetch, newRun({ kind: 'poll', intervalMs: 1_000 }, { evidence }))
  await settle()
  const told = dataOf(drafts, 'gap').map(({ reason, from, to }) => [reason, lasted(from, to)])
  expect(told).toEqual(gaps.map((ms) => ['not_polled', ms]))
})

test.each([
  [1_000, 5_000, []],
  [1_000, 5_001, [5_001]],
  [5_000, 10_000, []],
  [5_000, 10_001, [10_001]],
])(
  'at an interval of %i ms, a poll that is %i ms late tells of these gaps: %p',
  async (intervalMs, lateMs, gaps) => {
    let skewMs = 0
    const { fetch } = answering(json({}))
    const deps = followDeps(fetch, { now: () => Date.now() + skewMs })
    const { drafts } = poll(fetch, newRun({ kind: 'poll', intervalMs }), deps)
    await settle()
    skewMs = lateMs
    await elapse(intervalMs)
    expect(dataOf(drafts, 'gap').map(({ from, to }) => lasted(from, to) - intervalMs)).toEqual(gaps)
  },
)

const lasted = (from: unknown, to: unknown) => Date.parse(`${to}`) - Date.parse(`${from}`)

test('a host that asks to wait isn’t asked by any stream meanwhile, and they come back spread', async () => {
  const { fetch, askedAt } = answering(busy, json({}))
  const { deps, run } = poll(fetch)
  await settle()
  expect(run.evidence.nextRetryAt).toBe(Date.now() + 30_000)
  const other = newRun({ kind: 'poll', intervalMs: 1_000, url: 'http://a.test/other' })
  poll(fetch, other, deps)
  await settle()
  // Its status says so, too.
  expect(other.evidence.nextRetryAt).toBe(Date.now() + 30_000)
  await elapse(30_000)
  expect(askedAt).toEqual([0, 30_000])
  await elapse(999)
  expect(askedAt).not.toContain(31_000)
  await elapse(1)
  expect(askedAt).toContain(31_000)
})

test('a host that asks to wait again is asked by one stream, not by all that waited', async () => {
  const { fetch, askedAt } = answering(busy, busy, json({}))
  const { deps } = poll(fetch)
  await settle()
  for (const path of ['b', 'c']) {
    poll(fetch, newRun({ kind: 'poll', intervalMs: 3_600_000, url: `http://a.test/${path}` }), deps)
  }
  await elapse(59_999, 500)
  expect(askedAt).toEqual([0, 30_000])
  await elapse(1)
  await elapse(1_000)
  expect(askedAt.filter((at) => at < 61_000)).toEqual([0, 30_000, 60_000])
  expect(askedAt.filter((at) => at === 61_000).length).toBeGreaterThanOrEqual(2)
})

test('a request that waits for a slot waits for a pause that begins meanwhile', async () => {
  const hosts = new Hosts(Date.now, () => 0)
  const leaves = await Promise.all(
    Array.from({ length: 100 }, () => hosts.enter('http://a.test/', stop.signal)),
  )
  let isIn = false
  void hosts.enter('http://a.test/', stop.signal).then(() => {
    isIn = true
  })
  await settle()
  hosts.pause('http://a.test/', 5_000)
  for (const leave of leaves) leave()
  await elapse(4_999)
  expect(isIn).toBe(false)
  await elapse(1)
  expect(isIn).toBe(true)
})

test('a request that was given up before it began is none', async () => {
  const hosts = new Hosts(Date.now, () => 0)
  for (let count = 0; count < 100; count++) await hosts.enter('http://a.test/', stop.signal)
  const gone = await hosts
    .enter('http://a.test/', AbortSignal.abort(new Error('enough')))
    .catch((error) => error)
  expect(gone).toEqual(new Error('enough'))
})

test('a wait is cut where the stream may be called dead, so that this takes a failure then', async () => {
  const { fetch, requests } = answering(() => new Response('', { status: 500 }))
  poll(fetch)
  await settle()
  const startedAt = Date.now()
  // By backoff alone, attempts are due after 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 and 61.5 s.
  for (let seconds = 0; seconds < 60; seconds++) await elapse(1_000)
  expect([Date.now() - startedAt, requests.length]).toEqual([60_000, 8])
})

test('failures wait twice as long each time, up to a minute', async () => {
  const { fetch } = answering(() => new Response('', { status: 500 }))
  const { drafts, run } = poll(fetch, newRun({ kind: 'poll', intervalMs: 1_000, deadAfterMs: 0 }))
  for (let failures = 1; failures <= 9; failures++) {
    await settle()
    const waitMs = (run.evidence.nextRetryAt ?? 0) - Date.now()
    expect([failures, waitMs]).toEqual([failures, Math.min(500 * 2 ** (failures - 1), 30_000)])
    await elapse(waitMs)
  }
  expect(dataOf(drafts, 'error')).toHaveLength(10)
})

test('an API that is polled once a day isn’t retried every minute', async () => {
  const { fetch, askedAt } = answering(() => new Response('', { status: 500 }))
  const { run } = poll(fetch, newRun({ kind: 'poll', intervalMs: 24 * 3_600_000 }))
  for (let failures = 1; failures <= 20; failures++) {
    await settle()
    await elapse((run.evidence.nextRetryAt ?? 0) - Date.now())
  }
  // The mean of a twelfth of a day.
  expect((askedAt.at(-1) ?? 0) - (askedAt.at(-2) ?? 0)).toBe(3_600_000)
})

test('a good answer ends the failure, and the beat goes on', async () => {
  const { fetch, askedAt } = answering(json({}), () => new Response('', { status: 500 }), json({ a: 1 }))
  const { run } = poll(fetch)
  await elapse(1_000)
  expect(run.evidence).toMatchObject({ failures: 1, phase: 'waiting' })
  await elapse(500)
  expect(run.evidence).toMatchObject({ failures: 0, phase: 'open' })
  expect([run.evidence.failingSince, run.evidence.nextRetryAt]).toEqual([undefined, undefined])
  await elapse(500)
  expect(askedAt).toEqual([0, 1_000, 1_500, 2_000])
})

test('validators are sent back; after a body that wasn’t stored, all of it is asked for', async () => {
  const validators = {
    ETag: '"1"',
    'Last-Modified': 'Mon, 30 Nov 2026 00:00:00 GMT',
    Date: 'Mon, 30 Nov 2026 00:00:01 GMT',
  }
  const { fetch, requests } = answering(json({ a: 1 }, validators), json({ a: 2 }, validators))
  poll(fetch, undefined, undefined, ({ changed }) => changed !== true)
  await elapse(1_000)
  await elapse(1_000)
  const sent = requests.map((headers) => [headers['If-None-Match'], headers['If-Modified-Since']])
  expect(sent).toEqual([
    [undefined, undefined],
    ['"1"', validators['Last-Modified']],
    [undefined, undefined],
  ])
})

test('a body that doesn’t end is given up after ten seconds, with the bytes that came', async () => {
  const endless = new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{"a":')) })
  const { fetch } = answering(() => new Response(endless))
  const { drafts } = poll(fetch)
  await elapse(9_999)
  expect(dataOf(drafts, 'error')).toEqual([])
  await elapse(1)
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'timeout' }])
  expect(drafts.find(({ kind }) => kind === 'error')?.wireBytes).toBe(5)
})

test.each([
  [10_000, undefined],
  [10_001, 'too_large'],
])('a body of %i bytes has this error: %p', async (bytes, code) => {
  const { fetch } = answering(
    () => new Response('x'.repeat(bytes), { headers: { 'Content-Type': 'text/plain' } }),
  )
  const { drafts } = poll(fetch)
  await settle()
  expect(dataOf(drafts, 'error').map((error) => error.code)).toEqual(code === undefined ? [] : [code])
})

test('a hundred requests of a host run at once', async () => {
  let asked = 0
  const fetch: UpstreamFetch = () => {
    asked++
    return new Promise(() => {})
  }
  const deps = followDeps(fetch)
  for (let stream = 0; stream < 120; stream++) poll(fetch, newRun({ kind: 'poll' }), deps)
  await settle()
  expect(asked).toBe(100)
})

test('an aborted wait leaves no timer behind', async () => {
  const waiting = waitUntil(Date.now() + 5_000, stop.signal, Date.now)
  stop.abort()
  expect(await waiting).toBe(false)
  expect(jest.getTimerCount()).toBe(0)
})

test('a wait of years is made of waits that a timer can hold', async () => {
  const timers = spyOn(globalThis, 'setTimeout')
  const waiting = waitUntil(Date.now() + 100 * 365 * 86_400_000, stop.signal, Date.now)
  await settle()
  expect(timers.mock.calls.map(([, ms]) => ms)).toEqual([2_147_483_647])
  timers.mockRestore()
  stop.abort()
  expect(await waiting).toBe(false)
})

test('a pause is never shortened by another', async () => {
  const hosts = new Hosts(Date.now, () => 0)
  hosts.pause('http://a.test/', 30_000)
  hosts.pause('http://a.test/', 5_000)
  let isIn = false
  void hosts.enter('http://a.test/', stop.signal).then(() => {
    isIn = true
  })
  await elapse(29_999)
  expect(isIn).toBe(false)
  await elapse(1)
  expect(isIn).toBe(true)
})

test('a host that is paused is still paused when its last request has ended', async () => {
  const hosts = new Hosts(Date.now, () => 0)
  const leave = await hosts.enter('http://a.test/', stop.signal)
  hosts.pause('http://a.test/', 30_000)
  leave()
  let isIn = false
  void hosts.enter('http://a.test/', stop.signal).then(() => {
    isIn = true
  })
  await elapse(29_999)
  expect(isIn).toBe(false)
  await elapse(1)
  expect(isIn).toBe(true)
})

test('a pause ends in time although the clock is set back', async () => {
  let skewMs = 0
  const hosts = new Hosts(
    () => Date.now() + skewMs,
    () => 0,
  )
  hosts.pause('http://a.test/', 5_000)
  let isIn = false
  void hosts.enter('http://a.test/', stop.signal).then(() => {
    isIn = true
  })
  await elapse(2_500)
  skewMs = -3_600_000
  await elapse(2_499)
  expect(isIn).toBe(false)
  await elapse(1)
  expect(isIn).toBe(true)
})
