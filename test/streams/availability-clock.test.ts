import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test'
import { followSse } from '../../src/streams/ingest/connection/follow-sse.ts'
import { followPoll } from '../../src/streams/ingest/follow-poll.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import { emptyDelta, tallied } from '../../src/streams/measures/rollup-delta.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { integer, seeded } from '../core/seeded.ts'
import { elapse, settle } from '../support/clock.ts'
import { followDeps, logOf, newRun } from '../support/run.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

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

/** The share of answered checks that rollups of these entries have; NaN without any. */
function shareOf(drafts: readonly Draft[]): number {
  const { answered, unanswered } = sumsOf(drafts)
  return answered / (answered + unanswered)
}

function sumsOf(drafts: readonly Draft[]) {
  const { minutes } = tallied(
    emptyDelta(0),
    drafts.map((draft, index) => ({ ...draft, seq: index + 1 })),
  )
  const sum = (name: 'answered' | 'unanswered' | 'failures') =>
    [...minutes.values()].reduce((total, sums) => total + sums[name], 0)
  return { answered: sum('answered'), unanswered: sum('unanswered'), failures: sum('failures') }
}

function poll(intervalMs: number, fetch: UpstreamFetch, isSilenced?: (at: number) => boolean) {
  const random = seeded('availability-clock.test.ts')
  const deps = followDeps(fetch, {
    random: () => integer(random, 1_000) / 1_000,
    isSilenced: (_, at) => isSilenced?.(at) ?? false,
  })
  const run = newRun({ kind: 'poll', intervalMs })
  const log = logOf(run)
  followPoll(run, log, stop.signal, deps).catch(() => {})
  return log.drafts
}

const broken = () => new Response('', { status: 503 })
const busy = () => new Response('', { status: 503, headers: { 'Retry-After': '300' } })
/** An API that is down from one minute of the hour to another. */
function downBetween(fromMin: number, toMin: number, answer = broken): UpstreamFetch {
  const start = Date.now()
  return async () => {
    const minute = (Date.now() - start) / MINUTE_MS
    return minute >= fromMin && minute < toMin ? answer() : Response.json({})
  }
}

describe.each([2_000, 10_000, 60_000, 150_000])('polled every %d ms', (intervalMs) => {
  /** Checks are as fine as the interval. */
  const perBeat = intervalMs / HOUR_MS
  test('an API that was down for 13 min of an hour was available for 78.3%', async () => {
    const drafts = poll(intervalMs, downBetween(20, 33))
    await elapse(HOUR_MS - 1, Math.min(intervalMs, 10_000) / 10)
    expect(shareOf(drafts)).toBeWithin(0.758 - perBeat, 0.808 + perBeat)
  }, 60_000)

  test('an API that doesn’t answer for 13 min of an hour was, too', async () => {
    const start = Date.now()
    const hangs: UpstreamFetch = (_url, { signal }) => {
      const minute = (Date.now() - start) / MINUTE_MS
      if (minute < 20 || minute >= 33) return Promise.resolve(Response.json({}))
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    }
    const drafts = poll(intervalMs, hangs)
    await elapse(HOUR_MS - 1, Math.min(intervalMs, 10_000) / 10)
    expect(shareOf(drafts)).toBeWithin(0.753 - perBeat, 0.813 + perBeat)
  }, 60_000)

  test('an API that asks to be left alone while it is down was unavailable for as long', async () => {
    const drafts = poll(intervalMs, downBetween(20, 33, busy))
    await elapse(HOUR_MS - 1, Math.min(intervalMs, 10_000) / 10)
    // It asks for 5 min each time: until minute 35.
    expect(shareOf(drafts)).toBeWithin(0.75 - 0.03, 0.75 + 0.03)
  }, 60_000)

  test('a silence takes the outage out', async () => {
    const start = Date.now()
    const isSilenced = (at: number) => at >= start + 20 * MINUTE_MS - 1 && at < start + 35 * MINUTE_MS
    const drafts = poll(intervalMs, downBetween(20, 33), isSilenced)
    await elapse(HOUR_MS - 1, Math.min(intervalMs, 10_000) / 10)
    expect(shareOf(drafts)).toBe(1)
    expect(sumsOf(drafts).answered).toBeWithin((0.72 * HOUR_MS) / intervalMs, (0.78 * HOUR_MS) / intervalMs)
    expect(sumsOf(drafts).failures).toBeGreaterThan(0)
  }, 60_000)

  test('an API that fails every third request was available for 66.7%', async () => {
    let requests = 0
    const drafts = poll(intervalMs, async () => (++requests % 3 === 0 ? broken() : Response.json({})))
    await elapse(Math.max(HOUR_MS / 4, 30 * intervalMs) - 1, Math.min(intervalMs, 10_000) / 10)
    expect(shareOf(drafts)).toBeWithin(0.666 - 0.03, 0.667 + 0.03)
  }, 60_000)
})

