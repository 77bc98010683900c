import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { GZIP_STREAM_HEAD_BYTES, STREAM_HEAD_BYTES } from '../../src/core/stream-head.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

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

/** What a subscriber's socket receives up to the end of the response's head. */
function receivedHead(url: string, headers: string): Promise<string> {
  const { hostname, port } = new URL(weir.url)
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () =>
      socket.write(`GET /proxy/${url} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${headers}\r\n`),
    )
    socket.on('error', reject).on('data', (chunk) => {
      received += chunk.toString('latin1')
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.destroy()
      resolve(received.slice(0, end + 4))
    })
  })
}

test.each([
  ['plain', '', STREAM_HEAD_BYTES],
  ['compressed', 'Accept-Encoding: gzip\r\n', GZIP_STREAM_HEAD_BYTES],
])('the head of a %s stream has, to the byte, the size that savings count', async (_what, headers, bytes) => {
  const url = upstream.on('/head', () => Response.json({ a: 1 }))
  const head = await receivedHead(url, headers)
  expect(head).toStartWith('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream')
  expect({ head, bytes: head.length }).toEqual({ head, bytes })
})
