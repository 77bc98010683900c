import { expect, test } from 'bun:test'
import { MAX_BODY_BYTES } from '../../src/sim/service/activation.ts'
import type { FeedAnswer } from '../../src/sim/service/api.ts'
import { activate, seedFor, spec, start, stubService, stubWeir } from './support.ts'

async function oneLeaf() {
  const weir = stubWeir()
  const sim = await start({ services: [spec('T')], web: weir.url, seed: seedFor('T', 200, 500) })
  const dispose = async () => {
    await sim.close()
    await weir[Symbol.asyncDispose]()
  }
  return { url: sim.first.url, [Symbol.asyncDispose]: dispose }
}

test('a page of another origin may post and read the response', async () => {
  await using leaf = await oneLeaf()
  const asked = await fetch(`${leaf.url}/activate`, {
    method: 'OPTIONS',
    headers: {
      Origin: 'http://127.0.0.1:3000',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'content-type',
    },
  })
  expect(asked.status).toBe(204)
  expect(asked.headers.get('Access-Control-Allow-Origin')).toBe('*')
  expect(asked.headers.get('Access-Control-Allow-Methods')).toContain('POST')
  expect(asked.headers.get('Access-Control-Allow-Headers')).toContain('Content-Type')
  const posted = await activate(leaf.url)
  expect(posted.headers.get('Access-Control-Allow-Origin')).toBe('*')
})

test.each([
  ['no JSON', '{', 400],
  ['no body', '', 400],
  ['a list', '[]', 400],
  ['null', 'null', 400],
  ['text', '"gold"', 400],
  ['a color that is no text', '{"color":1}', 400],
  ['a color that is too long', JSON.stringify({ color: 'x'.repeat(101) }), 400],
  ['an item that is no text', '{"item":{}}', 400],
  ['a body over the bound', JSON.stringify({ pad: 'x'.repeat(MAX_BODY_BYTES) }), 413],
])('an activation with %s is rejected with a message', async (_, body, status) => {
  await using leaf = await oneLeaf()
  const response = await activate(leaf.url, body)
  expect(response.status).toBe(status)
  expect((await response.json()).error).toBeString()
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
})

test('a body of exactly the limit is accepted', async () => {
  await using leaf = await oneLeaf()
  const frame = JSON.stringify({ pad: '' })
  const body = JSON.stringify({ pad: 'x'.repeat(MAX_BODY_BYTES - frame.length) })
  expect((await activate(leaf.url, body)).status).toBe(200)
})

test('a body without a length is cut off at the limit', async () => {
  await using leaf = await oneLeaf()
  const piece = new Uint8Array(MAX_BODY_BYTES / 4).fill(32)
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(piece) })
  const response = await fetch(`${leaf.url}/activate`, { method: 'POST', body: endless })
  expect(response.status).toBe(413)
})

test('a node requires a color, and calls nobody without one', async () => {
  await using weir = stubWeir()
  await using a = stubService('A', () => Response.json({}))
  await using sim = await start({ services: [spec('N', { services: [a.address] })], web: weir.url })
  const response = await activate(sim.first.url, { item: 'N', color: '' })
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({ error: 'Color not provided' })
  expect(a.requests.filter(({ method }) => method === 'POST')).toEqual([])
})

test('unknown routes return 404 and wrong methods 405', async () => {
  await using leaf = await oneLeaf()
  expect((await fetch(`${leaf.url}/`)).status).toBe(404)
  expect((await fetch(`${leaf.url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404)
  const wrong = await fetch(`${leaf.url}/activate`)
  expect(wrong.status).toBe(405)
  expect(wrong.headers.get('Allow')).toBe('POST, OPTIONS')
  expect((await fetch(`${leaf.url}/events`, { method: 'POST' })).status).toBe(405)
})

test('a service is healthy', async () => {
  await using leaf = await oneLeaf()
  expect(await (await fetch(`${leaf.url}/health`)).json()).toEqual({ status: 'ok', readers: 0 })
})

test('the state counts the responses of a leaf', async () => {
  await using leaf = await oneLeaf()
  const state = async () => (await fetch(`${leaf.url}/state`)).json()
  const idle = { service: 'T', status: 'idle', requests: 0, ok: 0, failed: 0, inFlight: 0, services: [] }
  expect(await state()).toEqual({ ...idle, lastStatus: null, lastDurationMs: null, lastAt: null })
  await activate(leaf.url)
  await activate(leaf.url)
  await activate(leaf.url, 'refused')
  expect(await state()).toEqual({
    ...idle,
    requests: 2,
    ok: 1,
    failed: 1,
    lastStatus: 500,
    lastDurationMs: expect.any(Number),
    lastAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  })
})

test('the state of a node shows its work in progress and its callees', async () => {
  await using weir = stubWeir()
  const called = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<Response>()
  await using a = stubService('A', () => {
    called.resolve()
    return leave.promise
  })
  await using sim = await start({ services: [spec('N', { services: [a.address] })], web: weir.url })
  const state = async () => (await fetch(`${sim.first.url}/state`)).json()
  const answer = activate(sim.first.url)
  await called.promise
  expect(await state()).toMatchObject({ status: 'working', requests: 1, inFlight: 1 })
  leave.resolve(Response.json({}, { status: 503 }))
  await answer
  expect(await state()).toMatchObject({
    status: 'idle',
    failed: 1,
    inFlight: 0,
    services: [{ address: a.address, requests: 1, failed: 1, lastStatus: 503 }],
  })
})

test('a client with the current state gets 304 until it changes', async () => {
  await using leaf = await oneLeaf()
  const etag = (await fetch(`${leaf.url}/state`)).headers.get('ETag') ?? ''
  const ask = (ifNoneMatch: string) =>
    fetch(`${leaf.url}/state`, { headers: { 'If-None-Match': ifNoneMatch } })
  const unchanged = await ask(etag)
  expect(unchanged.status).toBe(304)
  expect(unchanged.headers.get('ETag')).toBe(etag)
  expect(await unchanged.text()).toBe('')
  expect((await ask(`"other", W/${etag}`)).status).toBe(304)
  await activate(leaf.url)
  expect((await ask(etag)).status).toBe(200)
})

test('every answer of a feed has an ID, and is reported before it is sent', async () => {
  await using weir = stubWeir()
  const answers: FeedAnswer[] = []
  const count = { tells: 'nothing', everyMs: 60_000 } as const
  const onAnswer = (_: string, answer: FeedAnswer) => answers.push(answer)
  await using sim = await start({ services: [spec('C', { count })], web: weir.url, onAnswer })
  const first = await fetch(`${sim.first.url}/feed`)
  const headers = { 'If-None-Match': first.headers.get('ETag') ?? '' }
  const second = await fetch(`${sim.first.url}/feed`, { headers })
  expect(answers.map(({ id }) => id)).toEqual(
    [first, second].map((answer) => answer.headers.get('Request-Id') ?? ''),
  )
  expect(answers.map(({ status, isWhole }) => [status, isWhole])).toEqual([
    [200, true],
    [304, true],
  ])
  expect(answers[0]?.document).toEqual(await first.json())
})
