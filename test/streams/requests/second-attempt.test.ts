import { afterEach, expect, test } from 'bun:test'
import type { Socket } from 'node:net'
import { askUpstream, type KeptUse, UpstreamError } from '../../../src/streams/ingest/upstream.ts'
import { patienceMs } from '../../../src/streams/requests/second-attempt.ts'
import { type CountingServer, responseOf, startCountingServer } from '../../support/socket-server.ts'

let server: CountingServer | undefined

afterEach(() => server?.stop())

type Answer = (request: { socket: Socket; nth: number; first: Socket }) => Buffer | undefined

/** A server that knows which connection was the first, and how often it was asked. */
async function serve(answer: Answer): Promise<CountingServer> {
  let first: Socket | undefined
  let nth = 0
  server = await startCountingServer(({ socket }) => {
    first ??= socket
    return answer({ socket, nth: ++nth, first })
  })
  return server
}

const OK = responseOf('200 OK', { 'Content-Type': 'application/json' }, '{}')

async function ask(kept?: Partial<KeptUse>, requestTimeoutMs = 20_000) {
  const { url = '' } = server ?? {}
  const means = kept && { kept: { mayBeKept: () => true, patienceMs: 10_000, ...kept } }
  const answer = await askUpstream(
    { url: `${url}/`, method: 'GET', headers: {}, body: null },
    {},
    { requestTimeoutMs },
    new AbortController().signal,
    undefined,
    means,
  )
  await answer.response.text()
  return answer
}

test('a connection that went silent is replaced by a fresh one, and both requests are counted', async () => {
  const { counts } = await serve(({ socket, first, nth }) => (nth === 1 || socket !== first ? OK : undefined))
  await ask({ mayBeKept: () => false })
  const { exchange, response } = await ask({ patienceMs: 50 })
  expect(response.status).toBe(200)
  expect(counts.requests).toBe(3)
  expect(exchange.request).toMatchObject({ count: 2 })
})

test('a connection that is reset before it delivers anything is replaced by a fresh one', async () => {
  const { counts } = await serve(({ socket, first, nth }) => {
    if (nth === 1 || socket !== first) return OK
    socket.resetAndDestroy()
  })
  await ask({ mayBeKept: () => false })
  expect((await ask({})).response.status).toBe(200)
  expect(counts.requests).toBe(3)
})

test('an upstream that resets fresh connections, too, is asked twice, and not a third time', async () => {
  const { counts } = await serve(({ socket }) => void socket.resetAndDestroy())
  const failure = await ask({}).catch((error: unknown) => error)
  expect((failure as UpstreamError).code).toBe('connection_failed')
  expect(counts.requests).toBe(2)
})

test('a slow upstream is asked twice at most; its first answer counts, and the other attempt is ended', async () => {
  const closed = Promise.withResolvers<void>()
  const { counts } = await serve(({ socket, nth }) => {
    if (nth === 2) {
      socket.on('close', () => closed.resolve())
      first?.write(OK)
    } else first = socket
    return undefined
  })
  let first: Socket | undefined
  expect((await ask({ patienceMs: 20 })).response.status).toBe(200)
  await closed.promise
  expect(counts.requests).toBe(2)
})

test('when both attempts are silent, the request times out once', async () => {
  const { counts } = await serve(() => undefined)
  const failure = (await ask({ patienceMs: 20 }, 400).catch((error: unknown) => error)) as UpstreamError
  expect(failure).toBeInstanceOf(UpstreamError)
  expect(failure.code).toBe('timeout')
  expect(failure.exchange?.request).toMatchObject({ count: 2 })
  expect(counts.requests).toBe(2)
})

test('without a kept connection there is no second attempt', async () => {
  const { counts } = await serve(({ socket }) => void socket.resetAndDestroy())
  await ask({ mayBeKept: () => false }).catch(() => {})
  await ask().catch(() => {})
  expect(counts.requests).toBe(2)
})

test('a request that may not use a kept connection opens a fresh one', async () => {
  const sockets = new Set<Socket>()
  await serve(({ socket }) => {
    sockets.add(socket)
    return OK
  })
  await ask({ mayBeKept: () => false })
  await ask({})
  expect(sockets.size).toBe(1)
  await ask()
  expect(sockets.size).toBe(2)
})

test.each([
  [10, 30_000, 1_000],
  [2_000, 30_000, 8_000],
  [20_000, 30_000, 15_000],
  [10, 1_000, 500],
])('after a head that took %p of %i ms, the next one is late after %i ms', (lastMs, timeoutMs, expected) => {
  expect(patienceMs(lastMs, timeoutMs)).toBe(expected)
})
