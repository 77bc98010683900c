import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:net'
import { directFetch } from '../../src/net/direct.ts'
import { Egress } from '../../src/net/egress.ts'
import { until } from '../support/until.ts'

let server: Server
let base: string
/** Everything that was received, by connection. */
const received: string[] = []
let answer = ''

beforeAll(async () => {
  server = createServer((socket) => {
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    const index = received.push('') - 1
    socket.on('data', (text: string) => {
      received[index] += text
      if (received[index]?.includes('\r\n\r\n') && answer !== '') socket.write(answer, 'latin1')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
afterAll(() => server.close())

const ok = (head: string, body: string) =>
  `HTTP/1.1 ${head}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`

const egress = new Egress({
  allowHosts: ['127.0.0.1'],
  isOpen: false,
  own: { has: async () => false } as never,
})

test.each([
  ['//a//b', directFetch],
  ['///', directFetch],
  ['//a?x=%2F/', egress.fetch],
  ['/a//b', egress.fetch],
])('%s is requested as written', async (path, fetch) => {
  received.length = 0
  answer = ok('200 Fine\r\nX-A: 1\r\nX-A: 2', 'body')
  const response = await fetch(base + path, {
    ...{ method: 'POST', headers: { 'X-Key': 'k' }, body: 'sent', redirect: 'manual', decompress: false },
  })
  expect([response.status, response.statusText, response.headers.get('x-a'), await response.text()]).toEqual([
    ...[200, 'Fine', '1, 2', 'body'],
  ])
  const [head = '', body] = received.join('').split('\r\n\r\n')
  expect(head.split('\r\n')[0]).toBe(`POST ${path} HTTP/1.1`)
  expect(head.toLowerCase()).toContain('x-key: k')
  expect(body).toBe('sent')
})

test('what isn’t asked for is left alone: redirects, encodings, bodies that a status excludes', async () => {
  answer = ok('302 Found\r\nLocation: //elsewhere/', '')
  const redirected = await directFetch(`${base}//a`, { redirect: 'manual' })
  expect([redirected.status, redirected.headers.get('location')]).toEqual([302, '//elsewhere/'])
  answer = ok('200 OK\r\nContent-Encoding: gzip', 'not gzip')
  expect(await (await directFetch(`${base}//a`, { decompress: false })).text()).toBe('not gzip')
  answer = 'HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n'
  expect((await directFetch(`${base}//a`, {})).body).toBeNull()
})

test.each(['999 Beyond', '601 Beyond'])(
  'a status that no response may have fails the request alone: %s',
  async (head) => {
    answer = ok(head, 'body')
    const failed = directFetch(`${base}//a`, {})
    expect(
      await failed.then(
        ({ status }) => status,
        ({ code }) => code,
      ),
    ).toBeOneOf([...['ERR_INVALID_HTTP_RESPONSE', Number(head.slice(0, 3))]])
    answer = ok('200 OK', 'body')
    expect(await (await directFetch(`${base}//a`, {})).text()).toBe('body')
  },
)

test('an aborted request ends its connection, before and after the head', async () => {
  const reason = new Error('enough')
  for (const said of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf']) {
    answer = said
    received.length = 0
    const abort = new AbortController()
    const asked = directFetch(`${base}//a`, { signal: abort.signal }).then((response) => response.text())
    await until('it is asked', () => received[0]?.includes('\r\n\r\n'))
    abort.abort(reason)
    expect(await asked.then(String, (error) => (said === '' ? error : 'failed'))).toBe(
      said === '' ? reason : 'failed',
    )
  }
  await expect(directFetch(`${base}//a`, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('a connection that fails says why', async () => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  const failed = directFetch(`http://127.0.0.1:${port}//a`, {})
  expect(await failed.then(String, ({ code }) => code)).toBe('ECONNREFUSED')
})
