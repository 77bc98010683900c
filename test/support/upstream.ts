import type { Server } from 'bun'

/** An upstream's response to a request. `hits` counts the requests of its path, including this one. */
export type Behavior = (request: Request, hits: number) => Response | Promise<Response>

/** A real HTTP server with a separate behavior for each path. */
export interface Upstream {
  readonly url: string
  /** Requests seen, by path. */
  readonly requests: Map<string, Request[]>
  on(path: string, behavior: Behavior): string
  /** Connections that are open now. */
  pending(): number
  stop(): Promise<void>
}

export function startUpstream(port = 0): Upstream {
  const behaviors = new Map<string, Behavior>()
  const requests = new Map<string, Request[]>()
  const server: Server<undefined> = Bun.serve({
    port,
    hostname: '127.0.0.1',
    reusePort: false,
    idleTimeout: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      const seen = requests.get(pathname) ?? []
      requests.set(pathname, seen)
      seen.push(request)
      return behaviors.get(pathname)?.(request, seen.length) ?? new Response('no such path', { status: 404 })
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    url,
    requests,
    on(path, behavior) {
      behaviors.set(path, behavior)
      return url + path
    },
    pending: () => server.pendingRequests,
    stop: () => server.stop(true),
  }
}

/** An event stream to which a test writes bytes or text. */
export class Feed {
  readonly #readers = new Set<ReadableStreamDefaultController<Uint8Array>>()

  /** Responds to a request with the stream. */
  response(headers: Record<string, string> = {}, first = ''): Response {
    let own: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller
        this.#readers.add(controller)
        // Headers are sent with the first byte, so a comment opens the connection at once.
        controller.enqueue(new TextEncoder().encode(first || ': connected\n\n'))
      },
      cancel: () => void this.#readers.delete(own),
    })
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream', ...headers } })
  }

  get readers(): number {
    return this.#readers.size
  }

  send(content: string | Uint8Array): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    for (const reader of this.#readers) reader.enqueue(bytes)
  }

  /** Ends every open connection normally. */
  end(): void {
    for (const reader of this.#readers) reader.close()
    this.#readers.clear()
  }
}
