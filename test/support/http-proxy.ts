import { createServer, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'

/** A request that the proxy received. */
export interface Proxied {
  /** The request line: a method, and an absolute URL or, for a tunnel, host and port. */
  line: string
  headers: IncomingMessage['headers']
}

/** A real HTTP proxy that maps every host to this machine, and records its requests. */
export interface HttpProxy {
  readonly url: string
  readonly seen: Proxied[]
  stop(): Promise<void>
}

export async function startHttpProxy(): Promise<HttpProxy> {
  const seen: Proxied[] = []
  const server = createServer((incoming, outgoing) => {
    seen.push({ line: `${incoming.method} ${incoming.url}`, headers: incoming.headers })
    const { port, pathname, search, host } = new URL(incoming.url as string, 'http://unknown')
    const headers = { ...incoming.headers, host }
    const options = { host: '127.0.0.1', port, path: pathname + search, method: incoming.method, headers }
    const onward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.writeHead(502).end())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.on('connect', (incoming, socket) => {
    seen.push({ line: `CONNECT ${incoming.url}`, headers: incoming.headers })
    const onward = connect(Number(incoming.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket)
      socket.pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    seen,
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped())
        server.closeAllConnections()
      }),
  }
}
