import { expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import {
  askUpstream,
  expectOk,
  readBody,
  UpstreamError,
  type UpstreamFetch,
  type UpstreamRequest,
} from '../../src/streams/ingest/upstream.ts'

const LIMITS = { requestTimeoutMs: 10_000, maxBodyBytes: 1_000 }
const KEY = 'a-key-of-the-owner'
const REQUEST: UpstreamRequest = {
  ...{ url: 'http://a.test/', method: 'GET', body: null },
  headers: { Authorization: `Bearer ${KEY}` },
}
const never = new AbortController().signal
const ask = (response: Response, fetch: UpstreamFetch = async () => response) =>
  askUpstream(REQUEST, { Accept: 'x' }, LIMITS, never, fetch)

test('the log shows which headers were sent, and not their values', async () => {
  const { exchange } = await ask(new Response())
  expect(exchange.request).toEqual({
    ...{ method: 'GET', url: 'http://a.test/' },
    headers: { Accept: 'x', Authorization: '•••' },
    bytes: expect.any(Number),
  })
})

test('what an upstream sets or repeats of secrets is hidden', async () => {
  const { exchange } = await ask(
    new Response('', {
      headers: {
        'Set-Cookie': 'session=1',
        'WWW-Authenticate': 'Basic x',
        'X-Echo': `you sent ${KEY}`,
        'X-Plain': 'plain',
      },
    }),
  )
  expect(exchange.response?.headers).toMatchObject({
    'set-cookie': '•••',
    'www-authenticate': '•••',
    'x-echo': 'you sent •••',
    'x-plain': 'plain',
  })
})

test('an error tells the status without what it repeats', async () => {
  const answer = await ask(new Response('', { status: 400, statusText: `bad ${KEY}` }))
  const error = await expectOk(answer, 0).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(UpstreamError)
  expect((error as Error).message).toBe('The upstream returned 400 bad •••.')
})

test('forty headers are logged, five hundred characters of each; the size counts all', async () => {
  const headers = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [`x-${index + 10}`, 'v'.repeat(600)]),
  )
  const { exchange, headBytes } = await ask(new Response('', { headers }))
  const logged = Object.values(exchange.response?.headers ?? {})
  expect(logged.length).toBe(40)
  expect(Math.max(...logged.map((value) => value.length))).toBe(500)
  expect(headBytes).toBeGreaterThan(60 * 600)
})

test.each([
  [1_000, undefined],
  [1_001, 'too_large'],
])('a body of %i bytes after decompression has this error: %p', async (bytes, code) => {
  const packed = gzipSync('x'.repeat(bytes))
  const answer = await ask(new Response(packed, { headers: { 'Content-Encoding': 'gzip' } }))
  const read = readBody(answer, LIMITS, never).then(
    ({ body, wireBytes }) => {
      expect([body.byteLength, wireBytes]).toEqual([bytes, packed.byteLength])
      return undefined
    },
    (error: UpstreamError) => error.code,
  )
  expect(await read).toBe(code as 'too_large')
})

test.each([
  ['ENOTFOUND', 'host_unknown'],
  ['ECONNREFUSED', 'connection_failed'],
])('a connection that fails with %s is told as %s', async (code, told) => {
  const failing: UpstreamFetch = () => Promise.reject(Object.assign(new Error('no'), { code }))
  const error = (await ask(new Response(), failing).catch((caught: unknown) => caught)) as UpstreamError
  expect(error.code).toBe(told as 'host_unknown')
})

test('whoever ends the request gets its reason', async () => {
  const ended = AbortSignal.abort(new Error('enough'))
  const asked = askUpstream(REQUEST, {}, LIMITS, ended, () => Promise.reject(new Error('other')))
  expect(asked).rejects.toThrow('enough')
})

test('after ten redirects the next one is an error', async () => {
  const asked: string[] = []
  const redirecting: UpstreamFetch = async (url) => {
    asked.push(url)
    const location = `/${asked.length}`
    return new Response('', { status: 302, headers: { Location: location } })
  }
  const error = (await ask(new Response(), redirecting).catch((caught: unknown) => caught)) as UpstreamError
  expect(error.code).toBe('too_many_redirects')
  expect(asked).toHaveLength(11)
})
