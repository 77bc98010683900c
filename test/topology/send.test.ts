import { describe, expect, test } from 'bun:test'
import { startTopology } from './server.ts'

test('a request goes through the service, and its response is returned', async () => {
  await using weir = startTopology()
  await using service = startService(() => Response.json({ responses: { 'a:1': 200 } }, { status: 500 }))
  weir.topology.report({ services: [{ id: 'UI', url: `${service.url}/base/?x=1` }] })
  const response = await weir.post('/topology/requests', { service: 'UI', color: 'Gold' })
  expect([response.status, await response.json()]).toEqual([
    200,
    { status: 500, durationMs: expect.any(Number), body: { responses: { 'a:1': 200 } } },
  ])
  expect(service.seen).toEqual([{ path: 'POST /base/activate?x=1', body: { item: 'UI', color: 'gold' } }])
})

test('htmx gets the response as a fragment, with those of downstream services', async () => {
  await using weir = startTopology()
  await using service = startService(() => Response.json({ responses: { '<b>': 502 } }, { status: 500 }))
  weir.topology.report({ services: [{ id: 'UI', url: service.url }] })
  const response = await weir.submit('/topology/requests', { service: 'UI' }, { 'HX-Request': 'true' })
  expect(await response.text()).toMatch(
    /^<p class="error">UI returned <strong>500<\/strong> in <strong>\d+ ms<\/strong>: the request failed\.<\/p>.*<dt>&lt;b&gt;<\/dt><dd>502<\/dd>/,
  )
  expect(service.seen[0]?.body).toEqual({ item: 'UI', color: '#00ffcc' })
})

test('the fragment shows fifty responses, each truncated', async () => {
  await using weir = startTopology()
  const responses = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`s${at}`, 'x'.repeat(201)]))
  await using service = startService(() => Response.json({ responses }))
  weir.topology.report({ services: [{ id: 'UI', url: service.url }] })
  const fields = { service: 'UI' }
  const fragment = await (await weir.submit('/topology/requests', fields, { 'HX-Request': 'true' })).text()
  expect(fragment.match(/<dd>x{200}<\/dd>/g)).toHaveLength(50)
})

test('a browser without script gets the whole page with the response', async () => {
  await using weir = startTopology()
  await using service = startService(() => new Response('ok'))
  weir.topology.report({ services: [{ id: 'UI', url: service.url }] })
  const response = await weir.submit('/topology/requests', { service: 'UI' }, { Accept: 'text/html,*/*' })
  expect(await response.text()).toMatch(/^<!doctype html>.*UI returned <strong>200<\/strong>/s)
})

test('a redirect is a response, and a long body is truncated', async () => {
  await using weir = startTopology()
  await using service = startService(
    () => new Response('x'.repeat(200_000), { status: 302, headers: { Location: '/elsewhere' } }),
  )
  weir.topology.report({ services: [{ id: 'UI', url: service.url }] })
  const answer = (await (await weir.post('/topology/requests', { service: 'UI' })).json()) as {
    status: number
    body: string
  }
  expect([answer.status, answer.body.length, service.seen.length]).toEqual([302, 65_536, 1])
})

test('a client that disconnects aborts the request', async () => {
  await using weir = startTopology()
  const arrived = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  await using service = startService(({ signal }) => {
    signal.addEventListener('abort', () => stopped.resolve())
    arrived.resolve()
    return new Promise(() => {})
  })
  weir.topology.report({ services: [{ id: 'UI', url: service.url }] })
  const leaving = new AbortController()
  const body = new URLSearchParams({ service: 'UI' })
  const answer = fetch(`${weir.url}/topology/requests`, { method: 'POST', body, signal: leaving.signal })
  const outcome = answer.then(
    () => 'answered',
    ({ name }) => name,
  )
  await arrived.promise
  leaving.abort()
  await stopped.promise
  expect(await outcome).toBe('AbortError')
})

describe('a request is rejected', () => {
  test.each([
    ['through a service nobody reported', { service: 'X' }, 404, 'not_found', undefined],
    ['through a service without a url', { service: 'A' }, 422, 'invalid_field', 'service'],
    ['without a service', {}, 422, 'invalid_field', 'service'],
    ['in an unknown color', { service: 'A', color: 'x' }, 422, 'invalid_field', 'color'],
    ['with an unknown field', { service: 'A', item: 'x' }, 422, 'invalid_field', 'item'],
    ['through a service that is gone', { service: 'gone' }, 502, 'upstream_failed', undefined],
  ])('%s', async (_, body, status, code, field) => {
    await using weir = startTopology()
    const { url, ...gone } = startService(() => new Response())
    await gone[Symbol.asyncDispose]()
    weir.topology.report({ services: [{ id: 'A' }, { id: 'gone', url }] })
    const response = await weir.post('/topology/requests', body)
    const problem = (await response.json()) as Record<string, unknown>
    expect([response.status, problem.code, problem.field]).toEqual([status, code, field])
  })
})

test('the page of an empty topology explains how to start', async () => {
  await using weir = startTopology()
  const page = await (await weir.get('/topology')).text()
  expect(page).toContain('bun run sim')
  expect(page).toContain(`curl ${weir.url}/api/topology`)
})

test('the page shows everything without script', async () => {
  await using weir = startTopology()
  weir.topology.report({ calls: [{ from: 'UI', to: '<b>D', status: 500, durationMs: 3 }] })
  weir.topology.color('UI', 'red')
  const response = await weir.get('/topology')
  const page = await response.text()
  expect(response.headers.get('content-security-policy')).toContain("script-src 'self'")
  expect(page).toContain('UI --&gt; __3c_b_3e_D')
  expect(page).toContain('from UI: 500 failed in 3 ms')
  expect(page).toContain('data-part="color">red<')
  expect(page).not.toContain('<b>D')
})

/** A service that remembers what it was asked. */
function startService(answer: (request: Request) => Response | Promise<Response>) {
  const seen: { path: string; body: unknown }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    reusePort: false,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const text = await request.text()
      seen.push({ path: `${request.method} ${pathname}${search}`, body: text && JSON.parse(text) })
      return answer(request)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}
