import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { EgressConnect } from '../../../net/egress.ts'
import type { SentRequest } from '../../../net/request-bytes.ts'
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
/** Largest head of a response, in bytes. */
const MAX_HEAD_BYTES = 65_536
const HEAD_END = '\r\n\r\n'
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
  return async (url, { headers, signal, onSend }) => {
    const key = randomBytes(16).toString('base64')
    const sent = headersOf(url, headers, key, protocol)
    const abort = signal ?? undefined
    const socket = await connect(url, { signal: abort })
    const onAbort = () => socket.destroy()
    abort?.addEventListener('abort', onAbort)
    try {
      abort?.throwIfAborted()
      onSend?.(url, { method: 'GET', headers: sent } satisfies SentRequest)
      socket.write(Buffer.from(requestText(url, sent), 'latin1'))
      const bytes = socket.iterator({ destroyOnReturn: true }) as AsyncIterator<Buffer>
      const { head, rest } = await readHead(bytes)
      const response = responseOf(head)
      if (response.status !== 101) return await refused(response, bytes, rest, socket)
      const mayCompress = accepted(response.headers, key, protocol)
      opened({ socket, bytes: withFirst(rest, bytes), mayCompress })
      return response
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

async function readHead(bytes: AsyncIterator<Buffer>): Promise<{ head: string; rest: Buffer }> {
  let received = Buffer.alloc(0)
  for (;;) {
    const { value, done } = await bytes.next()
    if (done) throw new UpstreamError('ended_early', 'The connection closed during the WebSocket handshake.')
    received = Buffer.concat([received, value])
    const end = received.indexOf(HEAD_END)
    if (end >= 0 && end <= MAX_HEAD_BYTES) {
      return { head: received.toString('latin1', 0, end), rest: received.subarray(end + HEAD_END.length) }
    }
    if (received.byteLength > MAX_HEAD_BYTES) throw badHandshake('its head is too large')
  }
}

function responseOf(head: string): Response {
  const [statusLine = '', ...lines] = head.split('\r\n')
  const [, status, statusText = ''] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(statusLine) ?? []
  if (status === undefined) throw badHandshake("it isn't HTTP/1.1")
  try {
    const headers = new Headers()
    for (const line of lines) {
      const at = line.indexOf(':')
      if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim())
    }
    return new Response(null, { status: Number(status), statusText, headers })
  } catch {
    throw badHandshake('it has an invalid status or header')
  }
}

/** The answer of an upstream that opens no WebSocket, with the start of its body. */
async function refused(
  { status, statusText, headers }: Response,
  bytes: AsyncIterator<Buffer>,
  first: Buffer,
  socket: Socket,
): Promise<Response> {
  if (REDIRECTS.has(status)) {
    const message = `The upstream redirected the WebSocket (${status}). Register the URL that it leads to: redirects of a WebSocket aren't followed.`
    throw new UpstreamError('bad_redirect', message)
  }
  const timer = setTimeout(() => socket.destroy(), ENDLESS_BODY.timeoutMs)
  const chunks = [first]
  const wanted = Number(headers.get('content-length') ?? ENDLESS_BODY.maxBytes)
  const bound = Math.min(Number.isNaN(wanted) ? 0 : wanted, ENDLESS_BODY.maxBytes)
  try {
    for (let length = first.byteLength; length < bound; ) {
      const { value, done } = await bytes.next()
      if (done) break
      length += value.byteLength
      chunks.push(value)
    }
  } catch {
    // The connection broke: what it sent is enough.
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
  const body = bodyIn(Buffer.concat(chunks), headers).subarray(0, bound)
  const isEmpty = [204, 205, 304].includes(status)
  return new Response(isEmpty ? null : new Uint8Array(body), { status, statusText, headers })
}

/** A body without the framing of chunks. @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
function bodyIn(raw: Buffer, headers: Headers): Buffer {
  if (!/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) return raw
  const parts: Buffer[] = []
  for (let from = 0; from < raw.byteLength; ) {
    const end = raw.indexOf('\r\n', from)
    const length = end < 0 ? 0 : Number.parseInt(raw.toString('latin1', from, end), 16)
    if (!(length > 0)) break
    parts.push(raw.subarray(end + 2, end + 2 + length))
    from = end + 2 + length + 2
  }
  return Buffer.concat(parts)
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
