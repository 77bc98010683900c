import { describe, expect, test } from 'bun:test'
import { SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

test("the diagram is Mermaid text under the seed's one key", async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  const response = await weir.get('/diagram')
  const body = (await response.json()) as { diagram: string }
  expect(response.status).toBe(200)
  expect(Object.keys(body)).toEqual(['diagram'])
  expect(body.diagram.split('\n')).toContainValues([
    'flowchart LR',
    '    UI --> D',
    '    UI["UI"]:::custom_UI',
    'classDef custom_UI fill:white,stroke:#333,stroke-width:2;',
  ])
})

test('an activation colours the service and answers as the seed does', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  const response = await weir.post('/activate', { item: 'V', color: 'red' })
  expect([response.status, await response.json()]).toEqual([200, { message: 'V updated to red' }])
  expect(weir.topology.service('V')?.colour).toBe('red')
})

test('an activation without a colour means black, and one of an unknown item creates it', async () => {
  await using weir = startTopology()
  const response = await weir.post('/activate', { item: 'new-one' })
  expect(await response.json()).toEqual({ message: 'new-one updated to black' })
  expect(weir.topology.graph().services).toMatchObject([{ id: 'new-one', name: 'new-one', colour: 'black' }])
})

test('every change of shape or colour says update, and a counted call does not', async () => {
  await using weir = startTopology()
  using events = await weir.events('/events')
  await weir.post('/activate', { item: 'A', color: 'red' })
  await weir.post('/activate', { item: 'A', color: 'lime' })
  await weir.post('/api/topology', { calls: [{ from: 'A', to: 'B' }] })
  await weir.post('/api/topology', { calls: [{ from: 'A', to: 'B', status: 200 }] })
  await weir.post('/activate', { item: 'B', color: '#00FFCC' })
  const messages = [await events.next(), await events.next(), await events.next(), await events.next()]
  expect(messages.map(({ event, data }) => ({ event, data }))).toEqual(
    messages.map(() => ({ event: undefined, data: 'update' })),
  )
  expect(weir.topology.service('B')?.colour).toBe('#00ffcc')
  const ids = messages.map(({ id }) => Number(id))
  expect(ids.map((id) => id - (ids[0] ?? 0))).toEqual([0, 1, 2, 4])
})

describe('an activation is refused', () => {
  test.each([
    ['no JSON', '{', 400, 'invalid_json', undefined],
    ['a list', [], 400, 'invalid_json', undefined],
    ['no item', { color: 'red' }, 422, 'invalid_field', 'item'],
    ['an item that is no text', { item: 7 }, 422, 'invalid_field', 'item'],
    ['a blank item', { item: ' ' }, 422, 'invalid_field', 'item'],
    ['an item of 65 characters', { item: 'x'.repeat(65) }, 422, 'invalid_field', 'item'],
    ['an item with a line end', { item: 'a\nb' }, 422, 'invalid_field', 'item'],
    ['half a character', { item: '\ud83d' }, 422, 'invalid_field', 'item'],
    ['an unknown colour', { item: 'A', color: 'red;stroke:blue' }, 422, 'invalid_field', 'color'],
    ['a short colour', { item: 'A', color: '#fff' }, 422, 'invalid_field', 'color'],
    ['an unknown field', { item: 'A', colour: 'red' }, 422, 'invalid_field', 'colour'],
    ['65 KiB', { item: 'x'.repeat(66_560) }, 413, 'body_too_large', undefined],
  ])('for %s', async (_, body, status, code, field) => {
    await using weir = startTopology()
    const response = await weir.post('/activate', body)
    const problem = (await response.json()) as Record<string, unknown>
    expect([response.status, problem.code, problem.field]).toEqual([status, code, field])
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(weir.topology.graph().services).toEqual([])
  })
})

describe('as a form, an activation', () => {
  test('of a browser without script leads back to the page', async () => {
    await using weir = startTopology()
    const response = await weir.submit('/activate', { item: 'A', color: 'teal' }, { Accept: 'text/html' })
    expect([response.status, response.headers.get('location')]).toEqual([303, '/topology'])
    expect(weir.topology.service('A')?.colour).toBe('teal')
  })

  test('of htmx is answered with a fragment that escapes the name', async () => {
    await using weir = startTopology()
    const fields = { item: '<b>A', color: 'teal' }
    const response = await weir.submit('/activate', fields, { Accept: 'text/html', 'HX-Request': 'true' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('<p>&lt;b&gt;A is <strong>teal</strong> now.</p>')
  })

  test('of htmx that is refused says why in a sentence', async () => {
    await using weir = startTopology()
    const response = await weir.submit('/activate', { item: 'A', color: 'x' }, { 'HX-Request': 'true' })
    expect(response.status).toBe(422)
    expect(await response.text()).toBe('<p class="error">Expected a colour name or #rrggbb.</p>')
  })
})
