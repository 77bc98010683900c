import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { isStrong } from '../../src/streams/content/validators.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let server: Server
let weir: TestWeir
const asked: Record<string, string[][]> = {}
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {}

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? ''
    asked[path] = [...(asked[path] ?? []), request.rawHeaders]
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  weir = await startTestWeir()
})
afterAll(async () => {
  await weir.close()
  server.closeAllConnections()
  server.close()
})

const poll = (path: string) =>
  weir.register({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    kind: 'poll',
    intervalMs: 500,
  })
/** The value of a header in a request, one character a byte. */
const sent = (path: string, request: number, name: string) => {
  const raw = asked[path]?.[request] ?? []
  const at = raw.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name)
  return at < 0 ? undefined : raw[at + 1]
}
const requests = (path: string, count: number) =>
  until(`${path} is polled ${count} times`, () => (asked[path]?.length ?? 0) >= count)

const DATE = 'Tue, 01 Dec 2026 10:00:00 GMT'

test.each([
  [DATE, 'Tue, 01 Dec 2026 10:00:01 GMT', true],
  [DATE, 'Wed, 02 Dec 2026 10:00:00 GMT', true],
  [DATE, DATE, false],
  ['Tue, 01 Dec 2026 10:00:01 GMT', DATE, false],
  [DATE, null, false],
  [DATE, 'soon', false],
  ['0', DATE, false],
  [null, DATE, false],
])('Last-Modified %p is strong at %p: %p', (lastModified, date, strong) => {
  const headers = new Headers()
  if (lastModified !== null) headers.set('Last-Modified', lastModified)
  if (date !== null) headers.set('Date', date)
  expect(isStrong(headers)).toBe(strong)
})

test('a file that is written twice within a second is seen', async () => {
  let hit = 0
  answer = (request, response) => {
    hit++
    response.setHeader('Date', hit < 3 ? DATE : 'Tue, 01 Dec 2026 10:00:09 GMT')
    response.setHeader('Last-Modified', DATE)
    response.statusCode = request.headers['if-modified-since'] === DATE ? 304 : 200
    response.end(response.statusCode === 304 ? undefined : `{"write":${Math.min(hit, 2)}}`)
  }
  const { id } = await poll('/twice')
  await weir.entry(id, 'the second write is logged', ({ seq, changed }) => seq === 2 && changed === true)
  await requests('/twice', 4)
  expect([1, 2, 3].map((at) => sent('/twice', at, 'if-modified-since'))).toEqual([undefined, undefined, DATE])
  await weir.entry(id, 'it is asked with the strong one', ({ response }) => response?.status === 304)
})

test.each([
  ['Latin-1', Buffer.from('"caf\xe9 \xff"', 'latin1')],
  ['UTF-8', Buffer.from('"café"', 'utf8')],
])('an ETag in %s returns byte for byte, also to the run after a restart', async (_name, etag) => {
  const seen: (string | undefined)[] = []
  // Not node:http, which has an opinion of what the bytes of a header are.
  const raw = createSocketServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (request) => {
      seen.push(/if-none-match: (.*)\r/i.exec(request.toString('latin1'))?.[1])
      socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: '))
      socket.write(Buffer.concat([etag, Buffer.from('\r\n\r\n{}')]))
    })
  })
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(raw.address() as AddressInfo).port}/`
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  await until('it is polled three times', () => seen.length >= 3)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  const before = seen.length
  await weir.send('POST', `/api/streams/${id}/start`)
  await until('it is polled again', () => seen.length >= before + 2)
  await weir.send('POST', `/api/streams/${id}/stop`)
  raw.close()
  expect(seen).toEqual([undefined, ...Array(seen.length - 1).fill(etag.toString('latin1'))])
})
