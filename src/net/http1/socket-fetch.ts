import type { Socket } from 'node:net'
import type { EgressConnect, EgressFetch } from '../egress.ts'
import type { SocketOptions } from '../sockets.ts'
import { responseOf } from './response.ts'
import { ResponseParser } from './response-parser.ts'

/** Body that is read ahead of its reader, in bytes; then the socket waits, and with it the upstream. */
const READ_AHEAD_BYTES = 65_536
/** After this long without a byte, the system probes whether the other end is still there, in milliseconds. */
const PROBE_AFTER_MS = 60_000

type Init = Parameters<EgressFetch>[1]

/**
 * A `fetch` that opens a connection for each request and reads the answer itself. Redirects aren't followed, bodies aren't
 * decompressed. The request is written as {@link requestBytes} counts it.
 * @throws MalformedAnswer; otherwise what the connection fails with, or the signal's reason
 */
export function fetchOverSocket(connect: EgressConnect): EgressFetch {
  return async (url, init) => {
    const { method = 'GET', signal } = init
    const abort = signal ?? undefined
    abort?.throwIfAborted()
    const socket = await connect(url, { signal: abort, tls: init.tls as SocketOptions['tls'] })
    socket.setNoDelay(true).setKeepAlive(true, PROBE_AFTER_MS)
    const answered = answerOn(socket, method, abort)
    socket.write(requestText(url, method, init))
    return answered
  }
}

/** Whether a request can be sent like this: its body is text, and nobody expects the answer to be decompressed. */
export function isForSocket({ decompress, body }: Init): boolean {
  return decompress === false && (body == null || typeof body === 'string')
}

function answerOn(socket: Socket, method: string, signal: AbortSignal | undefined): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const done = () => {
    signal?.removeEventListener('abort', onAbort)
    socket.destroy()
  }
  const fail = (error: unknown) => {
    if (parser.isOver) return
    reject(error)
    controller?.error(error)
    controller = undefined
    done()
  }
  const onAbort = () => fail(signal?.reason)
  const parser = new ResponseParser(method, {
    head(head) {
      const body = new ReadableStream<Uint8Array>(
        {
          start: (own) => {
            controller = own
          },
          pull: () => void socket.resume(),
          cancel: () => {
            controller = undefined
            done()
          },
        },
        new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD_BYTES }),
      )
      resolve(responseOf(head, body))
    },
    body(bytes) {
      controller?.enqueue(bytes)
      if ((controller?.desiredSize ?? 1) <= 0) socket.pause()
    },
    end() {
      controller?.close()
      controller = undefined
      done()
    },
  })
  signal?.addEventListener('abort', onAbort)
  const broke = () => fail(Object.assign(new Error('The connection closed'), { code: 'ECONNRESET' }))
  socket.on('data', (bytes: Uint8Array) => {
    try {
      parser.push(bytes)
    } catch (error) {
      fail(error)
    }
  })
  socket.on('error', fail).on('close', broke)
  socket.on('end', () => {
    if (!parser.close()) broke()
  })
  if (signal?.aborted) onAbort()
  return promise
}

/** Header values are bytes, which their characters stand for. */
function requestText(url: string, method: string, { headers, body }: Init): Buffer {
  const { pathname, search, host } = new URL(url)
  const fields = new Headers(headers)
  for (const own of ['content-length', 'transfer-encoding']) fields.delete(own)
  if (!fields.has('accept')) fields.set('Accept', '*/*')
  if (!fields.has('host')) fields.set('Host', host)
  const content = Buffer.from(typeof body === 'string' ? body : '')
  if (content.byteLength > 0 || (method !== 'GET' && method !== 'HEAD'))
    fields.set('Content-Length', String(content.byteLength))
  const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([
    Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines}\r\n`, 'latin1'),
    content,
  ])
}
