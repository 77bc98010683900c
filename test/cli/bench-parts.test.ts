import { afterAll, describe, expect, test } from 'bun:test'
import { compare, type Phase } from '../../src/cli/bench/cost.ts'
import { poll } from '../../src/cli/bench/pollers.ts'
import { Subscribers } from '../../src/cli/bench/subscribers.ts'
import { versionsSince, windowOf } from '../../src/cli/bench/window.ts'
import { BenchError } from '../../src/cli/command.ts'
import { Hub } from '../../src/hub/hub.ts'
import { startUpstream } from '../support/upstream.ts'

const upstream = startUpstream()
afterAll(() => upstream.stop())

const { signal } = new AbortController()

describe('what is replayed', () => {
  const polls = [3, 4, 5, 7, 8].map((seq) => ({ seq, at: `at ${seq}` }))

  test('polls count from the first, whose document may be older', () => {
    const versions = [7, 4, 2, 1].map((seq) => ({ seq, at: `at ${seq}` }))
    const documents = versionsSince(versions, 3).toReversed()
    expect(documents.map(({ seq }) => seq)).toEqual([2, 4, 7])
    expect(windowOf(polls, documents)).toEqual({ from: 'at 3', to: 'at 8', polls: 4, foundAt: [0, 1, 3] })
  })

  test('polls before the first known document are left out', () => {
    const documents = [5, 7].map((seq) => ({ seq, at: `at ${seq}` }))
    expect(windowOf(polls, documents)).toEqual({ from: 'at 5', to: 'at 8', polls: 2, foundAt: [0, 1] })
  })
})

describe('cost', () => {
  const played = { clients: 10, replays: 2, tookMs: 1_000, onceMs: 96 }
  const streamed = (sendMs: number): Phase => ({
    ...{ way: 'streaming', sendMs, deliveries: 1_000, ...played },
    ...{ connectMs: 3, connections: 10, beatMs: 1, heartbeats: 100 },
  })
  const polled = (way: 'plain' | 'gzip' | 'conditional', cpuMs: number): Phase => ({
    ...{ way, cpuMs, polls: 1_000, notModified: 0, ...played },
  })
  // A day, with a poll every minute and a change every hour.
  const counts = { polls: 1_440, changes: 24, windowMs: 86_400_000 }

  test('is that of one poll or delivery, times those recorded, for each client', () => {
    const phases = [polled('plain', 10), polled('gzip', 20), polled('conditional', 40), streamed(5)]
    const { polling, streaming } = compare(phases, counts, 100)
    // 96 / 2 once; each: 0.3 to connect, 24 × 0.005 to send, 5,760 × 0.01 for heartbeats.
    const each = 0.3 + 24 * 0.005 + 5_760 * 0.01
    expect(streaming.cpuMs).toBeCloseTo(48 + 100 * each, 9)
    expect(polling.plain.cost.cpuMs).toBeCloseTo(48 + 100 * 1_440 * 0.01, 9)
    expect(polling.conditional.cost.cpuMs).toBeCloseTo(48 + 100 * 1_440 * 0.04, 9)
    expect(polling.plain.saved.share).toBeLessThan(0)
    expect(polling.plain.saved.share).toBeCloseTo(1 - streaming.cpuMs / polling.plain.cost.cpuMs, 9)
  })

  test('is unclear when phases differ by more than streaming saves', () => {
    const day = { ...counts, windowMs: 0 }
    const ways = ['gzip', 'conditional'].map((way) => polled(way as 'gzip', 10))
    const of = (...plain: number[]) => {
      const phases = [...plain.map((cpuMs) => polled('plain', cpuMs)), ...ways, streamed(5), streamed(5)]
      return compare(phases, day, 1_000_000).polling.plain.saved
    }
    const clear = of(10, 11)
    expect(clear).toMatchObject({ isClear: true })
    expect(clear.share).toBeGreaterThan(clear.least)
    expect(clear.share).toBeLessThan(clear.most)
    expect(of(0.2, 2)).toMatchObject({ isClear: false })
  })
})

describe('a client that is served a wrong document', () => {
  test('fails the polling', async () => {
    const url = upstream.on('/wrong', () => new Response('{"a":1}'))
    const polling = (last: string) => poll({ url, way: 'plain', clients: 3, polls: 2, last, signal })
    expect(await polling('{"a":1}')).toEqual({ notModified: 0, bodyBytes: 42 })
    await expect(polling('{"a":2}')).rejects.toThrow(
      new BenchError('bench_failed', 'A client that polled (plain) ended with another document.'),
    )
  })

  test('and so does a server that is gone', async () => {
    const gone = startUpstream()
    await gone.stop()
    const polling = poll({ url: gone.url, way: 'gzip', clients: 2, polls: 2, last: '1', signal })
    await expect(polling).rejects.toThrow(/^The polling server doesn't respond: /)
    await expect(polling).rejects.toBeInstanceOf(BenchError)
  })

  const SET = (value: number) => `[{"op":"replace","path":"/a","value":${value}}]`

  /** Streams a document to two subscribers, and a change to each. */
  function subscribed(path: string, changes: readonly string[], last: string) {
    const hub = new Hub(() => 0)
    const url = upstream.on(path, ({ signal: left }, hits) =>
      hub.subscribe('document', {
        ...{ signal: left, gzip: true },
        replay: async (send) => {
          await send({ event: 'data', data: '{"a":1}' })
          await send({ event: 'patch', data: changes[hits - 1] as string })
          if (hits === 2) hub.close()
        },
      }),
    )
    return new Subscribers({ url, clients: 2, signal }).received(last)
  }

  test('fails the streaming', async () => {
    const wrong = new BenchError('bench_failed', 'A subscriber ended with another document.')
    expect(await subscribed('/right', [SET(2), SET(2)], '{"a":2}')).toMatchObject({ events: 4 })
    await expect(subscribed('/outdated', [SET(2), SET(2)], '{"a":3}')).rejects.toThrow(wrong)
    await expect(subscribed('/differing', [SET(2), SET(4)], '{"a":2}')).rejects.toThrow(wrong)
  })

  test('a stream that breaks fails too', async () => {
    const url = upstream.on('/refused', () => new Response('', { status: 503 }))
    const subscribers = new Subscribers({ url, clients: 2, signal })
    const broken = new BenchError(
      'bench_failed',
      "A subscriber's stream broke: it couldn't read fast enough.",
    )
    await expect(subscribers.failed).rejects.toThrow(broken)
    await expect(subscribers.received('1')).rejects.toThrow(broken)
  })
})