test('time in which Weir was off counts neither way, even if the API failed before and after', async () => {
  const fetch = downBetween(10, 50)
  const deps = followDeps(fetch)
  const first = newRun({ kind: 'poll', intervalMs: 60_000 })
  const before = logOf(first)
  followPoll(first, before, stop.signal, deps).catch(() => {})
  await elapse(15 * MINUTE_MS, 1_000)
  stop.abort()
  await elapse(30 * MINUTE_MS, 60_000)
  stop = new AbortController()
  const second = newRun({ kind: 'poll', intervalMs: 60_000 }, { evidence: first.evidence, epoch: 2 })
  const after = logOf(second)
  followPoll(second, after, stop.signal, deps).catch(() => {})
  await elapse(15 * MINUTE_MS, 1_000)
  const sums = [before, after].map(({ drafts }) => sumsOf(drafts))
  // Up for 10 min of each quarter of an hour in which it ran.
  expect(sums[0]?.answered).toBe(10)
  expect(sums[0]?.unanswered).toBeWithin(5, 7)
  expect(sums[1]?.unanswered).toBeWithin(4, 7)
  expect(sums[1]?.answered).toBeWithin(9, 12)
}, 60_000)

test('an API that fails one request in three at random was available for 66.7%, though retries find it answering', async () => {
  const random = seeded('one in three')
  const drafts = poll(5_000, async () => (integer(random, 3) === 0 ? broken() : Response.json({})))
  await elapse(2 * HOUR_MS - 1, 500)
  expect(shareOf(drafts)).toBeWithin(0.62, 0.71)
}, 60_000)

test('an error of Weir’s own is no failed attempt, and an entry says what it decides only if that is unusual', async () => {
  const drafts = poll(10_000, downBetween(1, 2))
  await elapse(3 * MINUTE_MS, 500)
  const unusual = drafts.filter(({ exchange }) => exchange?.checks !== undefined)
  // Of those that were answered, only the first after the outage, which decides the wait before it.
  const firstAnswered = drafts.find(
    ({ kind, at }, index) => kind !== 'error' && at > 0 && drafts[index - 1]?.kind === 'error',
  )
  expect(unusual.filter(({ kind }) => kind !== 'error').every((draft) => draft === firstAnswered)).toBe(true)
  expect(sumsOf(drafts).failures).toBe(drafts.filter(({ kind }) => kind === 'error').length)
  const own: Draft = { at: 0, kind: 'error', wireBytes: 0, bodyBytes: 0, data: '{"code":"patch_mismatch"}' }
  expect(sumsOf([own])).toEqual({ answered: 0, unanswered: 0, failures: 0 })
})

/** Each counts the outage from the first failed attempt to the first answered one. */
test.each([2_000, 10_000, 60_000])(
  'polled every %d ms, availability and evidence agree on an outage',
  async (intervalMs) => {
    for (const [from, to] of [
      [20, 33],
      [5, 9.5],
      [11, 41.3],
    ] as const) {
      const fetch = downBetween(from, to)
      const run = newRun({ kind: 'poll', intervalMs })
      const log = logOf(run)
      const random = seeded(`outage ${from}`)
      const own = new AbortController()
      const ended = followPoll(
        run,
        log,
        own.signal,
        followDeps(fetch, { random: () => integer(random, 1_000) / 1_000 }),
      )
      ended.catch(() => {})
      await elapse(to * MINUTE_MS - 1, Math.min(intervalMs, 10_000) / 10)
      const since = run.evidence.failingSince ?? 0
      await elapse(3 * MINUTE_MS, Math.min(intervalMs, 10_000) / 10)
      const until = run.evidence.recoveredAt ?? 0
      own.abort()
      await settle()
      expect(until).toBeGreaterThan(since)
      const downMs = sumsOf(log.drafts).unanswered * intervalMs
      expect(Math.abs(downMs - (until - since))).toBeLessThanOrEqual(intervalMs)
    }
  },
  120_000,
)

