import { afterEach, expect, setSystemTime, test } from 'bun:test'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import { askUpstream, readBody } from '../../src/streams/ingest/upstream.ts'
import { waitUntil } from '../../src/streams/ingest/wait.ts'

const HOUR_MS = 3_600_000
const never = new AbortController().signal

/** A clock that is set back by an hour once it was read a few times. */
function setBackAfter(readings: number): () => number {
  let read = 0
  return () => Date.now() - (read++ < readings ? 0 : HOUR_MS)
}

afterEach(() => void setSystemTime())

test('a clock that is set back makes no wait longer', async () => {
  const now = setBackAfter(2)
  expect(await waitUntil(now() + 20, never, now)).toBe(true)
})

test('a clock that is set back makes no pause of a host longer', async () => {
  const hosts = new Hosts(setBackAfter(1), () => 0)
  hosts.pause('http://a.test/', 20)
  let until = 0
  const leave = await hosts.enter('http://a.test/', never, (end) => (until = end))
  expect(until).toBeLessThanOrEqual(Date.now() - HOUR_MS + 20)
  leave()
})

test('a clock that is set back gives no answer a negative duration', async () => {
  const asked = { url: 'http://a.test/', method: 'GET', headers: {}, body: null }
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
  const answer = await askUpstream(asked, {}, limits, never, async () => Response.json({}))
  setSystemTime(Date.now() - HOUR_MS)
  await readBody(answer, limits, never)
  expect(answer.exchange.response?.durationMs).toBeGreaterThanOrEqual(0)
})
