import { versionsOf } from '../../test/core/changing-documents.ts'
import { mulberry32, type Random } from '../../test/core/seeded.ts'
import { readLines } from '../lib/child.ts'

/**
 * Many JSON APIs from one process, built on raw sockets: `json-source.ts PORT HOSTS APIS BYTES SEED`. They are at
 * `/0`, `/1`, ... on several loopback addresses, without validators or compression. Each line of input is a command,
 * and is answered.
 */

export interface Ask {
  /** Share of the responses that differ from the previous one; unchanged if omitted. */
  changes?: number
}

export interface Told {
  answers: number
  /** How many of these differ from the previous response of their API. */
  changed: number
  /** Responses of the API with the fewest requests. */
  least: number
}

/** Documents that the APIs are made from, each with its own number, and their versions. */
const DOCUMENTS = 10
const VERSIONS = 20

interface Api {
  answers: number
  version: number
  random: Random
}

const [port, hosts, count, bytes, seed] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
  number,
]
const documents = Array.from({ length: DOCUMENTS }, (_, at) =>
  versionsOf('table', bytes, VERSIONS, mulberry32(seed + at)).map((version) =>
    JSON.stringify(version).slice(1),
  ),
)
const apis = Array.from({ length: count }, (_, at): Api => {
  return { answers: 0, version: 0, random: mulberry32(seed * 1_000_003 + at) }
})
let changes = 0
let answers = 0
let changed = 0

for (let host = 1; host <= hosts; host++) listen(`127.0.1.${host}`)
console.log(`listening on ${port}`)
await readLines(Bun.stdin.stream(), (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))

function answer(ask: Ask): Told {
  changes = ask.changes ?? changes
  const least = apis.reduce((min, api) => Math.min(min, api.answers), Number.POSITIVE_INFINITY)
  return { answers, changed, least }
}

function next(index: number): string {
  const api = apis[index] as Api
  answers++
  if (api.answers++ > 0 && api.random() < changes) {
    api.version++
    changed++
  }
  // Back and forth, so that each version is a small change of the previous one.
  const turn = api.version % (2 * VERSIONS - 2)
  const version = turn < VERSIONS ? turn : 2 * VERSIONS - 2 - turn
  return `{"api":${index},${documents[index % DOCUMENTS]?.[version]}`
}

function listen(hostname: string): void {
  Bun.listen<{ pending: Uint8Array }>({
    hostname,
    port,
    socket: {
      open(socket) {
        socket.data = { pending: new Uint8Array() }
      },
      // On loopback the head arrives in one piece, and no request is pipelined.
      data(socket, data) {
        const index = Number(/^GET \/(\d+)/.exec(data.toString('latin1'))?.[1])
        if (!(index < count)) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
        const body = next(index)
        const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: source\r\nVary: Accept-Encoding\r\nContent-Length: ${body.length}\r\n\r\n`
        send(socket, Buffer.from(head + body, 'latin1'))
      },
      drain: (socket) => send(socket, socket.data.pending),
      error() {},
    },
  })
}

function send(socket: Bun.Socket<{ pending: Uint8Array }>, data: Uint8Array): void {
  socket.data.pending = data.subarray(Math.max(0, socket.write(data)))
}
