import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { Egress } from '../../src/net/egress.ts'
import { ResponseParser } from '../../src/net/http1/response-parser.ts'
import { Properties } from '../core/property.ts'
import { until } from '../support/until.ts'

interface Read {
  status?: number
  text?: string
  headers: Record<string, string>
  body: string
  isWhole: boolean
  why?: string
}

/** Parses a response that arrives in these pieces, after which the connection closes. */
function read(pieces: readonly string[], method = 'GET'): Read {
  const found: Read = { headers: {}, body: '', isWhole: false }
  const parser = new ResponseParser(method, {
    head({ status, statusText, headers }) {
      Object.assign(found, { status, text: statusText, headers: Object.fromEntries(headers) })
    },
    body(bytes) {
      found.body += Buffer.from(bytes).toString('latin1')
    },
    end() {
      found.isWhole = true
    },
  })
  try {
    for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'))
    parser.close()
  } catch (error) {
    found.why = (error as { why: string }).why
  }
  return found
}

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

// What browsers and curl read, though much of it no server should send.
test.each<[string, string, Partial<Read>]>([
  ['a length', `${OK}Content-Length: 2\r\n\r\nabc`, { status: 200, text: 'OK', body: 'ab' }],
  ['a length twice', `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`, { body: 'ab' }],
  ['a length as a list', `${OK}Content-Length: 2, 2\r\n\r\nab`, { body: 'ab' }],
  ['no framing', `${OK}\r\nall of it`, { body: 'all of it' }],
  ['a length with a sign', `${OK}Content-Length: -1\r\n\r\nall`, { body: 'all' }],
  ['an empty length', `${OK}Content-Length:\r\n\r\nall`, { body: 'all' }],
  ['a length beyond counting', `${OK}Content-Length: 9223372036854775807\r\n\r\nall`, { body: 'all' }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nall', { body: 'all' }],
  ['chunks', `${CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`, { body: 'abcde' }],
  [
    'a chunked body with a length',
    `${OK}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    { body: 'a' },
  ],
  ['spaces after sizes', `${CHUNKED}3  \r\nabc\r\n 0 \r\n\r\n`, { body: 'abc' }],
  ['extensions', `${CHUNKED}3;a="b;c"\r\nabc\r\n2 ; d\r\nde\r\n0;e\r\n\r\n`, { body: 'abcde' }],
  ['zeros before a size', `${CHUNKED}00000000000000003\r\nabc\r\n000\r\n\r\n`, { body: 'abc' }],
  ['trailers', `${CHUNKED}1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n`, { body: 'a' }],
  ['bare line feeds', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n', { body: 'a' }],
  ['empty lines before it', `\r\n\r\n${OK}Content-Length: 1\r\n\r\na`, { body: 'a' }],
  ['no reason', 'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na', { status: 200, text: '', body: 'a' }],
  ['two spaces', 'HTTP/1.1  404  Not here \r\nContent-Length: 0\r\n\r\n', { status: 404, text: 'Not here' }],
  ['a radio’s answer', 'ICY 200 OK\r\nicy-name: Weir\r\n\r\na', { status: 200, body: 'a' }],
  ['another version', 'http/1.2 200 OK\r\nContent-Length: 1\r\n\r\na', { body: 'a' }],
  [
    'informational heads',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 1\r\n\r\na`,
    { status: 200, headers: { 'content-length': '1' }, body: 'a' },
  ],
  [
    'folded headers',
    `${OK}X-Long: a\r\n b\r\n\tc\r\nContent-Length: 1\r\n\r\na`,
    { headers: { 'x-long': 'a b c', 'content-length': '1' }, body: 'a' },
  ],
  [
    'spaces around names',
    `${OK}X-A : b \r\nContent-Length : 1\r\n\r\nab`,
    { headers: { 'x-a': 'b', 'content-length': '1' }, body: 'a' },
  ],
  [
    'lines that are no headers',
    `${OK}Junk\r\n: b\r\nX (c): d\r\nContent-Length: 1\r\n\r\na`,
    { headers: { 'content-length': '1' }, body: 'a' },
  ],
  [
    'control characters',
    `${OK}X-A: a\x01b\r\nContent-Length: 0\r\n\r\n`,
    { headers: { 'x-a': 'a b', 'content-length': '0' } },
  ],
  [
    'bytes above ASCII',
    `${OK}X-A: caf\xe9\r\nContent-Length: 0\r\n\r\n`,
    { headers: { 'x-a': 'caf\xe9', 'content-length': '0' } },
  ],
  ['a status of its own', 'HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nno', { status: 999, body: 'no' }],
  ['no content', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', { status: 204, body: '' }],
  [
    'not modified',
    'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n',
    { status: 304, body: '' },
  ],
])('%s is read', (_, text, expected) => {
  expect(read([text])).toMatchObject({ ...expected, isWhole: true })
  // However it is cut.
  expect(read([...text])).toEqual(read([text]))
})

test('what follows a response isn’t part of it', () => {
  const parser = new ResponseParser('GET', { head() {}, body() {}, end() {} })
  const switched = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
  expect(parser.push(Buffer.from(`${switched}a frame`))).toBe(switched.length)
  expect(parser.push(Buffer.from('more'))).toBe(0)
})

test('a response to HEAD has no body, whatever its length', () => {
  expect(read([`${OK}Content-Length: 100\r\n\r\n`], 'HEAD')).toMatchObject({ body: '', isWhole: true })
})

test.each([
  ['within the head', OK],
  ['before its length', `${OK}Content-Length: 3\r\n\r\nab`],
  ['within a chunk', `${CHUNKED}3\r\nab`],
  ['before the last chunk', `${CHUNKED}2\r\nab\r\n`],
  ['within the trailers', `${CHUNKED}2\r\nab\r\n0\r\n`],
])('a response that breaks off %s isn’t whole', (_, text) => {
  expect(read([text])).toMatchObject({ isWhole: false })
  expect(read([text]).why).toBeUndefined()
})

test.each([
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'it has no status line'],
  ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 'it has several lengths'],
  ['a size that is none', `${CHUNKED}x\r\n`, 'the size of a chunk is invalid'],
  ['a negative size', `${CHUNKED}-1\r\n`, 'the size of a chunk is invalid'],
  ['a size beyond counting', `${CHUNKED}fffffffffffffff\r\n`, 'the size of a chunk is invalid'],
  ['more than its chunk', `${CHUNKED}1\r\nab\r\n`, 'a chunk is longer than its size'],
  ['a head without end', `${OK}X: ${'a'.repeat(300_000)}`, 'its head or a chunk is too large'],
  ['headers without end', OK + 'X: a\r\n'.repeat(60_000), 'its head or a chunk is too large'],
  [
    'informational heads without end',
    'HTTP/1.1 100 A\r\n\r\n'.repeat(20_000),
    'its head or a chunk is too large',
  ],
  ['an extension without end', `${CHUNKED}1;${'a'.repeat(20_000)}`, 'its head or a chunk is too large'],
  ['trailers without end', `${CHUNKED}0\r\n${'X: a\r\n'.repeat(60_000)}`, 'its head or a chunk is too large'],
])('%s is refused', (_, text, why) => {
  expect(read([text])).toMatchObject({ isWhole: false, why })
})

