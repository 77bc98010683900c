import { describe, expect, test } from 'bun:test'
import { startTopology } from './server.ts'

const CALLED = { kind: 'service', color: 'white' }

test('a report is accepted and read back unchanged', async () => {
  await using weir = startTopology()
  const response = await weir.post('/api/topology', {
    services: [
      { id: 'UI', name: 'Web shop', url: 'http://127.0.0.1:5016', group: 'shop' },
      { id: 'user-db', kind: 'database' },
    ],
    calls: [
      { from: 'UI', to: 'user-db', status: 200, durationMs: 12.5 },
      { from: 'UI', to: 'user-db', status: 503, durationMs: 40 },
      { from: 'user-db', to: 'disk' },
    ],
  })
  expect([response.status, await response.json()]).toEqual([200, { services: 2, calls: 3 }])

  const graph = await (await weir.get('/api/topology')).json()
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  expect(graph).toEqual({
    version: expect.any(Number),
    services: [
      {
        id: 'UI',
        name: 'Web shop',
        kind: 'service',
        group: 'shop',
        url: 'http://127.0.0.1:5016',
        color: 'white',
        node: 'UI',
        reportedAt: time,
      },
      { ...CALLED, id: 'user-db', name: 'user-db', kind: 'database', node: '_user_2d_db', reportedAt: time },
      { ...CALLED, id: 'disk', name: 'disk', node: 'disk', reportedAt: time },
    ],
    calls: [
      { from: 'UI', to: 'user-db', count: 2, errors: 1, lastStatus: 503, lastDurationMs: 40, calledAt: time },
      { from: 'user-db', to: 'disk', count: 0, errors: 0 },
    ],
  })
})

test('a later report changes only what it names', async () => {
  await using weir = startTopology()
  weir.topology.report({ services: [{ id: 'A', name: 'First', url: 'http://a/' }] })
  weir.topology.color('A', 'red')
  weir.topology.report({ services: [{ id: 'A', name: 'Second' }] })
  expect(weir.topology.service('A')).toMatchObject({ name: 'Second', url: 'http://a/', color: 'red' })
})

describe('a report is rejected as a whole for', () => {
  const good = { id: 'good' }
  test.each([
    ['an unknown field', { nodes: [] }, 'nodes'],
    ['services that are no list', { services: {} }, 'services'],
    ['501 services', { services: Array(501).fill(good) }, 'services'],
    ['501 calls', { calls: Array(501).fill({ from: 'a', to: 'b' }) }, 'calls'],
    ['a service that is no object', { services: [good, 'A'] }, 'services[1]'],
    ['a service without an id', { services: [good, {}] }, 'services[1].id'],
    ['a service with a field too many', { services: [good, { id: 'A', shade: 'red' }] }, 'services[1].shade'],
    ['a name that is too long', { services: [good, { id: 'A', name: 'x'.repeat(65) }] }, 'services[1].name'],
    ['a url of another scheme', { services: [good, { id: 'A', url: 'file:///etc' }] }, 'services[1].url'],
    ['a url with a password', { services: [good, { id: 'A', url: 'http://u:p@h/' }] }, 'services[1].url'],
    ['a url with only a password', { services: [good, { id: 'A', url: 'http://:p@h/' }] }, 'services[1].url'],
    ['a url with a NUL', { services: [good, { id: 'A', url: 'http://a/\0' }] }, 'services[1].url'],
    ['a kind of Weir itself', { services: [good, { id: 'A', kind: 'archive' }] }, 'services[1].kind'],
    ['a kind that is none', { services: [good, { id: 'A', kind: 'toString' }] }, 'services[1].kind'],
    ['a group that is no text', { services: [good, { id: 'A', group: 7 }] }, 'services[1].group'],
    [
      'a group that is too long',
      { services: [good, { id: 'A', group: 'x'.repeat(65) }] },
      'services[1].group',
    ],
    ["an id of Weir's own", { services: [good, { id: 'weir:folded' }] }, 'services[1].id'],
    ["a call to Weir's own", { services: [good], calls: [{ from: 'A', to: 'weir:x' }] }, 'calls[0].to'],
    ['a url that is none', { services: [good, { id: 'A', url: 'localhost' }] }, 'services[1].url'],
    ['a call without an end', { services: [good], calls: [{ from: 'A' }] }, 'calls[0].to'],
    ['a call to a blank', { services: [good], calls: [{ from: 'A', to: '' }] }, 'calls[0].to'],
    [
      'a status as text',
      { services: [good], calls: [{ from: 'A', to: 'B', status: '200' }] },
      'calls[0].status',
    ],
    [
      'a status of 600',
      { services: [good], calls: [{ from: 'A', to: 'B', status: 600 }] },
      'calls[0].status',
    ],
    [
      'a negative duration',
      { services: [good], calls: [{ from: 'A', to: 'B', durationMs: -1 }] },
      'calls[0].durationMs',
    ],
  ])('%s', async (_, body, field) => {
    await using weir = startTopology()
    const response = await weir.post('/api/topology', body)
    const problem = (await response.json()) as Record<string, unknown>
    expect([response.status, problem.code, problem.field]).toEqual([422, 'invalid_field', field])
    expect(weir.topology.graph()).toEqual({ services: [], calls: [] })
  })

  test('invalid JSON, and a body over 1 MiB', async () => {
    await using weir = startTopology()
    expect(await (await weir.post('/api/topology', 'nope')).json()).toHaveProperty('code', 'invalid_json')
    const large = await weir.post('/api/topology', ' '.repeat(1_048_577))
    expect([large.status, ((await large.json()) as { code: string }).code]).toEqual([413, 'body_too_large'])
  })
})
