import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { EgressConnect } from '../../../net/egress.ts'
import { type Head, MalformedAnswer } from '../../../net/http1/head.ts'
import { responseOf } from '../../../net/http1/response.ts'
import { ResponseParser } from '../../../net/http1/response-parser.ts'
import type { SentRequest } from '../../../net/request-bytes.ts'
import type { SocketTls } from '../../../net/sockets.ts'
import { ENDLESS_BODY } from '../body.ts'
import { UpstreamError, type UpstreamFetch } from '../upstream.ts'

/** An open WebSocket, and the response that opened it. */
export interface Opened {
  socket: Socket
  /** The bytes that arrive on it, from the first after the handshake. */
  bytes: AsyncIterator<Buffer>
  /** Whether messages may be compressed. */
  mayCompress: boolean
}

/** What every accept key is made with. @see https://www.rfc-editor.org/rfc/rfc6455#section-1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/**
 * Each message is compressed on its own: a bomb is one message, and a bound on it is a bound on the memory.
 * @see https://www.rfc-editor.org/rfc/rfc7692#section-7
 */
const COMPRESSION = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
/** Headers that the handshake writes itself, whatever the stream has. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'upgrade', 'content-length', 'transfer-encoding'],
  ...['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-extensions', 'sec-websocket-protocol'],
])
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * A fetch whose request opens a WebSocket. Its response has the status 101, or is the answer of an upstream that
 * refuses. Redirects aren't followed.
 * @param protocol subprotocol to ask for; the upstream must choose it
 * @param opened called with the socket, if it is open
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4
 */
export function socketFetch(
  connect: EgressConnect,
  protocol: string | undefined,
  opened: (open: Opened) => void,
): UpstreamFetch {
  return async (url, { headers, signal, onSend, tls }) => {
    const key = randomBytes(16).toString('base64')
    const sent = headersOf(url, headers, key, protocol)
    const abort = signal ?? undefined
    const socket = await connect(url, { signal: abort, ...(tls && { tls: tls as SocketTls }) })
    const onAbort = () => socket.destroy()
    abort?.addEventListener('abort', onAbort)
    try {
      abort?.throwIfAborted()
      onSend?.(url, { method: 'GET', headers: sent } satisfies SentRequest)
      socket.write(Buffer.from(requestText(url, sent), 'latin1'))
      const bytes = socket.iterator({ destroyOnReturn: true }) as AsyncIterator<Buffer>
      const answer = new Answer()
      const { head, rest } = await answer.head(bytes)
      if (head.status !== 101) return await refused(head, answer, bytes, socket)
      const mayCompress = accepted(head.headers, key, protocol)
      opened({ socket, bytes: withFirst(rest, bytes), mayCompress })
      return responseOf(head, null)
    } catch (error) {
      socket.destroy()
      abort?.throwIfAborted()
      throw error
    } finally {
      abort?.removeEventListener('abort', onAbort)
    }
  }
}

function headersOf(
  url: string,
  given: Parameters<UpstreamFetch>[1]['headers'],
  key: string,
  protocol: string | undefined,
): Record<string, string> {
  const own = [...new Headers(given)].filter(([name]) => !OWN_HEADERS.has(name))
  return {
    Host: new URL(url).host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Extensions': COMPRESSION,
    ...(protocol !== undefined && { 'Sec-WebSocket-Protocol': protocol }),
    Accept: '*/*',
    ...Object.fromEntries(own),
  }
}

function requestText(url: string, headers: Record<string, string>): string {
  const { pathname, search } = new URL(url)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** What an upstream answers to the handshake. */
class Answer {
  /** Of an upstream that refuses. */
  readonly body: Uint8Array[] = []
  bodyBytes = 0
  #head: Head | undefined
  readonly #parser = new ResponseParser('GET', {
    head: (head) => {
      this.#head = head
    },
    body: (bytes) => {
      this.body.push(bytes)
      this.bodyBytes += bytes.byteLength
    },
    end() {},
  })

  get isOver(): boolean {
    return this.#parser.isOver
  }

  /**
   * Reads the head, with what follows it.
   * @throws UpstreamError
   */
  async head(bytes: AsyncIterator<Buffer>): Promise<{ head: Head; rest: Buffer }> {
    for (;;) {
      const { value, done } = await bytes.next()
      if (done)
        throw new UpstreamError('ended_early', 'The connection closed during the WebSocket handshake.')
      const rest = value.subarray(this.push(value))
      if (this.#head !== undefined) return { head: this.#head, rest }
    }
  }

  /**
   * @returns how many of the bytes belong to it
   * @throws UpstreamError
   */
  push(bytes: Buffer): number {
    try {
      return this.#parser.push(bytes)
    } catch (error) {
      throw error instanceof MalformedAnswer ? badHandshake(error.why) : error
    }
  }
}

/** The answer of an upstream that opens no WebSocket, with the start of its body. */
async function refused(
  head: Head,
  answer: Answer,
  bytes: AsyncIterator<Buffer>,
  socket: Socket,
): Promise<Response> {
  const { status } = head
  if (REDIRECTS.has(status)) {
    const message = `The upstream redirected the WebSocket (${status}). Register the URL that it leads to: redirects of a WebSocket aren't followed.`
    throw new UpstreamError('bad_redirect', message)
  }
  const { maxBytes, timeoutMs } = ENDLESS_BODY
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  try {
    while (!answer.isOver && answer.bodyBytes < maxBytes) {
      const { value, done } = await bytes.next()
      if (done) break
      answer.push(value)
    }
  } catch {
    // The connection broke: what it sent is enough.
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
  return responseOf(head, new Uint8Array(Buffer.concat(answer.body)).subarray(0, maxBytes))
}

/**
 * Checks that an upstream has opened the WebSocket that it was asked for.
 * @returns whether messages may be compressed
 * @throws UpstreamError
 */
function accepted(headers: Headers, key: string, protocol: string | undefined): boolean {
  const has = (name: string, token: string) =>
    (headers.get(name) ?? '').split(',').some((each) => each.trim().toLowerCase() === token)
  if (!has('upgrade', 'websocket') || !has('connection', 'upgrade')) throw badHandshake("it doesn't upgrade")
  const expected = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  if (headers.get('sec-websocket-accept')?.trim() !== expected) throw badHandshake('its accept key is wrong')
  const chosen = headers.get('sec-websocket-protocol')?.trim()
  if (chosen !== protocol) {
    throw badHandshake(
      protocol === undefined
        ? 'it chose a subprotocol that was not asked for'
        : `it doesn't speak the subprotocol ${protocol}`,
    )
  }
  const extensions = headers.get('sec-websocket-extensions')?.trim() ?? ''
  if (extensions === '') return false
  const [name, ...parameters] = extensions
    .toLowerCase()
    .split(';')
    .map((each) => each.trim())
  if (name !== 'permessage-deflate' || !parameters.includes('server_no_context_takeover')) {
    throw badHandshake('it chose an extension that was not asked for')
  }
  return true
}

async function* withFirst(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.byteLength > 0) yield first
  for (;;) {
    const { value, done } = await rest.next()
    if (done) return
    yield value
  }
}

function badHandshake(why: string): UpstreamError {
  return new UpstreamError('bad_handshake', `The WebSocket handshake of the upstream is invalid: ${why}.`)
}
