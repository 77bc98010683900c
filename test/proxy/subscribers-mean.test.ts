import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Longer than the interval, so that every other beat is skipped. */
const ANSWER_MS = 900
const INTERVAL_MS = 500
/** Enough polls for the usage to be written, which happens every 5 s. */
const POLLS = 8

let upstream: Upstream
let weir: TestWeir

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

interface Answer {
  polls: number
  streaming: { plain: { heartbeatBytes: number } } | null
  measured: { subscribers: number } | null
  serverBandwidthSavings: { subscribers: number }
}

test('one subscriber of an API slower than its interval is one, not two', async () => {
  const url = upstream.on('/slow', async (_request, hit) => {
    await Bun.sleep(ANSWER_MS)
    return Response.json({ n: Math.floor(hit / 5) })
  })
  const startedAt = Date.now()
  const leave = new AbortController()
  const response = await fetch(`${weir.url}/proxy/${url}?intervalMs=${INTERVAL_MS}`, { signal: leave.signal })
  void response.text().catch(() => {})
  const saved = await until('the subscriber and enough polls are counted', async () => {
    const { items } = await weir.json<{ items: { id: string; url: string }[] }>('/api/streams')
    const id = items.find((item) => item.url === url)?.id
    if (id === undefined) return undefined
    const answer = await weir.json<Answer>(`/api/streams/${id}/savings`)
    return answer.polls >= POLLS && answer.measured !== null ? answer : undefined
  })
  const elapsedMs = Date.now() - startedAt
  leave.abort()
  expect(saved.measured?.subscribers).toBeLessThanOrEqual(1.1)
  expect(saved.measured?.subscribers).toBeGreaterThan(0.3)
  expect(saved.serverBandwidthSavings.subscribers).toBeLessThanOrEqual(1.1)
  const heartbeats = (saved.streaming?.plain.heartbeatBytes ?? 0) / 13
  expect(heartbeats).toBeLessThanOrEqual(elapsedMs / 15_000 + 1)
  // Half of the time would be polls times interval.
  expect(heartbeats).toBeGreaterThanOrEqual((POLLS * ANSWER_MS) / 15_000 - 1 / 13)
})
