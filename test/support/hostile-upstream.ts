import { createServer, type Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

/**
 * A program that answers on its own port what no good upstream does, by path. It is a process of its own, so that what
 * it has in memory isn't counted as Weir's. Prints its port; `/sent` says how many bytes were taken of each answer.
 */
const BOMB = Buffer.alloc(50_000_000, ' ')
const FILLER = 'a'.repeat(65_536)
/** Limit of an endless response, in bytes. */
const MAX_SENT_BYTES = 256_000_000

interface Answer {
  /** Sent at once. */
  head: string | Uint8Array
  /** Sent for as long as the client reads. */
  forEver?: string
}

const packed = (encoding: string, body: Uint8Array, type = 'application/json') =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Encoding: ${encoding}\r\n`),
    Buffer.from(`Content-Length: ${body.byteLength}\r\n\r\n`),
    body,
  ])
const plain = (body: string, type = 'application/json') =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
const CHUNKED = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
const deep = (levels: number, leaf: number) => `${'{"a":['.repeat(levels)}${leaf}${']}'.repeat(levels)}`
const members = (count: number, value: number) =>
  `{${Array.from({ length: count }, (_, index) => `"k${index}":${value}`).join()}}`

const cookies = (count: number) =>
  Array.from({ length: count }, (_, index) => `Set-Cookie: n${index}=${'c'.repeat(60)}; Path=/\r\n`).join('')

const ANSWERS: Record<string, Answer> = {
  '/gzip-bomb': { head: packed('gzip', gzipSync(BOMB)) },
  '/deflate-bomb': { head: packed('deflate', deflateSync(BOMB)) },
  '/gzip-in-gzip': { head: packed('gzip, gzip', gzipSync(gzipSync(BOMB))) },
  '/brotli-bomb': { head: packed('br', brotliCompressSync(BOMB)) },
  '/broken-gzip': { head: packed('gzip', gzipSync('{}').subarray(0, 12)) },
  '/endless-body': { head: 'HTTP/1.1 200 OK\r\n\r\n', forEver: FILLER },
  '/endless-chunks': { head: CHUNKED, forEver: `10000\r\n${FILLER}\r\n` },
  '/endless-chunk-extension': { head: `${CHUNKED}5;`, forEver: FILLER },
  '/endless-trailers': { head: `${CHUNKED}2\r\n{}\r\n0\r\n`, forEver: 'X-Trailer: aaaaaaa\r\n'.repeat(500) },
  '/endless-status-line': { head: 'HTTP/1.1 200 ', forEver: FILLER },
  '/endless-header': { head: 'HTTP/1.1 200 OK\r\nX-A: ', forEver: FILLER },
  '/endless-headers': { head: 'HTTP/1.1 200 OK\r\n', forEver: 'X-Header: aaaaaaaa\r\n'.repeat(500) },
  '/endless-patience': { head: '', forEver: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(500) },
  '/bottomless-JSON': { head: plain('['.repeat(90_000)) },
  '/closed-bottomless-JSON': { head: plain('['.repeat(49_000) + ']'.repeat(49_000)) },
  '/no-HTTP': { head: 'SSH-2.0-OpenSSH_9.2\r\n' },
  '/gzip-bomb-in-an-event': {
    head: packed('gzip', gzipSync(Buffer.concat([Buffer.from('data: '), BOMB])), 'text/event-stream'),
  },
  '/endless-line': { head: `${EVENTS}data: `, forEver: FILLER },
  '/endless-id': { head: `${EVENTS}id: `, forEver: FILLER },
  '/endless-event': { head: EVENTS, forEver: 'data: aaaaaaaaaaaaaaaa\n'.repeat(1_000) },
  // Comments and unknown fields are skipped as they arrive, however long.
  '/endless-comment': { head: `${EVENTS}data: 1\n\n:`, forEver: FILLER },
  '/endless-field-name': { head: `${EVENTS}data: 1\n\n`, forEver: FILLER },
  // The same again and again, with as many cookies as fit.
  '/cookie-flood': {
    head: `HTTP/1.1 302 Found\r\nLocation: /cookie-flood\r\nContent-Length: 0\r\n${cookies(200)}\r\n`,
  },
  '/challenge-flood': {
    head: `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest ${'realm="a", nonce="b", '.repeat(400)}\r\nContent-Length: 0\r\n\r\n`,
  },
  '/raw-location': {
    head: Buffer.from(
      'HTTP/1.1 302 Found\r\nLocation: /\xff\xfe caf\xe9\r\nContent-Length: 0\r\n\r\n',
      'latin1',
    ),
  },
  '/large-id': { head: `${EVENTS}id: ${'i'.repeat(90_000)}\nevent: ${'e'.repeat(5_000)}\ndata: 1\n\n` },
}
/** Documents that change with every request. */
const DOCUMENTS: Record<string, (hit: number) => string> = {
  '/deep': (hit) => deep(900, hit),
  '/members': (hit) => members(8_000, hit),
  '/inherited': (hit) => `{"__proto__":{"a":${hit}},"constructor":{"prototype":${hit}},"toString":${hit}}`,
}

const sent: Record<string, number> = {}
const hits: Record<string, number> = {}

function answerOf(path: string): Answer {
  if (path === '/sent') return { head: plain(JSON.stringify(sent)) }
  const hit = (hits[path] ?? 0) + 1
  hits[path] = hit
  return ANSWERS[path] ?? { head: plain(DOCUMENTS[path]?.(hit) ?? '{}') }
}

function pour(socket: Socket, path: string, { head, forEver }: Answer): void {
  let taken = 0
  const more = () => {
    while (forEver !== undefined && taken < MAX_SENT_BYTES && !socket.destroyed) {
      taken += forEver.length
      sent[path] = Math.max(sent[path] ?? 0, taken)
      if (!socket.write(forEver)) return
    }
  }
  socket.removeAllListeners('drain').on('drain', more)
  if (head.length > 0) socket.write(head)
  more()
}

const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', (request) => {
    const path = /^\w+ (\S+)/.exec(request.toString('latin1'))?.[1] ?? ''
    pour(socket, path, answerOf(path))
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port))