test('any body arrives as it was, in any chunks and pieces', () => {
  const chunk = fc.record({
    text: fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((bytes) => Buffer.from(bytes).toString('latin1')),
    after: fc.constantFrom('', ' ', ';a=b', '\t; x="y"'),
    isUpper: fc.boolean(),
  })
  new Properties('http1.test.ts').check(
    fc.tuple(fc.array(chunk), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })),
    ([chunks, sizes]) => {
      const framed = chunks.map(({ text, after, isUpper }) => {
        const size = text.length.toString(16)
        return `${isUpper ? size.toUpperCase() : size}${after}\r\n${text}\r\n`
      })
      const whole = `${CHUNKED}${framed.join('')}0\r\n\r\n`
      const pieces: string[] = []
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const size = sizes[turn % sizes.length] as number
        pieces.push(whole.slice(at, at + size))
        at += size
      }
      expect(read(pieces)).toMatchObject({ isWhole: true, body: chunks.map(({ text }) => text).join('') })
    },
  )
})

describe('over a socket', () => {
  let server: Server
  let base: string
  let serve: (socket: Socket) => void = () => {}
  const received: string[] = []
  const egress = new Egress({ allowHosts: [], isOpen: true })

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.setEncoding('latin1').on('error', () => {})
      const index = received.push('') - 1
      socket.on('data', (text: string) => {
        const isFirst = received[index] === ''
        received[index] += text
        if (isFirst) serve(socket)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  })
  afterAll(() => server.close())

  const ask = (init: Parameters<typeof egress.fetch>[1] = {}, path = '/') => {
    received.length = 0
    return egress.fetch(base + path, { keepalive: false, decompress: false, ...init })
  }

  test('the request is sent once, as written, with bytes for the characters of values', async () => {
    serve = (socket) => void socket.end(`${OK}Content-Length: 2\r\n\r\nok`)
    const init = { method: 'POST', headers: { 'X-A': 'caf\xe9', Host: 'other.test' }, body: '{"a": "ü"}' }
    expect(await (await ask(init, '//a//b?c')).text()).toBe('ok')
    expect(received).toEqual([
      'POST //a//b?c HTTP/1.1\r\naccept: */*\r\ncontent-length: 11\r\nhost: other.test\r\nx-a: caf\xe9\r\n\r\n{"a": "\xc3\xbc"}',
    ])
  })

  test('a head that the runtime refuses is asked for again, if that is safe', async () => {
    serve = (socket) => void socket.end(`${OK}X-Long: a\r\n b\r\nContent-Length: 2\r\n\r\nok`)
    const response = await ask({ keepalive: true })
    expect([response.headers.get('x-long'), await response.text()]).toEqual(['a b', 'ok'])
    expect(received).toHaveLength(2)
    expect(ask({ keepalive: true, method: 'POST' })).rejects.toMatchObject({
      code: 'Malformed_HTTP_Response',
    })
    await until('it was received', () => received.length === 1)
  })

  test('what isn’t HTTP fails with a reason, and closes the connection', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    serve = (socket) => void socket.on('close', resolve).write('SSH-2.0-x\r\n\r\n')
    await expect(ask()).rejects.toMatchObject({ code: 'MALFORMED_HTTP' })
    await closed
  })

  test('a connection that closes early fails the head, or the body', async () => {
    serve = (socket) => void socket.end()
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' })
    serve = (socket) => void socket.end(`${OK}Content-Length: 5\r\n\r\nab`)
    const response = await ask()
    await expect(response.text()).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('aborting ends a request before and after its head', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    serve = (socket) => void socket.on('close', resolve)
    const early = new AbortController()
    const asked = ask({ signal: early.signal })
    await until('it was received', () => received.length === 1)
    early.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await closed
    const late = new AbortController()
    serve = (socket) => void socket.write(`${OK}\r\nfirst`)
    const reader = (await ask({ signal: late.signal })).body?.getReader()
    await reader?.read()
    late.abort(new Error('enough'))
    await expect(reader?.read()).rejects.toThrow('enough')
  })

  test('whoever stops reading closes the connection; whoever reads slowly holds back the server', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    let sent = 0
    serve = (socket) => {
      socket.on('close', resolve).write(`${OK}\r\n`)
      const piece = Buffer.alloc(65_536)
      const more = () => {
        while (!socket.destroyed && sent < 1_000) {
          sent++
          if (!socket.write(piece)) return
        }
      }
      socket.on('drain', more)
      more()
    }
    const reader = (await ask()).body?.getReader()
    await reader?.read()
    // The buffers of two sockets hold some megabytes; what the server wanted to send is sixty.
    await until('the server is held back', async () => {
      const before = sent
      await Bun.sleep(100)
      return sent === before
    })
    expect(sent).toBeLessThan(1_000)
    await reader?.cancel()
    await closed
  })
})
