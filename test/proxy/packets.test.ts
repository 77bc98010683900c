import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import type { SavingsSums } from '../../src/core/measures.ts'
import { savings } from '../../src/core/measures.ts'
import { network } from '../../src/core/network.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Share by which the estimate may differ from the packets that Linux counted. */
const TOLERANCE = 0.15
/** Longer than receivers delay an acknowledgment (40 ms), as polls and changes are far apart. */
const APART_MS = 80
const POLLS = 30
const CHANGES = 12
/** Neither side has closed yet: FIN and ACK from both are in the estimate, but not in the count. */
const CLOSING_PACKETS = 4
const LOOPBACK_SEGMENT_BYTES = 32_768

const NONE: SavingsSums = {
  ...{ polls: 1, failures: 0, compared: 0, changed: 0, wireBytes: 0, headBytes: 0 },
  ...{ plainBytes: 0, gzipBytes: 0, conditionalBytes: 0, patchBytes: 0, frameBytes: 0, deflatedBytes: 0 },
  ...{ requests: 0, requestBytes: 0, failedHeadBytes: 0, redirectBytes: 0 },
  ...{ connectedMs: 0, connections: 1, snapshotBytes: 0, snapshotGzipBytes: 0 },
}

/** What Linux counted for the connection to a server from that port: packets in both directions. */
function packetsOf(serverPort: number, clientPort: number): number {
  const filter = `( sport = :${serverPort} and dport = :${clientPort} )`
  const told = Bun.spawnSync(['ss', '-tinH', ...filter.split(' ')]).stdout.toString()
  const [out, received] = ['segs_out', 'segs_in'].map((name) =>
    Number(new RegExp(`${name}:(\\d+)`).exec(told)?.[1]),
  )
  // The SYN that opened it isn't counted.
  return (out ?? 0) + (received ?? 0) + 1
}

function estimate(sums: Partial<SavingsSums>) {
  const all = { ...NONE, ...sums }
  const found = savings(all)
  if (found === null) throw new Error('There were polls')
  const link = { isEncrypted: false, requestBytes: 150, segmentBytes: LOOPBACK_SEGMENT_BYTES }
  return network(all, found, link)
}

const opened = (port: number, hostname: string) =>
  new Promise<Socket>((resolve, reject) => {
    const socket: Socket = connect(port, hostname, () => resolve(socket)).on('error', reject)
  })

// Only Linux counts packets per connection, and only `ss` of iproute2 shows the count.
const WITHOUT_COUNTS = Bun.which('ss') === null

test.skipIf(WITHOUT_COUNTS)('an estimate for polls is what Linux counts', async () => {
  const body = 'x'.repeat(5_000)
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(body) })
  const port = server.port as number
  const socket = await opened(port, '127.0.0.1')
  for (let poll = 0; poll < POLLS; poll++) {
    const answered = new Promise<void>((resolve) => {
      let received = 0
      const onData = (chunk: Buffer) => {
        received += chunk.byteLength
        if (received < body.length) return
        socket.off('data', onData)
        resolve()
      }
      socket.on('data', onData)
    })
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    await answered
    await Bun.sleep(APART_MS)
  }
  const counted = packetsOf(port, socket.localPort as number) + CLOSING_PACKETS
  socket.destroy()
  await server.stop(true)
  const { packets } = estimate({ polls: POLLS, plainBytes: POLLS * body.length, headBytes: POLLS * 150 })
    .polling.plain
  expect(Math.abs(packets / counted - 1)).toBeLessThan(TOLERANCE)
})

let upstream: Upstream
let weir: TestWeir

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

test.skipIf(WITHOUT_COUNTS)('an estimate for a stream is what Linux counts', async () => {
  const url = upstream.on('/counted', (_request, hit) => Response.json({ hit, text: 'x'.repeat(2_000) }))
  const { hostname, port } = new URL(weir.url)
  const socket = await opened(Number(port), hostname)
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  socket.write(`GET /proxy/${url}?intervalMs=500 HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
  const changes = () => received.split('event: patch').length - 1
  await until('enough changes are streamed', () => changes() >= CHANGES)
  await Bun.sleep(APART_MS)
  const changed = changes()
  const heartbeats = received.split(': heartbeat').length - 1
  const counted = packetsOf(Number(port), socket.localPort as number) + CLOSING_PACKETS
  socket.destroy()
  const { packets } = estimate({
    ...{ changed, frameBytes: changed * 100, connectedMs: heartbeats * 15_000, snapshotBytes: 2_000 },
    headBytes: 1,
  }).streaming.plain
  expect(Math.abs(packets / counted - 1)).toBeLessThan(TOLERANCE)
})
