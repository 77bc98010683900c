import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { followSse } from '../../src/streams/ingest/connection/follow-sse.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import { elapse, settle } from '../support/clock.ts'
import { dataOf, followDeps, logOf, newRun } from '../support/run.ts'

const SSE = { headers: { 'Content-Type': 'text/event-stream' } }
const HOUR_MS = 3_600_000

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

/** An upstream that answers each request with the next of these texts, and then with the last one again. */
function answering(...texts: readonly (string | (() => Response | Promise<Response>))[]) {
  const requests: RequestInit[] = []
  const fetch: UpstreamFetch = async (_url, init) => {
    requests.push(init)
    const next = texts[Math.min(requests.length, texts.length) - 1] ?? ''
    return typeof next === 'string' ? new Response(next, SSE) : next()
  }
  return { fetch, requests }
}

/** A connection that stays open, and what can be sent on it. */
function open() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      isCancelled = true
    },
  })
  return {
    response: () => new Response(body, SSE),
    send: (text: string) => controller?.enqueue(new TextEncoder().encode(text)),
    isCancelled: () => isCancelled,
  }
}

function follow(fetch: UpstreamFetch, run: Run = newRun(), deps = followDeps(fetch)) {
  const log = logOf(run)
  const ended = followSse(run, log, stop.signal, deps)
  ended.catch(() => {})
  return { run, ...log, deps, ended }
}

test('a connection that ended is opened again after three seconds, and up to one more', async () => {
  const { fetch, requests } = answering('data: 1\n\n')
  follow(fetch)
  await elapse(3_499)
  expect(requests.length).toBe(1)
  await elapse(1)
  expect(requests.length).toBe(2)
})

test('an upstream sets that wait, up to an hour', async () => {
  const { fetch, requests } = answering('retry: 20\n\ndata: 1\n\n', `retry: ${100 * HOUR_MS}\n\ndata: 2\n\n`)
  follow(fetch)
  await elapse(519)
  expect(requests.length).toBe(1)
  await elapse(1)
  expect(requests.length).toBe(2)
  await elapse(HOUR_MS + 499)
  expect(requests.length).toBe(2)
  await elapse(1)
  expect(requests.length).toBe(3)
})

test('an upstream that says when to come back may close a connection without an event', async () => {
  const { fetch, requests } = answering(
    'retry: 4000\nid: 1\ndata: first\n\n',
    'retry: 4000\n\n',
    ': none\n\n',
  )
  const { drafts, run } = follow(fetch)
  for (let times = 1; times < 6; times++) {
    await elapse(4_499)
    expect(requests.length).toBe(times)
    expect(run.evidence).toMatchObject({ phase: 'waiting', failures: 0, ended: { by: 'request' } })
    await elapse(1)
    expect(requests.length).toBe(times + 1)
  }
  expect(dataOf(drafts, 'error')).toEqual([])
})

test('it must have sent something, and the connection must not have broken', async () => {
  const broken = () =>
    new Response(
      new ReadableStream({
        start(body) {
          body.enqueue(new TextEncoder().encode('retry: 20\n\n'))
          setTimeout(() => body.error(new Error('broken')), 10)
        },
      }),
      SSE,
    )
  const { fetch } = answering('retry: 20\ndata: 1\n\n', '', broken)
  const { drafts } = follow(fetch)
  await elapse(520)
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'ended_early' }])
  await elapse(520)
  await elapse(10)
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'ended_early' }, { code: 'ended_early' }])
})

test('an ID without an event is where the next connection resumes, and the next run', async () => {
  const { fetch, requests } = answering('id: p1\nretry: 3000\n\n', 'id: p2\n\n', 'id: e1\ndata: 1\n\n')
  const { run } = follow(fetch)
  await elapse(3_500)
  expect(run.checkpoint.lastEventId).toBe('p2')
  await elapse(3_500)
  const sent = requests.map(({ headers }) => (headers as Record<string, string>)['Last-Event-ID'])
  expect(sent).toEqual([undefined, 'p1', 'p2'])
})

