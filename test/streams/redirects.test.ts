import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ask } from '../../src/streams/ingest/upstream.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let here: Upstream
let there: Upstream

beforeAll(() => {
  here = startUpstream()
  there = startUpstream()
  for (const upstream of [here, there]) {
    upstream.on('/echo', async (request) =>
      Response.json({
        method: request.method,
        key: request.headers.get('x-key'),
        accept: request.headers.get('accept'),
        body: await request.text(),
      }),
    )
  }
})

afterAll(async () => {
  await here.stop()
  await there.stop()
})

const redirect = (status: number, location: string) => new Response('', { status, headers: { location } })

async function asked(path: string, stream: { method?: 'GET' | 'POST'; body?: string } = {}) {
  const { response } = await ask(
    { url: here.url + path, method: 'GET', headers: { 'X-Key': 'secret' }, body: null, ...stream },
    { Accept: 'application/json' },
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
  )
  return response.json()
}

test('within its origin, a redirected request is the same', async () => {
  here.on('/moved', () => redirect(308, '/echo'))
  expect(await asked('/moved', { method: 'POST', body: '{}' })).toEqual({
    method: 'POST',
    key: 'secret',
    accept: 'application/json',
    body: '{}',
  })
})

test('another origin is not sent the owner’s headers, not even after a way back', async () => {
  here.on('/away', () => redirect(302, `${there.url}/echo`))
  expect(await asked('/away')).toMatchObject({ key: null, accept: 'application/json' })
  here.on('/round', () => redirect(302, `${there.url}/back`))
  there.on('/back', () => redirect(302, `${here.url}/echo`))
  expect(await asked('/round')).toMatchObject({ key: null })
})

test.each([
  [301, 'GET', ''],
  [302, 'GET', ''],
  [303, 'GET', ''],
  [307, 'POST', '{}'],
  [308, 'POST', '{}'],
])('after a POST, %i is followed by %s', async (status, method, body) => {
  here.on(`/after-${status}`, () => redirect(status, '/echo'))
  expect(await asked(`/after-${status}`, { method: 'POST', body: '{}' })).toMatchObject({ method, body })
})

test.each([
  ['file:///etc/hostname', 'bad_redirect'],
  ['http://', 'bad_redirect'],
  ['/again', 'too_many_redirects'],
])('a redirect to %s is %s', async (location, code) => {
  here.on('/again', () => redirect(302, location))
  await expect(asked('/again')).rejects.toMatchObject({ code })
})

test('a redirect that says nowhere is an answer like any other', async () => {
  here.on('/nowhere', () => Response.json({ here: true }, { status: 302 }))
  expect(await asked('/nowhere')).toEqual({ here: true })
})
