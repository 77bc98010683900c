import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeDataDir } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const MAX_BODY_BYTES = 4_096
const NDJSON = { 'Content-Type': 'application/x-ndjson' }

let upstream: Upstream
let weir: TestWeir

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ SILENCE_MS: '2000', MAX_BODY_BYTES: `${MAX_BODY_BYTES}` })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** A stream whose upstream is a feed of lines, connected. */
async function followed(path: string, more: object = {}, headers: Record<string, string> = NDJSON) {
  const feed = new Feed()
  const url = upstream.on(path, () => feed.response(headers, '\n'))
  const { id } = await weir.register({ url, kind: 'ndjson', ...more })
  await until('the feed has a reader', () => feed.readers > 0)
  return { id, feed }
}

const eventsOf = async (id: string) => (await weir.logs(id)).filter(({ kind }) => kind === 'event')

test('each line is an event, to the byte: JSON and text, with characters split over chunks', async () => {
  const { id, feed } = await followed('/lines')
  const sent = '{"price": 1.50}\n\nhello zł€😀\r\n[1,2]\n'
  for (const byte of new TextEncoder().encode(sent)) feed.send(new Uint8Array([byte]))
  await weir.entry(id, 'the last line is logged', ({ data }) => data === '[1,2]')
  expect((await eventsOf(id)).map(({ data }) => data)).toEqual(['{"price": 1.50}', 'hello zł€😀', '[1,2]'])
  const wireBytes = (await weir.logs(id)).reduce((sum, entry) => sum + entry.wireBytes, 0)
  expect(wireBytes).toBe('\n'.length + Buffer.byteLength(sent))
})

test('a document and the patches after it are followed as a document', async () => {
  const { id, feed } = await followed('/document')
  feed.send('{"price":1,"name":"a"}\n')
  feed.send('[{"op":"replace","path":"/price","value":2}]\n')
  await weir.entry(
    id,
    'the patched document is logged',
    ({ kind }) => kind === 'snapshot' || kind === 'patch',
  )
  expect(await weir.json(`/api/streams/${id}/document`)).toMatchObject({ price: 2, name: 'a' })
})

test('a line that is too long is an error', async () => {
  const { id, feed } = await followed('/too-long')
  feed.send(`1\n${'x'.repeat(MAX_BODY_BYTES + 1)}`)
  const { data } = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  expect(data).toMatchObject({ code: 'too_large' })
  expect((await eventsOf(id)).map((event) => event.data)).toEqual(['1'])
})

test('after a break it connects again, and a gap says that events may be missing', async () => {
  const { id, feed } = await followed('/break')
  feed.send('before\n')
  await weir.entry(id, 'the first event is logged', ({ data }) => data === 'before')
  feed.end()
  const again = await until('it connects again', () => upstream.requests.get('/break')?.[1])
  expect(again.headers.get('last-event-id')).toBeNull()
  await until('the feed has a reader again', () => feed.readers > 0)
  feed.send('after\n')
  await weir.entry(id, 'the event after the break is logged', ({ data }) => data === 'after')
  const log = (await weir.logs(id)).filter(({ kind }) => kind !== 'exchange' && kind !== 'end')
  expect(log.map(({ kind, data }) => (kind === 'gap' ? (data as { reason: string }).reason : data))).toEqual([
    'before',
    'no_last_event_id',
    'after',
  ])
})

test('a connection without a byte for too long is opened again; blank lines keep it open', async () => {
  const silent = await followed('/silent')
  const beating = await followed('/beating')
  const timer = setInterval(() => beating.feed.send('\n'), 200)
  try {
    await until('the silent one connects again', () => (upstream.requests.get('/silent')?.length ?? 0) > 1)
    expect(upstream.requests.get('/beating')?.length).toBe(1)
    expect(silent.id).not.toBe(beating.id)
  } finally {
    clearInterval(timer)
  }
})

test('stopping it ends its connection', async () => {
  const { id, feed } = await followed('/stop')
  await weir.send('POST', `/api/streams/${id}/stop`)
  await until('the connection is closed', () => feed.readers === 0)
})

test.each([
  ['text/html', 'text/html'],
  ['text/event-stream', 'text/event-stream'],
])('a response of %s is none of lines', async (_what, type) => {
  const url = upstream.on(`/typed-${type.replace('/', '-')}`, () =>
    new Feed().response({ 'Content-Type': type }),
  )
  const { id } = await weir.register({ url, kind: 'ndjson' })
  const { data } = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  expect(data).toMatchObject({ code: 'bad_content_type' })
})

