import { describe, expect, test } from 'bun:test'
import { startLab } from './lab.ts'
import { startTopology } from './server.ts'

const PATH = '/api/topology/services/a%2Fb%20%25/faults'
const ID = 'a/b %'

test('faults are read, replaced and cleared on the service itself', async () => {
  await using weir = startTopology()
  await using lab = startLab()
  weir.topology.report({ services: [{ id: ID, url: `${lab.url}?x=1` }] })
  const faults = { errorRate: 0.5, sse: { stall: true } }
  const answers = []
  for (const [method, body] of [['GET'], ['PUT', faults], ['GET'], ['DELETE'], ['GET']] as const) {
    answers.push(await ask(weir.url, method, body))
  }
  expect(answers).toEqual([
    [200, {}],
    [200, faults],
    [200, faults],
    [200, {}],
    [200, {}],
  ])
})

test('a rejection by the service is passed on with its message and field', async () => {
  await using weir = startTopology()
  await using lab = startLab()
  weir.topology.report({ services: [{ id: ID, url: lab.url }] })
  expect(await ask(weir.url, 'PUT', { errorRate: 2 })).toEqual([
    422,
    expect.objectContaining({
      code: 'invalid_field',
      field: 'errorRate',
      detail: 'errorRate: expected 0 to 1.',
    }),
  ])
  expect(lab.faults).toEqual({})
})

describe('a service without fault injection says so', () => {
  test.each([
    ['it knows no /faults', () => new Response('no', { status: 404 })],
    ['it answers with a page', () => new Response('<html>')],
    ['it answers with a list', () => Response.json([])],
    ['it knows no such method', () => new Response(null, { status: 405 })],
  ] as const)('%s', async (_, answer) => {
    await using weir = startTopology()
    await using lab = startLab(answer)
    weir.topology.report({ services: [{ id: ID, url: lab.url }] })
    expect(await ask(weir.url, 'GET')).toEqual([404, noLaboratory])
  })

  test.each([
    ['it has no url', { id: ID }],
    ['it is no service', { id: ID, kind: 'database' }],
  ] as const)('%s, and nobody is asked', async (_, service) => {
    await using weir = startTopology()
    await using lab = startLab()
    weir.topology.report({ services: [{ ...service, ...('kind' in service && { url: lab.url }) }] })
    expect(await ask(weir.url, 'GET')).toEqual([404, noLaboratory])
    expect(lab.asked).toBe(0)
  })
})

describe('is reported', () => {
  test('an unknown service', async () => {
    await using weir = startTopology()
    expect(await ask(weir.url, 'GET')).toEqual([404, expect.objectContaining({ code: 'not_found' })])
  })

  test('an unreachable or failing service', async () => {
    await using weir = startTopology()
    const gone = startLab()
    await gone[Symbol.asyncDispose]()
    weir.topology.report({ services: [{ id: ID, url: gone.url }] })
    const away = expect.objectContaining({ code: 'upstream_failed' })
    expect(await ask(weir.url, 'GET')).toEqual([502, away])

    await using failing = startLab(() => new Response('x', { status: 500 }))
    weir.topology.report({ services: [{ id: ID, url: failing.url }] })
    expect(await ask(weir.url, 'GET')).toEqual([502, away])
  })

  test.each([
    ['a body that is no JSON', '{', 400, 'invalid_json'],
    ['a body that is too long', JSON.stringify({ x: 'x'.repeat(20_000) }), 413, 'body_too_large'],
  ])('%s', async (_, body, status, code) => {
    await using weir = startTopology()
    await using lab = startLab()
    weir.topology.report({ services: [{ id: ID, url: lab.url }] })
    const response = await fetch(weir.url + PATH, { method: 'PUT', body })
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code])
    expect(lab.asked).toBe(0)
  })
})

const noLaboratory = expect.objectContaining({
  code: 'no_laboratory',
  detail: "This service doesn't support fault injection.",
})

async function ask(url: string, method: string, body?: unknown): Promise<[status: number, body: unknown]> {
  const response = await fetch(url + PATH, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  return [response.status, await response.json()]
}
