import { afterAll, beforeAll, expect, test } from 'bun:test'
import { endSentence } from '../../src/core/judging/ended-connections.ts'
import type { EndedConnections } from '../../src/core/sets/connection-ends.ts'
import { ConnectionEnds } from '../../src/streams/recording/connection-ends.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { cliOf } from '../cli/support.ts'
import { startCountingServer } from '../support/socket-server.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let upstream: Upstream
let weir: TestWeir

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ SILENCE_MS: '2000' })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

interface StatusAnswer {
  evidence: {
    connections: { attempts: number; opened: number; ended: Record<string, number>; failed: number } | null
    lastEnd: { by: string; lastedMs: number } | null
  }
}

const endOf = (id: string) => weir.entry(id, 'the end is logged', ({ kind }) => kind === 'end')
const textOf = async (path: string) =>
  (await (await weir.get(path)).text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')

async function followed(path: string, first: string) {
  const feed = new Feed()
  const url = upstream.on(path, () => feed.response({}, first))
  const { id } = await weir.register({ url, kind: 'sse' })
  await until('the feed has a reader', () => feed.readers > 0)
  return { id, feed }
}

test('a connection that the upstream closes leaves an entry with what it brought', async () => {
  const first = ': hello\n\n'
  const { id, feed } = await followed('/closes', first)
  const events = 'data: one\n\ndata: two\n\n'
  feed.send(events)
  await weir.entry(id, 'the events are logged', ({ data }) => data === 'two')
  feed.end()
  const end = await endOf(id)
  expect(end.data).toMatchObject({
    ...{ count: 1, by: { upstream: 1 }, events: 2 },
    receivedBytes: first.length + events.length,
  })
  expect((end.data as EndedConnections).lastedMs).toBeGreaterThanOrEqual(0)
  await until('it connects again', () => (upstream.requests.get('/closes')?.length ?? 0) > 1)
  // That isn't a failure.
  const log = await weir.logs(id)
  expect(log.filter(({ kind }) => kind === 'error')).toEqual([])
  const { evidence } = await until('the second attempt is counted', async () => {
    const found = await weir.json<StatusAnswer>(`/api/streams/${id}/status`)
    return (found.evidence.connections?.opened ?? 0) >= 2 && found
  })
  expect(evidence.connections).toEqual({ attempts: 2, opened: 2, ended: { upstream: 1 }, failed: 0 } as never)
  expect(evidence.lastEnd).toMatchObject({ by: 'upstream' })
})

test('pages, filters, lines and the command line say how it ended', async () => {
  const { id, feed } = await followed('/told', 'data: one\n\n')
  await weir.entry(id, 'the event is logged', ({ data }) => data === 'one')
  feed.end()
  const { seq } = await endOf(id)
  const said = 'The upstream closed the connection after'
  expect(await textOf(`/streams/${id}?kind=end`)).toContain(said)
  expect(await textOf(`/streams/${id}`)).toContain('Ended connections')
  await until('the page counts it', async () =>
    /Connections \d of \d attempts?; 1 closed by the upstream/.test(await textOf(`/streams/${id}`)),
  )
  expect(await textOf(`/streams/${id}/entries/${seq}`)).toContain(said)
  expect((await weir.logs(id, '&kind=end')).map((entry) => entry.kind)).toEqual(['end'])
  const { out } = await cliOf(weir.url)('logs', id, '--kind', 'end')
  expect(out).toContain(said)
  expect((await cliOf(weir.url)('status', id)).out).toMatch(
    /connections +\d of \d attempts?; 1 closed by the upstream/,
  )
})

test('a close that `retry:` announced, a reset and silence are told apart', async () => {
  const asked = await followed('/asked', 'retry: 60000\n\n')
  asked.feed.end()
  expect((await endOf(asked.id)).data).toMatchObject({ by: { request: 1 }, events: 0 })

  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
  const server = await startCountingServer(({ socket }) => {
    socket.write(`${head}b\r\ndata: one\n\n\r\n`, () => setTimeout(() => socket.resetAndDestroy(), 300))
    return undefined
  })
  const { id: reset } = await weir.register({ url: server.url, kind: 'sse' })
  expect((await endOf(reset)).data).toMatchObject({ by: { reset: 1 }, events: 1 })
  server.stop()

  const silent = await followed('/silent', 'data: one\n\n')
  expect((await endOf(silent.id)).data).toMatchObject({ by: { silence: 1 }, events: 1 })
})

test('a connection that fails later says so in its error, once', async () => {
  const feed = new Feed()
  const first = `event: snapshot\ndata: {"a":1}\n\n`
  const url = upstream.on('/bad-patch', () => feed.response({}, first))
  const { id } = await weir.register({ url, kind: 'sse' })
  await until('the feed has a reader', () => feed.readers > 0)
  feed.send('event: patch\ndata: [{"op":"replace","path":"/none/at/all","value":1}]\n\n')
  const error = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  expect(error.data).toMatchObject({ connection: { events: 2, receivedBytes: expect.any(Number) } })
  expect((await weir.logs(id)).some(({ kind }) => kind === 'end')).toBe(false)
  const { evidence } = await weir.json<StatusAnswer>(`/api/streams/${id}/status`)
  expect(evidence.connections?.failed).toBeGreaterThan(0)
})

test('a stream that breaks again and again adds few entries, which say how many', async () => {
  const entries: Draft[] = []
  const recorded = Promise.withResolvers<void>()
  let clock = Date.parse('2026-06-15T12:00:00Z')
  const append = (draft: Draft) => {
    if (entries.push(draft) === 2) recorded.resolve()
    return true
  }
  const ends = new ConnectionEnds({
    log: { append },
    now: () => clock,
    takeUncharged: () => ({ wireBytes: 1, bodyBytes: 2 }),
    togetherMs: 200,
  })
  for (let count = 0; count < 600; count++) {
    clock += 100
    ends.add({
      at: clock,
      by: count % 3 === 0 ? 'reset' : 'upstream',
      lastedMs: 50,
      events: 1,
      receivedBytes: 11,
    })
  }
  expect(entries).toHaveLength(1)
  await recorded.promise
  expect(entries).toHaveLength(2)
  const [first, rest] = entries.map(({ data }) => JSON.parse(data ?? '') as EndedConnections)
  expect(first).toMatchObject({ count: 1, by: { reset: 1 } })
  expect(rest).toEqual({
    ...{ count: 599, by: { upstream: 400, reset: 199 }, lastedMs: 29_950, events: 599, receivedBytes: 6_589 },
    ...{ from: '2026-06-15T12:00:00.200Z', to: '2026-06-15T12:01:00.000Z' },
  })
  expect(endSentence(rest)).toBe(
    '599 connections ended within 59 s: 400 closed by the upstream, 199 broke. On average after under 1 s; 599 events, 6.6 kB in all.',
  )
  // A run that ends leaves nothing behind.
  ends.add({ at: clock, by: 'upstream', lastedMs: 1, events: 0, receivedBytes: 0 })
  expect(entries).toHaveLength(2)
  ends.flush()
  expect(entries).toHaveLength(3)
})

test('data that isn’t of an end has no sentence', () => {
  for (const data of [
    null,
    'text',
    {},
    { count: 1 },
    { count: 1, by: null, lastedMs: 1, events: 1, receivedBytes: 1 },
  ])
    expect(endSentence(data)).toBeUndefined()
})
