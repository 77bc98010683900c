import { Elysia } from 'elysia'
import { Problem } from '../../src/errors.ts'
import { Hub } from '../../src/hub/hub.ts'
import { requestParts } from '../../src/routes/http/part.ts'
import { assetRoutes } from '../../src/routes/operation/assets.ts'
import { topologyRoutes } from '../../src/routes/topology/topology.tsx'
import type { Database } from '../../src/storage/storage.ts'
import { Topology } from '../../src/topology/topology.ts'

const TIMELINE_PATH = '/api/topology/timeline'

export interface Message {
  event?: string
  id?: string
  data: string
}

export interface TopologySetup {
  port?: number
  /** Where it is stored: without one there is nothing to replay. */
  db?: Database
  /** The time in milliseconds since 1970. */
  now?: () => number
}

/** The topology's routes and the pages' assets on a port of their own, until the test's scope ends. */
export function startTopology({ port = 0, db, now }: TopologySetup = {}) {
  const hub = new Hub()
  const topology = new Topology({ hub, db, now })
  const app = new Elysia()
    // What pages ask of the parts of a Weir that this one doesn't have: browsers log a refusal as a fault.
    .onRequest(({ request }) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/api/streams') return Response.json({ items: [], next: null })
      if (pathname === '/pulse') return Response.json({ openIncidents: 0 })
      if (pathname === TIMELINE_PATH && db === undefined) return Response.json({ points: [] })
    })
    .onError(({ error }) =>
      error instanceof Problem ? error.toResponse() : new Response('bug', { status: 500 }),
    )
    .use(requestParts())
    .use(assetRoutes())
    .use(topologyRoutes({ topology, hub, fetch }))
    .listen({ port, hostname: '127.0.0.1', reusePort: false })
  const url = `http://127.0.0.1:${app.server?.port}`
  const close = async () => {
    hub.close()
    await topology.close()
    await app.server?.stop(true)
  }
  return {
    url,
    hub,
    topology,
    close,
    get: (path: string, headers: Record<string, string> = {}) => fetch(url + path, { headers }),
    /** Sends JSON, or a string as it is. */
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(url + path, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    submit: (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
      fetch(url + path, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(fields) }),
    events: (path: string, lastEventId?: string) => EventReader.open(url + path, lastEventId),
    [Symbol.asyncDispose]: close,
  }
}

/** Reads an event stream message by message. */
export class EventReader {
  readonly #lines: AsyncIterator<string>
  readonly #abort: AbortController

  private constructor(body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.#lines = lines(body)
    this.#abort = abort
  }

  static async open(url: string, lastEventId?: string): Promise<EventReader> {
    const abort = new AbortController()
    const headers: Record<string, string> = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }
    const response = await fetch(url, { headers, signal: abort.signal })
    if (response.body === null || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      throw new Error(`${url} is no event stream: ${response.status} ${await response.text()}`)
    }
    return new EventReader(response.body, abort)
  }

  /** The next message; comments and a lone `retry` are passed over. */
  async next(): Promise<Message> {
    const message: Message = { data: '' }
    let hasData = false
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) throw new Error('the event stream ended')
      if (value === '' && hasData) return message
      const [, field, text = ''] = /^(\w+): (.*)$/.exec(value) ?? []
      if (field === 'data') {
        message.data += hasData ? `\n${text}` : text
        hasData = true
      } else if (field === 'event' || field === 'id') message[field] = text
    }
  }

  /** The next message as its event, its id as a number, and its data parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the message that it waits for
  async nextJson(): Promise<{ event: string | undefined; id: number; data: any }> {
    const { event, id, data } = await this.next()
    return { event, id: Number(id), data: JSON.parse(data) }
  }

  close(): void {
    this.#abort.abort()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
  return undefined
}