describe('an event stream', () => {
  const SSE = { headers: { 'Content-Type': 'text/event-stream' } }

  /** An upstream that is reachable or not; its connections stay open and send a comment every ten seconds if it speaks. */
  function upstream() {
    const state = { isUp: true, speaks: true }
    const open = new Set<ReadableStreamDefaultController<Uint8Array>>()
    const text = new TextEncoder()
    const send = (data: string) => {
      if (state.speaks) for (const each of open) each.enqueue(text.encode(data))
    }
    setInterval(() => send(': here\n\n'), 10_000)
    const end = () => {
      for (const each of open) each.close()
      open.clear()
    }
    const fetch: UpstreamFetch = async () => {
      if (!state.isUp) throw Object.assign(new Error('refused'), { code: 'ConnectionRefused' })
      let own: ReadableStreamDefaultController<Uint8Array>
      return new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => {
            own = controller
            open.add(controller)
          },
          cancel: () => void open.delete(own),
        }),
        SSE,
      )
    }
    return { state, end, fetch, send }
  }

  function follow(fetch: UpstreamFetch) {
    const run = newRun({ kind: 'sse', silenceMs: 60_000 })
    const log = logOf(run)
    followSse(run, log, stop.signal, followDeps(fetch)).catch(() => {})
    const from = Date.now()
    return {
      run,
      drafts: log.drafts,
      spells: () => {
        const { spell } = run.evidence
        const all = [...run.spells, ...(spell ? [{ ...spell, to: Date.now() }] : [])]
        return all.map(({ state, from: start, to }) => [state, start - from, to - from])
      },
    }
  }

  test('is up while it is connected, and in the pause before it reconnects', async () => {
    const { end, fetch, send } = upstream()
    const { spells, drafts } = follow(fetch)
    await elapse(30_000, 1_000)
    send('data: 1\n\n')
    end()
    await elapse(30_000, 500)
    expect(drafts.filter(({ exchange }) => exchange).length).toBe(2)
    expect(spells()).toEqual([['up', 0, 60_000]])
  })

  test('is down from a failed attempt to the next connection', async () => {
    const { state, end, fetch, send } = upstream()
    const { spells, drafts } = follow(fetch)
    await elapse(30_000, 1_000)
    send('data: 1\n\n')
    state.isUp = false
    end()
    await elapse(5 * MINUTE_MS, 500)
    state.isUp = true
    await elapse(5 * MINUTE_MS, 500)
    const [first, down, last] = spells()
    expect([first?.[0], down?.[0], last?.[0]]).toEqual(['up', 'down', 'up'])
    // Reconnected after 3.5 s, and at most a minute after it was reachable again.
    expect(down?.[1]).toBe(33_500)
    expect(down?.[2]).toBeWithin(330_000, 390_000)
    expect(sumsOf(drafts)).toMatchObject({ answered: 0, unanswered: 0 })
    expect(sumsOf(drafts).failures).toBeGreaterThan(3)
  })

  test('is silent from the end of its allowed silence; a connection after a failure must speak first', async () => {
    const { state, fetch } = upstream()
    const { spells } = follow(fetch)
    await elapse(30_000, 1_000)
    state.speaks = false
    await elapse(10 * MINUTE_MS, 500)
    state.speaks = true
    await elapse(MINUTE_MS, 500)
    const all = spells()
    expect(all.map(([each]) => each)).toEqual(['up', 'silent', 'up', 'silent', 'up'])
    const [, first, , second] = all as [string, number, number][]
    expect(first?.[1]).toBe(90_000)
    // From the second silence, which is a failure, until it speaks again.
    expect((second?.[2] ?? 0) - (second?.[1] ?? 0)).toBeGreaterThan(7 * MINUTE_MS)
  })
})