test('a stream that ends soon, again and again, without saying when to come back is backed off from', async () => {
  const { fetch } = answering('data: 1\n\n')
  const { run } = follow(fetch)
  const waits: number[] = []
  for (let times = 0; times < 9; times++) {
    await settle()
    waits.push((run.evidence.nextRetryAt ?? 0) - Date.now())
    await elapse(waits.at(-1) ?? 0)
  }
  expect(waits).toEqual([3_500, 3_500, 3_500, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  expect(run.evidence.failures).toBe(0)
})

test('a connection that lasted resets the backoff; an event doesn’t', async () => {
  const bad = 'event: snapshot\ndata: {"a":1}\n\nevent: patch\ndata: [{"op":"remove","path":"/b"}]\n\n'
  const connection = open()
  const { fetch } = answering(bad, bad, bad, bad, connection.response, bad)
  const { run } = follow(fetch)
  const waitMs = () => (run.evidence.nextRetryAt ?? 0) - Date.now()
  for (const expected of [500, 1_000, 2_000, 4_000]) {
    await settle()
    expect(waitMs()).toBe(expected)
    await elapse(expected)
  }
  connection.send(': here\n\n')
  await elapse(8_000)
  connection.send(bad)
  await settle()
  expect(waitMs()).toBe(500)
})

test('what an upstream asked for is the least wait after a failure, too', async () => {
  const { fetch } = answering('retry: 20000\ndata: 1\n\n', () => new Response('', { status: 500 }))
  const { run } = follow(fetch)
  await elapse(20_500)
  expect(run.evidence).toMatchObject({ failures: 1, nextRetryAt: Date.now() + 20_500 })
})

test('the answer of a refused connection is in the log, with what it moved', async () => {
  const { fetch } = answering(() => Response.json({ error: 'missing key' }, { status: 401 }))
  const { drafts, run } = follow(fetch)
  await settle()
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'bad_status', body: '{"error":"missing key"}' }])
  const [draft] = drafts
  expect(draft).toMatchObject({ wireBytes: 23, bodyBytes: 23, hash: expect.any(String) })
  expect(draft?.headBytes).toBeGreaterThan(0)
  expect(run.evidence.lastError?.body).toBe('{"error":"missing key"}')
})

test('an endless answer that isn’t an event stream is let go after two seconds', async () => {
  const connection = open()
  const answer = () => new Response(connection.response().body, { headers: { 'Content-Type': 'text/plain' } })
  const { fetch } = answering(answer)
  const { drafts } = follow(fetch)
  await settle()
  connection.send('loading')
  await elapse(1_999)
  expect(dataOf(drafts, 'error')).toEqual([])
  await elapse(1)
  expect(connection.isCancelled()).toBe(true)
  expect(dataOf(drafts, 'error')).toMatchObject([
    { code: 'bad_content_type', body: 'loading', bodyTruncated: true },
  ])
})

test('bytes count before and after decompression, also those that never became an event', async () => {
  const text = ': heartbeat\n\nevent: a\ndata: 1\n\n'.repeat(20)
  const packed = Bun.gzipSync(`${text}: the end\n\n`)
  const { fetch } = answering(
    () => new Response(packed, { headers: { ...SSE.headers, 'Content-Encoding': 'gzip' } }),
    () => new Response('', { status: 500 }),
  )
  const { drafts } = follow(fetch)
  // The runtime decompresses on a thread of its own.
  while (!drafts.some(({ kind }) => kind === 'event')) await new Promise((resolve) => setImmediate(resolve))
  await elapse(3_500)
  const sum = (name: 'wireBytes' | 'bodyBytes') => drafts.reduce((all, draft) => all + draft[name], 0)
  expect(sum('wireBytes')).toBe(packed.byteLength)
  expect(sum('bodyBytes')).toBe(text.length + ': the end\n\n'.length)
})

test('an ended connection leaves no timer behind but that of the next one', async () => {
  const { fetch } = answering('data: 1\n\n')
  follow(fetch)
  await settle()
  expect(jest.getTimerCount()).toBe(1)
})

test('a connection without data for a minute is closed: quietly first, then as a failure', async () => {
  const [first, second] = [open(), open()]
  const { fetch, requests } = answering(first.response, second.response)
  const { run, drafts } = follow(fetch)
  await elapse(59_999)
  expect(first.isCancelled()).toBe(false)
  await elapse(1)
  expect(first.isCancelled()).toBe(true)
  expect(dataOf(drafts, 'error')).toEqual([])
  await elapse(3_500)
  expect(requests.length).toBe(2)
  // Twice as long as before.
  await elapse(119_999)
  expect(second.isCancelled()).toBe(false)
  await elapse(1)
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'stalled', message: 'No data for 120 s.' }])
  expect(run.evidence).toMatchObject({ failures: 1, silences: 2 })
})

test('data puts off the end of a silent connection', async () => {
  const connection = open()
  const { fetch } = answering(connection.response)
  follow(fetch)
  await elapse(40_000)
  connection.send(': here\n\n')
  await elapse(59_999)
  expect(connection.isCancelled()).toBe(false)
  await elapse(1)
  expect(connection.isCancelled()).toBe(true)
})

test('headers that don’t come end the request after ten seconds', async () => {
  const { fetch } = answering(() => new Promise<Response>(() => {}))
  const waiting: UpstreamFetch = (url, init) => {
    const aborted = new Promise<never>((_, reject) =>
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
    )
    return Promise.race([fetch(url, init), aborted])
  }
  const { drafts } = follow(waiting)
  await elapse(9_999)
  expect(dataOf(drafts, 'error')).toEqual([])
  await elapse(1)
  expect(dataOf(drafts, 'error')).toMatchObject([{ code: 'timeout' }])
})

