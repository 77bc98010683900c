import { readLines } from '../lib/child.ts'
import { MARK } from '../lib/news.ts'

/**
 * Subscribers of event streams, built on raw sockets: they count messages by their mark. Each line of input is a
 * command, and is answered.
 */

/** Commands. */
export type Ask =
  /** Add this many subscribers to a stream; answered when each has received its first bytes. */
  | { do: 'join'; url: string; count: number }
  /** Reset all counts. */
  | { do: 'reset' }
  | { do: 'tell' }

export interface Counted {
  /** Open connections. */
  open: number
  /** Messages to all of them. */
  messages: number
  /** Bytes on the wire, including heads and chunk sizes. */
  bytes: number
  /** Messages of a single subscriber: minimum and maximum. */
  fewest: number
  most: number
}

interface Subscriber {
  messages: number
  bytes: number
  begun(): void
}

/** Concurrent connection attempts: fewer than any server's backlog. */
const AT_A_TIME = 100
const MARK_BYTE = MARK.charCodeAt(0)

const subscribers = new Set<Subscriber>()

await readLines(Bun.stdin.stream(), (line) => void answer(JSON.parse(line)))

async function answer(ask: Ask): Promise<void> {
  if (ask.do === 'join') await join(ask.url, ask.count)
  if (ask.do === 'reset') for (const each of subscribers) each.messages = each.bytes = 0
  console.log(JSON.stringify(counted()))
}

function counted(): Counted {
  const sum = { open: subscribers.size, messages: 0, bytes: 0, fewest: Number.MAX_SAFE_INTEGER, most: 0 }
  for (const { messages, bytes } of subscribers) {
    sum.messages += messages
    sum.bytes += bytes
    sum.fewest = Math.min(sum.fewest, messages)
    sum.most = Math.max(sum.most, messages)
  }
  return sum
}

async function join(url: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= AT_A_TIME) {
    await Promise.all(Array.from({ length: Math.min(left, AT_A_TIME) }, () => open(new URL(url))))
  }
}

async function open({ hostname, port, host, pathname, search }: URL): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const head = `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`
  await Bun.connect<Subscriber>({
    hostname,
    port: Number(port),
    data: { messages: 0, bytes: 0, begun: resolve },
    socket: {
      open(socket) {
        subscribers.add(socket.data)
        socket.write(head)
      },
      data({ data }, chunk) {
        data.begun()
        data.bytes += chunk.byteLength
        for (let at = chunk.indexOf(MARK_BYTE); at >= 0; at = chunk.indexOf(MARK_BYTE, at + 1))
          data.messages++
      },
      close: ({ data }) => void subscribers.delete(data),
      error() {},
    },
  })
  await promise
}
