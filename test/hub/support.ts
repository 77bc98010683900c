import { connect, type Socket } from 'node:net'
import type { Hub, SubscribeOptions } from '../../src/hub/hub.ts'
import { until } from '../support/until.ts'

/** A hub behind a real server: the topic is the path. */
export interface HubServer {
  readonly url: string
  /** What the next subscribers are sent before they go live. */
  replay: SubscribeOptions['replay']
  /** The last position that the next subscribers say they have. */
  after: SubscribeOptions['after']
  stop(): Promise<void>
}

export function serveHub(hub: Hub): HubServer {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    fetch({ url, signal }) {
      const { replay, after } = served
      return hub.subscribe(new URL(url).pathname.slice(1), { signal, replay, after })
    },
  })
  const served: HubServer = {
    url: `http://127.0.0.1:${server.port}`,
    replay: undefined,
    after: undefined,
    stop: () => server.stop(true),
  }
  return served
}

/** A reader that takes what comes. */
export class Reader {
  readonly response: Response
  readonly #abort: AbortController
  #chunks: Uint8Array[] = []
  ended = false

  static async open(url: string): Promise<Reader> {
    const abort = new AbortController()
    return new Reader(await fetch(url, { signal: abort.signal }), abort)
  }

  private constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    void this.#read().catch(() => {
      // It left.
    })
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }

  /** Ids of the messages so far, in the order they came. */
  get ids(): number[] {
    return [...this.text.matchAll(/^id: (\d+)\n/gm)].map(([, id]) => Number(id))
  }

  has(text: string): Promise<true> {
    return until(`a reader has ${JSON.stringify(text.slice(0, 40))}`, () => this.text.includes(text))
  }

  leave(): void {
    this.#abort.abort()
  }

  async #read(): Promise<void> {
    for await (const chunk of this.response.body ?? []) this.#chunks.push(chunk)
    this.ended = true
  }
}

/** A reader that takes the first bytes and then no more, as a browser does whose tab is frozen. */
export async function openStuck(url: string): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url)
  const socket = connect(Number(port), hostname)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => {
      socket.pause()
      resolve()
    })
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
  })
  return socket
}
