import { expect, test } from 'bun:test'
import { spec, start, stubWeir } from './support.ts'

async function oneService() {
  const weir = stubWeir()
  const sim = await start({ services: [spec('T', { timeoutMs: 1 })], web: weir.url })
  const dispose = async () => {
    await sim.close()
    await weir[Symbol.asyncDispose]()
  }
  const faults = (method = 'GET', body?: unknown) =>
    fetch(`${sim.first.url}/faults`, {
      method,
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { url: sim.first.url, faults, [Symbol.asyncDispose]: dispose }
}

test('faults are read, replaced as a whole, and cleared', async () => {
  await using service = await oneService()
  const shown = async (response: Promise<Response>) => [
    (await response).status,
    await (await response).json(),
  ]
  expect(await shown(service.faults())).toEqual([200, {}])
  expect(await shown(service.faults('PUT', { errorRate: 1, sse: { drop: 0.5 } }))).toEqual([
    200,
    { errorRate: 1, sse: { drop: 0.5 } },
  ])
  expect(await shown(service.faults('PUT', { payloadBytes: 3 }))).toEqual([200, { payloadBytes: 3 }])
  expect(await shown(service.faults())).toEqual([200, { payloadBytes: 3 }])
  expect(await shown(service.faults('DELETE'))).toEqual([200, {}])
  expect(await shown(service.faults())).toEqual([200, {}])
})

test.each<[string, unknown, number, object]>([
  ['no JSON', '{', 400, { code: 'invalid_json' }],
  ['a list', [], 400, { code: 'invalid_json' }],
  ['a wrong field', { sse: { drop: 2 } }, 422, { code: 'invalid_field', field: 'sse.drop' }],
  ['an unknown field', { drop: 1 }, 422, { code: 'invalid_field', field: 'drop' }],
  ['a body over the bound', { drop: 'x'.repeat(16_384) }, 413, { code: 'body_too_large' }],
])('%s is rejected with problem details, and changes nothing', async (_, body, status, problem) => {
  await using service = await oneService()
  await service.faults('PUT', { errorRate: 0.5 })
  const response = await service.faults('PUT', body)
  expect(response.status).toBe(status)
  expect(response.headers.get('Content-Type')).toStartWith('application/problem+json')
  expect(await response.json()).toMatchObject({ ...problem, status, detail: expect.any(String) })
  expect(await (await service.faults()).json()).toEqual({ errorRate: 0.5 })
})

test('all errors are in the response', async () => {
  await using service = await oneService()
  const { errors } = await (await service.faults('PUT', { reset: 1, errorRate: 3 })).json()
  expect(errors.map(({ field }: { field: string }) => field).sort()).toEqual(['errorRate', 'reset'])
})

test.each<[unknown, string]>([
  [{ action: 'explode' }, 'action'],
  [{}, 'action'],
  [{ action: 'end', forMs: 3 }, 'forMs'],
])('the action %j is rejected with its field', async (body, field) => {
  await using service = await oneService()
  const response = await fetch(`${service.url}/faults/actions`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ code: 'invalid_field', field })
})

test('a page of another origin may change faults', async () => {
  await using service = await oneService()
  const asked = await fetch(`${service.url}/faults`, { method: 'OPTIONS' })
  expect(asked.headers.get('Access-Control-Allow-Methods')).toBe('GET, PUT, DELETE, OPTIONS')
})

test('a service that resets every connection can still be fixed', async () => {
  await using service = await oneService()
  await service.faults('PUT', { reset: true })
  const code = await fetch(`${service.url}/health`).catch((error) => error.code)
  expect(code).toBe('ECONNRESET')
  await service.faults('DELETE')
  expect((await fetch(`${service.url}/health`)).status).toBe(200)
})
