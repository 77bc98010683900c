import { afterAll, beforeAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { type CountingServer, responseOf, startCountingServer } from '../support/socket-server.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const KEY = 'a-key-of-"the"-owner'
const LONG = 'é'.repeat(100_000)
const IMAGE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff, 0xfe, 0xfd])
const TEXT = 'text/plain; charset=utf-8'
const ANSWERS: Record<string, (head: string) => Buffer> = {
  '/json': () => responseOf('401 Unauthorized', { 'Content-Type': 'application/json' }, '{"error":"no key"}'),
  '/echo': () => responseOf('403 F', { 'Content-Type': TEXT }, `you sent ${KEY}, or ${JSON.stringify(KEY)}`),
  '/gzip': () =>
    responseOf('500 X', { 'Content-Type': TEXT, 'Content-Encoding': 'gzip' }, gzipSync('packed')),
  '/latin': () =>
    responseOf(
      '500 X',
      { 'Content-Type': 'text/plain; charset=iso-8859-1' },
      Buffer.from('caf\u00e9', 'latin1'),
    ),
  '/utf-16': () => responseOf('500 X', {}, Buffer.from('\ufeffwide', 'utf16le')),
  '/long': () => responseOf('500 X', { 'Content-Type': TEXT }, LONG),
  '/image': () => responseOf('500 X', { 'Content-Type': 'image/png' }, IMAGE),
  '/none': () => responseOf('500 X', {}),
  '/page': () => responseOf('200 OK', { 'Content-Type': 'text/html' }, '<html><h1>Log in</h1></html>'),
  '/later': () => responseOf('503 X', { 'Retry-After': '60' }, 'later'),
  '/broken-json': () => responseOf('200 OK', { 'Content-Type': 'application/json' }, '{"a":'),
}

interface ErrorData {
  message: string
  body?: string
  bodyTruncated?: true
}

let server: CountingServer
let weir: TestWeir

beforeAll(async () => {
  server = await startCountingServer(({ path, head }) =>
    (ANSWERS[path] ?? (() => responseOf('404 Not Found', {})))(head),
  )
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  server.stop()
})

/** Registers a stream that fails once, and its error. */
async function failureOf(path: string, kind: 'poll' | 'sse' = 'poll') {
  const headers = { 'X-Key': KEY }
  // With a path to ignore it asks for JSON, so that all else is a failure.
  const asked = { headers, ignorePaths: ['/a'] }
  const { id } = await weir.register({ url: server.url + path, kind, intervalMs: 3_600_000, ...asked })
  const entry = await weir.entry(id, `${path} fails`, (each) => each.kind === 'error')
  await weir.send('POST', `/api/streams/${id}/stop`)
  return { id, entry, data: entry.data as ErrorData }
}

test.each([
  ['/json', '{"error":"no key"}'],
  ['/echo', 'you sent •••, or "•••"'],
  ['/gzip', 'packed'],
  ['/latin', 'café'],
  ['/utf-16', 'wide'],
  ['/image', undefined],
  ['/none', undefined],
  ['/page', '<html><h1>Log in</h1></html>'],
  ['/broken-json', '{"a":'],
])('the body of the failed poll of %s is in the log as %p', async (path, body) => {
  const { data, entry } = await failureOf(path)
  expect([data.body, data.bodyTruncated]).toEqual([body, undefined])
  if (path === '/image') {
    const hash = new Bun.CryptoHasher('sha256').update(IMAGE).digest('hex')
    expect(entry).toMatchObject({ bodyBytes: IMAGE.byteLength, hash })
  }
})

test.each(['poll', 'sse'] as const)('a long body is cut after 64 KiB: %s', async (kind) => {
  const { data } = await failureOf('/long', kind)
  expect(data.bodyTruncated).toBe(true)
  expect(LONG.startsWith(data.body ?? '-')).toBe(true)
  expect(data.body?.length).toBeWithin(30_000, 65_537)
})

test('what the upstream said is in the status, in the log and on the page of the entry', async () => {
  const { id, entry } = await failureOf('/json')
  const status = await weir.json<{ evidence: { lastError: unknown } }>(`/api/streams/${id}/status`)
  expect(status.evidence.lastError).toMatchObject({ body: '{"error":"no key"}' })
  const said = 'The upstream returned 401 Unauthorized: {&quot;error&quot;:&quot;no key&quot;}'
  expect(await (await weir.get(`/streams/${id}`)).text()).toContain(said)
  expect(await (await weir.get(`/streams/${id}/entries/${entry.seq}`)).text()).toContain(said)
})

test('the reason of a failing stream has it, too', async () => {
  const { id } = await weir.register({ url: `${server.url}/json`, kind: 'poll', intervalMs: 1_000 })
  const reason = await until('it fails', async () => {
    const status = await weir.json<{ status: string; reason: string }>(`/api/streams/${id}/status`)
    return status.status === 'backing-off' && status.reason
  })
  expect(reason).toContain('401 Unauthorized: {"error":"no key"}')
  await weir.send('DELETE', `/api/streams/${id}`)
})

test('bytes of failed polls count, to the byte, in both directions', async () => {
  const before = { ...server.counts }
  const { id, entry } = await failureOf('/later')
  const moved = {
    received: server.counts.received - before.received,
    written: server.counts.written - before.written,
  }
  const {
    wireBytes,
    headBytes = 0,
    request,
  } = entry as typeof entry & {
    headBytes?: number
    request: { bytes: number }
  }
  expect([wireBytes + headBytes, request.bytes]).toEqual([moved.written, moved.received])
  await weir.summed(id, 1)
  const { total } = await weir.json<{ total: Record<string, number> }>(`/api/streams/${id}/size`)
  expect(total).toMatchObject({ wireBytes, bodyBytes: wireBytes, headBytes, polls: 0, errors: 1 })
})
