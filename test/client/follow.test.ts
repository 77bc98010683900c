import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createClient, type WeirClient } from '../../src/client/client.ts'
import { followEntries, type LiveMessage } from '../../src/client/follow.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'

let server: Upstream
let client: WeirClient
const id = '00000000-0000-7000-8000-000000000000'
const SILENCE_MS = 2_000
/** Heartbeats that take twice the silence that is allowed. */
const MANY = 40
const PATH = `/api/streams/${id}/events`

beforeAll(() => {
  server = startUpstream()
  client = createClient({ url: server.url })
})

afterAll(() => server.stop())

function entry(seq: number): string {
  return `event: entry\nid: ${seq}\ndata: {"seq":${seq}}\n\n`
}

/** Follows until the test stops it. */
function follow(options: { after?: number; silenceMs?: number } = {}) {
  const stop = new AbortController()
  const got: LiveMessage[] = []
  const ended = (async () => {
    const messages = followEntries(client, id, { after: 0, ...options, signal: stop.signal })
    for await (const message of messages) got.push(message)
  })().catch((error: unknown) => error)
  const seqs = () => got.flatMap((message) => (message.kind === 'entry' ? [message.seq] : []))
  const end = () => {
    stop.abort()
    return ended
  }
  return { got, seqs, ended, stop: end }
}

test('an entry repeated after a reconnect arrives once, and Last-Event-ID says where to resume', async () => {
  const asked: (string | null)[] = []
  server.on(PATH, ({ headers }, hits) => {
    asked.push(headers.get('last-event-id'))
    const text = hits === 1 ? entry(6) + entry(7) : entry(7) + entry(8)
    return new Response(`retry: 1\n\n${text}`, { headers: { 'Content-Type': 'text/event-stream' } })
  })
  const follower = follow({ after: 5 })
  await until('the eighth came', () => follower.seqs().includes(8))
  expect(await follower.stop()).toBeUndefined()
  expect(follower.seqs()).toEqual([6, 7, 8])
  expect(asked.slice(0, 2)).toEqual(['5', '7'])
  expect(follower.got.map(({ kind }) => kind).slice(0, 5)).toEqual([
    'entry',
    'entry',
    'away',
    'back',
    'entry',
  ])
})

test('a silent connection is reopened; heartbeats keep it alive', async () => {
  const [silent, beating] = [new Feed(), new Feed()]
  let beats = 0
  const timer = setInterval(() => {
    if (beating.readers > 0) beating.send(++beats === MANY ? entry(1) : ': heartbeat\n\n')
  }, SILENCE_MS / 20)
  server.requests.delete(PATH)
  server.on(PATH, (_, hits) => (hits === 1 ? silent : beating).response({}, 'retry: 1\n\n'))
  const follower = follow({ silenceMs: SILENCE_MS })
  await until('the entry came after many heartbeats', () => follower.seqs().includes(1))
  clearInterval(timer)
  expect(server.requests.get(PATH)).toHaveLength(2)
  expect(await follower.stop()).toBeUndefined()
})

test('an error response ends it; a restarting server doesn’t', async () => {
  const problem = (status: number, code: string) =>
    Response.json(
      { code, detail: `It is ${code}.` },
      { status, headers: { 'Content-Type': 'application/problem+json' } },
    )
  server.on(PATH, (_, hits) => (hits % 2 === 1 ? problem(503, 'unavailable') : problem(404, 'not_found')))
  server.requests.delete(PATH)
  const error = await follow().ended
  expect(error).toMatchObject({ code: 'not_found', status: 404, detail: 'It is not_found.' })
  expect(server.requests.get(PATH)).toHaveLength(2)
})

test('a gap moves the resume position, even backward for a log that started over', async () => {
  server.on(PATH, () => {
    const gap = 'event: gap\nid: 2\ndata: {"from":"900","to":2,"reason":"unknown_id"}\n\n'
    return new Response(gap + entry(3), { headers: { 'Content-Type': 'text/event-stream' } })
  })
  const follower = follow({ after: 900 })
  await until('the third came', () => follower.seqs().includes(3))
  await follower.stop()
  expect(follower.got.find(({ kind }) => kind === 'gap')).toMatchObject({ seq: 2 })
  expect(follower.seqs()[0]).toBe(3)
})

test('a slow reader buffers a bounded number of messages, and gets the rest later', async () => {
  const asked: (string | null)[] = []
  const last = 5_000
  server.on(PATH, ({ headers }) => {
    const from = Number(headers.get('last-event-id')) + 1
    asked.push(headers.get('last-event-id'))
    const all = Array.from({ length: Math.max(0, last - from + 1) }, (_, index) => entry(from + index)).join(
      '',
    )
    return new Response(`retry: 1\n\n${all}`, { headers: { 'Content-Type': 'text/event-stream' } })
  })
  const follower = follow()
  await until('all came', () => follower.seqs().includes(last))
  await follower.stop()
  expect(follower.seqs()).toEqual(Array.from({ length: last }, (_, index) => index + 1))
  expect(asked.length).toBeGreaterThan(4)
  const steps = asked.slice(1).map((id, index) => Number(id) - Number(asked[index]))
  expect(Math.max(...steps)).toBeLessThan(2_000)
})