test.each(['application/json', 'text/plain; charset=utf-8', 'application/json-seq'])(
  'an owner who says that it is lines is believed: %s',
  async (type) => {
    const path = `/said-${type.replace(/\W/g, '-')}`
    const { id, feed } = await followed(path, {}, { 'Content-Type': type })
    feed.send('line\n')
    await weir.entry(id, 'the line is logged', ({ data }) => data === 'line')
  },
)

test('a line without a line feed counts if the response is over, not if it broke off', async () => {
  const served = (path: string, close: (feed: ReadableStreamDefaultController) => void) =>
    upstream.on(path, (_request, hits) => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(hits === 1 ? '{"n":1}\n{"n":2}' : '{"n":3}\n')
          await Bun.sleep(50)
          if (hits === 1) close(controller)
        },
      })
      return new Response(body, { headers: NDJSON })
    })
  const over = served('/over', (feed) => feed.close())
  const broken = served('/broken', (feed) => feed.error(new Error('on purpose')))
  const lines = async (url: string) => {
    const { id } = await weir.register({ url, kind: 'ndjson' })
    await weir.entry(id, 'it connected again', ({ data }) => data === '{"n":3}')
    return (await eventsOf(id)).map(({ data }) => data)
  }
  expect(await lines(over)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
  expect(await lines(broken)).toEqual(['{"n":1}', '{"n":3}'])
})

const LINES = '{"a":1}\n{"a":2}\n'
const ENDLESS: [string, () => Response] = ['open', () => new Feed().response(NDJSON, LINES)]
const streamed = (headers: Record<string, string>) =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(LINES))
      },
      async pull(controller) {
        await Bun.sleep(1)
        controller.close()
      },
    }),
    { headers: { ...NDJSON, ...headers } },
  )

test.each<[name: string, behavior: () => Response, kind: string, reason: RegExp]>([
  [...ENDLESS, 'ndjson', /^The JSON lines don't end: the response was still open after 3 s\.$/],
  ['length', () => new Response(LINES, { headers: NDJSON }), 'poll', /has the header Content-Length/],
  ['ended', () => streamed({}), 'poll', /the response ended\.$/],
  [
    'file',
    () => new Feed().response({ ...NDJSON, 'Last-Modified': new Date(0).toUTCString() }, LINES),
    'poll',
    /has the header Last-Modified/,
  ],
])('lines are told from a file of lines, and it says why: %s', async (name, behavior, kind, reason) => {
  const url = upstream.on(`/detect-${name}`, behavior)
  const registered = await weir.register({ url, start: false })
  expect(registered).toMatchObject({ kind, kindReason: expect.stringMatching(reason) as unknown as string })
  const looked = await (await weir.send('POST', '/api/streams/preview', { url })).json()
  expect(looked).toMatchObject({
    answer: { kind, kindReason: expect.stringMatching(reason) as unknown as string },
    suggestion: { kind },
  })
})

test('a preview shows the first lines', async () => {
  const url = upstream.on('/look', () => new Feed().response(NDJSON, LINES))
  const looked = await (await weir.send('POST', '/api/streams/preview', { url })).json()
  expect(looked).toMatchObject({
    problem: null,
    answer: {
      shape: 'events',
      events: [{ event: 'message', id: null, data: '{"a":1}' }, { data: '{"a":2}' }],
    },
  })
})

test('a poll of lines without an end says what to change', async () => {
  const url = upstream.on('/polled', () => new Feed().response(NDJSON, LINES))
  const own = await startTestWeir({ REQUEST_TIMEOUT_MS: '1000' })
  try {
    const { id } = await own.register({ url, kind: 'poll' })
    const { data } = await own.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
    expect(data).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('change the kind of this stream to `ndjson`') as unknown as string,
    })
  } finally {
    await own.close()
  }
})

test('a Weir that starts again goes on, with no event twice and a gap', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-ndjson-'))
  const feed = new Feed()
  const url = upstream.on('/restart', () => feed.response(NDJSON, '\n'))
  const first = await startTestWeir({ DATA_DIR: dataDir })
  const { id } = await first.register({ url, kind: 'ndjson' })
  await until('the feed has a reader', () => feed.readers > 0)
  feed.send('1\n2\n')
  await first.entry(id, 'the events are logged', ({ data }) => data === '2')
  await first.close()
  expect(feed.readers).toBe(0)
  const second = await startTestWeir({ DATA_DIR: dataDir })
  try {
    await until('the feed has a reader again', () => feed.readers > 0)
    feed.send('3\n')
    await second.entry(id, 'the next event is logged', ({ data }) => data === '3')
    const log = (await second.logs(id)).filter(({ kind }) => kind !== 'exchange' && kind !== 'end')
    expect(log.map(({ kind, data }) => (kind === 'event' ? data : kind))).toEqual(['1', '2', 'gap', '3'])
  } finally {
    await second.close()
    await removeDataDir(dataDir)
  }
})
