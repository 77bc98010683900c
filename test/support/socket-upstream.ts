import type { Server, ServerWebSocket } from 'bun'

/** A real WebSocket server, to which a test sends on every open socket. */
export interface SocketUpstream {
  readonly url: string
  /** Requests that opened a socket, or were refused. */
  readonly requests: Request[]
  /** Messages received, in order. */
  readonly messages: (string | Buffer)[]
  /** Pings received. */
  pings(): number
  readonly sockets: Set<ServerWebSocket<unknown>>
  send(content: string | Uint8Array<ArrayBuffer>, compress?: boolean): void
  /** Closes every socket. */
  close(code?: number, reason?: string): void
  stop(): Promise<void>
}

interface Options {
  tls?: { key: string; cert: string }
  /** Answers a message; default: nothing. */
  onMessage?(socket: ServerWebSocket<unknown>, message: string | Buffer): void
  onOpen?(socket: ServerWebSocket<unknown>): void
  /** Headers of the response that opens a socket. */
  headers?: Record<string, string>
}

export function startSocketUpstream({ tls, onMessage, onOpen, headers }: Options = {}): SocketUpstream {
  const requests: Request[] = []
  const messages: (string | Buffer)[] = []
  const sockets = new Set<ServerWebSocket<unknown>>()
  let pings = 0
  const server: Server<unknown> = Bun.serve<unknown>({
    ...(tls && { tls }),
    port: 0,
    hostname: '127.0.0.1',
    fetch(request, server) {
      requests.push(request)
      return server.upgrade(request, { data: undefined, ...(headers && { headers }) })
        ? undefined
        : new Response('not a WebSocket', { status: 400 })
    },
    websocket: {
      perMessageDeflate: true,
      maxPayloadLength: 64_000_000,
      backpressureLimit: 64_000_000,
      idleTimeout: 0,
      open(socket) {
        sockets.add(socket)
        onOpen?.(socket)
      },
      close: (socket) => void sockets.delete(socket),
      message(socket, message) {
        messages.push(message)
        onMessage?.(socket, message)
      },
      ping: () => {
        pings++
      },
    },
  })
  return {
    url: `${tls ? 'wss' : 'ws'}://127.0.0.1:${server.port}`,
    requests,
    messages,
    pings: () => pings,
    sockets,
    send(content, compress = false) {
      for (const socket of sockets) socket.send(content, compress)
    },
    close(code, reason) {
      for (const socket of sockets) socket.close(code, reason)
    },
    stop: () => server.stop(true),
  }
}
