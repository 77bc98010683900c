import { afterAll, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { ask, expectOk } from '../../src/streams/ingest/upstream.ts'
import { findKind } from '../../src/streams/registry/probe.ts'

const LIMITS = { requestTimeoutMs: 5_000, maxBodyBytes: 1_000_000 }
/** Chunks that aren't any: by the time that the head is looked at, the body has failed. */
const BROKEN = 'Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n'
const ANSWERS: Record<string, string> = {
  '/refused': `HTTP/1.1 500 X\r\n${BROKEN}`,
  '/fine': `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${BROKEN}`,
  '/moved': `HTTP/1.1 302 X\r\nLocation: /refused\r\n${BROKEN}`,
}

const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (head) =>
    socket.end(ANSWERS[String(head).split(' ')[1] ?? ''] ?? 'HTTP/1.1 404 X\r\n\r\n'),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as { port: number }
afterAll(() => void server.close())

function streamAt(path: string) {
  return { url: `http://127.0.0.1:${port}${path}`, method: 'GET', headers: {}, body: null } as const
}

/** Late enough for the body to have failed. */
async function asked(path: string) {
  const answer = await ask(streamAt(path), {}, LIMITS, new AbortController().signal)
  await answer.response.body?.pipeTo(new WritableStream()).catch(() => {})
  return answer
}

test('a refusal whose body is broken is told as the refusal that it is', async () => {
  await expect(expectOk(await asked('/refused'), 0)).rejects.toMatchObject({ code: 'bad_status' })
})

test('the kind of an API is told by the head of its answer, whatever comes after', async () => {
  await expect(findKind(streamAt('/moved'), LIMITS)).rejects.toMatchObject({ code: 'unreachable' })
})