test('a host that asks to wait isn’t asked by any stream meanwhile', async () => {
  const { fetch, requests } = answering(
    () => new Response('', { status: 503, headers: { 'Retry-After': '30' } }),
    'data: 1\n\n',
  )
  const { deps, run } = follow(fetch)
  await settle()
  expect(run.evidence.nextRetryAt).toBe(Date.now() + 30_000)
  follow(fetch, newRun({ url: 'http://a.test/other' }), deps)
  await elapse(29_999)
  expect(requests.length).toBe(1)
  await elapse(1)
  expect(requests.length).toBe(2)
  // All others come back spread over two seconds.
  await elapse(999)
  expect(requests.length).toBe(2)
  await elapse(1)
  expect(requests.length).toBe(3)
})

test('the wait of the last run goes on', async () => {
  const { fetch, requests } = answering('data: 1\n\n')
  follow(fetch, newRun({}, { evidence: { nextRetryAt: Date.now() + 20_000 } }))
  await elapse(19_999)
  expect(requests.length).toBe(0)
  await elapse(1)
  expect(requests.length).toBe(1)
})

test('the last ID is sent back in UTF-8; one that is too long is not', async () => {
  const { fetch, requests } = answering(
    'id: ü1\ndata: a\n\n',
    `id: ${'x'.repeat(10_001)}\ndata: b\n\n`,
    `id: ${'y'.repeat(9_000)}\ndata: c\n\n`,
    'data: d\n\n',
  )
  follow(fetch)
  for (let times = 0; times < 3; times++) await elapse(3_500)
  const sent = requests.map(({ headers }) => (headers as Record<string, string>)['Last-Event-ID'])
  expect(sent).toEqual([undefined, '\u00c3\u00bc1', '\u00c3\u00bc1', 'y'.repeat(9_000)])
})

test('a long event name is cut', async () => {
  const { fetch } = answering(`event: ${'n'.repeat(500)}\ndata: 1\n\n`)
  const { drafts } = follow(fetch)
  await settle()
  expect(drafts.find(({ kind }) => kind === 'event')?.event).toBe('n'.repeat(200))
})

test('a break that an upstream can’t resume is a gap, from the last byte on', async () => {
  const { fetch } = answering('data: 1\n\n', 'data: 2\n\n')
  const { drafts } = follow(fetch)
  await settle()
  const from = new Date().toISOString()
  await elapse(3_500)
  const to = new Date().toISOString()
  expect(dataOf(drafts, 'gap')).toEqual([{ reason: 'no_last_event_id', from, to }])
})

test('the request through Weir’s own proxy goes to itself, and not through the check of targets', async () => {
  const { fetch, requests } = answering('data: 1\n\n')
  follow(fetch, newRun({ via: 'proxy', url: 'http://127.0.0.1:1/' }))
  await settle()
  expect(requests.length).toBe(0)
})

test('the end of a run ends its connection at once', async () => {
  const connection = open()
  const { fetch } = answering(connection.response)
  const { ended } = follow(fetch)
  await settle()
  stop.abort()
  await ended
  expect(connection.isCancelled()).toBe(true)
  expect(jest.getTimerCount()).toBe(0)
})

test('each attempt to connect is a check, and so is the failure of a connection', async () => {
  const broken = () => new Response('', { status: 500 })
  const { fetch, requests } = answering('data: 1\n\n', broken, broken, 'data: 2\n\n', '', 'data: 3\n\n')
  const { run } = follow(fetch)
  // In steps, between which the bodies of failed answers are read.
  for (let seconds = 0; seconds < 90; seconds++) await elapse(1_000)
  expect(requests.length).toBeGreaterThan(6)
  const checks = run.evidence.checks ?? []
  const [good, bad, starts] = ([1, 2, 3] as const).map((index) =>
    checks.reduce((sum, slot) => sum + slot[index], 0),
  )
  // The fifth connection was opened, and closed before it sent anything.
  expect([good, bad, starts]).toEqual([requests.length - 2, 3, 2])
})

test('a stream waits for the pause of its host, and says until when', async () => {
  const feed = open()
  const { fetch, requests } = answering(feed.response)
  const deps = followDeps(fetch)
  deps.hosts.pause('http://a.test/', 60_000)
  const { run } = follow(fetch, newRun(), deps)
  const until = Date.now() + 60_000
  await elapse(30_000)
  expect([requests.length, run.evidence.nextRetryAt]).toEqual([0, until])
  await elapse(32_000)
  expect(requests.length).toBe(1)
  feed.send('data: 1\n\n')
  await elapse(1)
  expect(run.evidence.nextRetryAt).toBeUndefined()
})
