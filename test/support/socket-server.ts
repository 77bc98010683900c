import { createServer, type Socket } from 'node:net'

/** A request as it came over the socket. */
export interface SocketRequest {
  /** Request line and headers. */
  head: string
  path: string
  socket: Socket
}

export interface CountingServer {
  url: string
  /** Requests, and the bytes received and written on all connections. */
  counts: { requests: number; received: number; written: number }
  stop(): void
}

/** A server that answers each request with bytes, and counts what goes over its sockets. */
export async function startCountingServer(
  answer: (request: SocketRequest) => string | Buffer | undefined,
): Promise<CountingServer> {
  const counts = { requests: 0, received: 0, written: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    let waiting = ''
    socket.on('data', (chunk: Buffer) => {
      counts.received += chunk.byteLength
      waiting += chunk.toString('latin1')
      for (let end = endOfRequest(waiting); end > 0; end = endOfRequest(waiting)) {
        const head = waiting.slice(0, waiting.indexOf('\r\n\r\n'))
        waiting = waiting.slice(end)
        counts.requests++
        const bytes = answer({ head, path: head.split(' ')[1] ?? '', socket })
        if (bytes === undefined) continue
        counts.written += Buffer.byteLength(bytes)
        socket.write(bytes)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const stop = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { url: `http://127.0.0.1:${port}`, counts, stop }
}

/** A response of HTTP/1.1 with its length. */
export function responseOf(
  status: string,
  headers: Record<string, string>,
  body: string | Buffer = '',
): Buffer {
  const lines = Object.entries({ ...headers, 'Content-Length': String(Buffer.byteLength(body)) })
  const head = [`HTTP/1.1 ${status}`, ...lines.map(([name, value]) => `${name}: ${value}`)]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)])
}

/** Where the first request ends; 0 if it hasn't arrived whole. */
function endOfRequest(text: string): number {
  const end = text.indexOf('\r\n\r\n') + 4
  if (end < 4) return 0
  const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, end))?.[1] ?? 0)
  return text.length < end + length ? 0 : end + length
}
