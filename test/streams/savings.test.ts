import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Savings } from '../../src/core/measures.ts'
import { seeded } from '../core/seeded.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Enough polls for the one snapshot of a new subscriber to weigh little: 1 in 40. */
const POLLS = 40
/** Requests of a path that {@link startSocketServer} answers: then all counts stand still. */
const ANSWERS = 5

type Answer = Savings & { polls: number; steps: unknown[] }

const random = seeded('streams/savings')

let upstream: Upstream
let weir: TestWeir

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  expect(weir.warnings).toEqual([])
  await weir.close()
  await upstream.stop()
})

const follow = async (url: string, tags: string[] = []) =>
  (await weir.register({ url, kind: 'poll', intervalMs: 500, tags })).id
const word = () => Math.floor(random() * 2 ** 48).toString(36)
const words = (count: number) => Array.from({ length: count }, word).join(' ')

async function savedAfter(id: string, polls: number): Promise<Answer> {
  const saved = () => weir.json<Answer>(`/api/streams/${id}/savings`)
  await until('half of the polls are made', async () => (await saved()).polls >= polls / 2)
  return until('all polls are made', async () => {
    const answer = await saved()
    return answer.polls >= polls && answer
  })
}

test('a news feed saves over 95%, an API that is new each time next to nothing', async () => {
  const article = (id: number) => ({ id, title: words(6), text: words(60) })
  const articles = Array.from({ length: 100 }, (_, id) => article(id))
  const news = upstream.on('/news', (_request, hit) => {
    articles.unshift(article(1_000 + hit))
    articles.pop()
    return Response.json({ articles })
  })
  const noise = upstream.on('/noise', () =>
    Response.json({ lines: Array.from({ length: 100 }, () => words(60)) }),
  )
  const [feed, changing] = await Promise.all([follow(news), follow(noise)])
  const [saved, lost] = await Promise.all([savedAfter(feed, POLLS), savedAfter(changing, POLLS)])

  expect(saved.clientBandwidthSavings.plain).toBeGreaterThan(0.95)
  const { plain } = lost.clientBandwidthSavings
  expect(Math.abs(plain as number)).toBeLessThan(0.1)
  expect(plain).toBeGreaterThanOrEqual(-lost.overheadBytes / lost.baselines.plain)

  const change = await weir.json<{ freshness: number; paths: { path: string }[] }>(
    `/api/streams/${feed}/change`,
  )
  expect(change.freshness).toBeLessThan(0.05)
  expect(change.paths[0]?.path).toBe('/articles/*')
  const noisy = await weir.json<{ freshness: number }>(`/api/streams/${changing}/change`)
  expect(noisy.freshness).toBeGreaterThan(0.9)
})

test('received bytes equal what the upstream wrote to its socket', async () => {
  const sockets = await startSocketServer()
  const text = JSON.stringify({ lines: Array.from({ length: 50 }, () => words(10)) })
  const gzipped = gzipSync(text)
  const paths = {
    '/plain': () => [respond('200 OK', {}, text)],
    '/gzip': () => [respond('200 OK', { 'Content-Encoding': 'gzip' }, gzipped)],
    '/same': (head: string) =>
      /^if-none-match: "v1"/im.test(head)
        ? [respond('304 Not Modified', { ETag: '"v1"' })]
        : [respond('200 OK', { ETag: '"v1"', 'Content-Encoding': 'gzip' }, gzipped)],
  }
  for (const [path, answer] of Object.entries(paths)) {
    const written = sockets.on(path, (head) => Buffer.concat(answer(head)))
    const id = await follow(sockets.url + path)
    const total = await until(`each answer of ${path} is counted`, async () => {
      const size = await weir.json<{ total: Record<string, number> }>(`/api/streams/${id}/size`)
      return size.total.polls === ANSWERS && size.total
    })
    const { polls = 0, wireBytes = 0, headBytes = 0, notModified } = total
    expect({ path, bytes: wireBytes + headBytes }).toEqual({ path, bytes: written.bytes })
    expect(notModified).toBe(path === '/same' ? polls - 1 : 0)
    await weir.send('POST', `/api/streams/${id}/stop`)

    const { baselines } = await weir.json<Answer>(`/api/streams/${id}/savings`)
    const gzipBytes = path === '/plain' ? gzipSize(text) : gzipped.byteLength
    expect({ path, baselines }).toEqual({
      path,
      baselines: {
        plain: polls * Buffer.byteLength(text) + headBytes,
        gzip: polls * gzipBytes + headBytes,
        conditional: gzipBytes + headBytes,
      },
    })
  }
  await sockets.stop()
})

test('a repeated header counts once, as clients read it: shorter by its name and two bytes', async () => {
  const sockets = await startSocketServer()
  const twice = respond('200 OK', { Vary: 'Accept\r\nVary: Origin' }, '{}')
  const written = sockets.on('/twice', () => twice)
  const id = await follow(`${sockets.url}/twice`)
  const size = await until('a poll is counted', async () => {
    const { total } = await weir.json<{ total: Record<string, number> }>(`/api/streams/${id}/size`)
    return (total.polls ?? 0) > 0 && total
  })
  const { polls = 0, wireBytes = 0, headBytes = 0 } = size
  expect((wireBytes + headBytes) / polls).toBe(twice.byteLength - 'Vary'.length - 2)
  expect(written.bytes).toBe(written.answers * twice.byteLength)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await sockets.stop()
})

test('a stream that can’t be measured has a reason', async () => {
  const id = await follow(upstream.on('/refused', () => Response.json({})))
  for (const query of [
    'subscribers=0',
    'subscribers=many',
    'step=week',
    'tag=x',
    'from=2026-02-02&to=2026-01-01',
  ]) {
    const response = await weir.get(`/api/streams/${id}/savings?${query}`)
    const problem = (await response.json()) as { code: string; field: string }
    expect({ status: response.status, ...problem }).toMatchObject({
      status: 422,
      code: 'invalid_field',
      field: query.split('=')[0] as string,
    })
  }
})

/** What a server wrote to its connections, of one path. */
interface Written {
  answers: number
  bytes: number
}

interface SocketServer {
  url: string
  /** Answers a path's first requests with the bytes that are made of their heads, and leaves the others waiting. */
  on(path: string, answer: (head: string) => Buffer): Written
  stop(): Promise<void>
}

/** A server that writes its responses to the socket itself, and counts them. */
async function startSocketServer(): Promise<SocketServer> {
  const paths = new Map<string, { answer(head: string): Buffer; written: Written }>()
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        const head = received.slice(0, end)
        received = received.slice(end + 4)
        const { answer, written } = paths.get(head.split(' ')[1] as string) as NonNullable<
          ReturnType<typeof paths.get>
        >
        if (written.answers === ANSWERS) continue
        const bytes = answer(head)
        written.answers++
        written.bytes += bytes.byteLength
        socket.write(bytes)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    on(path, answer) {
      const written = { answers: 0, bytes: 0 }
      paths.set(path, { answer, written })
      return written
    },
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function respond(status: string, headers: Record<string, string>, body?: string | Uint8Array): Buffer {
  const content = Buffer.from(body ?? '')
  const all = {
    'Content-Type': 'application/json',
    ...(body !== undefined && { 'Content-Length': String(content.byteLength) }),
    Date: new Date().toUTCString(),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`), content])
}

/** As the recorder compresses a body that came plain. */
function gzipSize(text: string): number {
  return gzipSync(text).byteLength
}
