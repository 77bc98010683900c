import { readLines } from '../lib/child.ts'

/**
 * Many event streams from one process, built on raw sockets: each line of input is a command, and is answered.
 * Streams are at `/0`, `/1`, ... on several loopback addresses, so that they have many hosts. Events are numbered; a
 * reader resumes after its `Last-Event-ID`.
 */

/** Commands. */
export type Ask =
  /** Send this many events per second on each open stream, with this many bytes of data each. */
  | { do: 'send'; perSecond: number; bytes: number }
  /** Stop sending; streams stay open. */
  | { do: 'hush' }
  | { do: 'tell' }

export interface Told {
  /** Streams with a reader. */
  readers: number
  /** Total events sent. */
  sent: number
  /** Number of the last event of each stream, from 0. */
  last: number[]
  /** Events written that their readers haven't read yet. Bytes. */
  pendingBytes: number
}

interface Reader {
  index: number
  socket: Bun.Socket<Reader>
  /** What the socket hasn't accepted yet. */
  pending: Uint8Array[]
  pendingBytes: number
}

const TICK_MS = 10
const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n'

const [port = '0', hosts = '1', streams = '1'] = process.argv.slice(2)
const last = new Array<number>(Number(streams)).fill(0)
const readers = new Map<number, Reader>()
let sent = 0
let timer: Timer | undefined

for (let host = 1; host <= Number(hosts); host++) listen(`127.0.1.${host}`)
console.log(`listening on ${port}`)
await readLines(Bun.stdin.stream(), (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))

function answer(ask: Ask): Told {
  if (ask.do === 'send') send(ask.perSecond, ask.bytes)
  if (ask.do === 'hush') clearInterval(timer)
  const pendingBytes = [...readers.values()].reduce((sum, reader) => sum + reader.pendingBytes, 0)
  return { readers: readers.size, sent, last, pendingBytes }
}

/** Spreads the events over time: in each tick, the streams whose turn it is send. */
function send(perSecond: number, bytes: number): void {
  clearInterval(timer)
  const startedAt = performance.now()
  let done = 0
  let next = 0
  timer = setInterval(() => {
    const order = [...readers.values()]
    if (order.length === 0) return
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond * order.length)
    // Makes up for late ticks, but not for a pause of the whole machine.
    const count = Math.min(due - done, order.length)
    done = due
    for (let i = 0; i < count; i++) emit(order[next++ % order.length] as Reader, bytes)
  }, TICK_MS)
}

function emit(reader: Reader, bytes: number): void {
  const number = (last[reader.index] as number) + 1
  last[reader.index] = number
  sent++
  const fields = `{"stream":${reader.index},"number":${number},"at":${Date.now()},"pad":"`
  write(reader, Buffer.from(`id: ${number}\ndata: ${fields.padEnd(bytes - 2, 'x')}"}\n\n`))
}

function write(reader: Reader, data: Uint8Array): void {
  const taken = reader.pending.length > 0 ? 0 : Math.max(0, reader.socket.write(data))
  if (taken === data.byteLength) return
  reader.pending.push(data.subarray(taken))
  reader.pendingBytes += data.byteLength - taken
}

function drain(reader: Reader): void {
  for (let data = reader.pending[0]; data !== undefined; data = reader.pending[0]) {
    const taken = Math.max(0, reader.socket.write(data))
    reader.pendingBytes -= taken
    if (taken < data.byteLength) {
      reader.pending[0] = data.subarray(taken)
      return
    }
    reader.pending.shift()
  }
}

function listen(hostname: string): void {
  Bun.listen<Reader>({
    hostname,
    port: Number(port),
    socket: {
      open(socket) {
        socket.data = { index: -1, socket, pending: [], pendingBytes: 0 }
      },
      // One request per connection, whose head arrives in one piece on loopback.
      data(socket, data) {
        const reader = socket.data
        const request = data.toString('latin1')
        const index = Number(/^GET \/(\d+)/.exec(request)?.[1])
        if (reader.index >= 0 || !(index < last.length)) {
          socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
          return
        }
        reader.index = index
        readers.set(index, reader)
        write(reader, Buffer.from(HEAD))
      },
      drain: (socket) => drain(socket.data),
      close({ data }) {
        if (readers.get(data.index) === data) readers.delete(data.index)
      },
      error() {},
    },
  })
}
