import { describe, expect, test } from 'bun:test'
import { SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

test('the diagram is Mermaid text under the sample’s only key', async () => {
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

test('an activation colors the service and responds like the sample', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  const response = await weir.post('/activate', { item: 'V', color: 'red' })
  expect([response.status, await response.json()]).toEqual([200, { message: 'V updated to red' }])
  expect(weir.topology.service('V')?.color).toBe('red')
})

test('an activation without a color means black, and an unknown item is created', async () => {
  await using weir = startTopology()
  const response = await weir.post('/activate', { item: 'new-one' })
  expect(await response.json()).toEqual({ message: 'new-one updated to black' })
  expect(weir.topology.graph().services).toMatchObject([{ id: 'new-one', name: 'new-one', color: 'black' }])
})

test('every activation and every change of shape sends an update, and a counted call doesn’t', async () => {
  await using weir = startTopology()
  using events = await weir.events('/events')
  const changes = [
    () => weir.post('/activate', { item: 'A', color: 'red' }),
    () => weir.post('/activate', { item: 'A', color: 'lime' }),
    () => weir.post('/api/topology', { calls: [{ from: 'A', to: 'B' }] }),
    async () => {
      await weir.post('/api/topology', { calls: [{ from: 'A', to: 'B', status: 200 }] })
      weir.topology.snapshot()
      return weir.post('/activate', { item: 'B', color: '#00FFCC' })
    },
  ]
  for (const change of changes) {
    await change()
    expect(await events.next()).toEqual({ data: 'update' })
  }
  expect(weir.topology.service('B')?.color).toBe('#00ffcc')
})

test('each of many activations is one update, sent at once, also if the color stays or the service is new', async () => {
  await using weir = startTopology()
  using events = await weir.events('/events')
  for (const color of ['red', 'white', 'red', 'red', 'white'])
    await weir.post('/activate', { item: 'T', color })
  const told = await Promise.all(Array.from({ length: 5 }, () => events.next()))
  expect(told).toEqual(Array.from({ length: 5 }, () => ({ data: 'update' })))
  // The frame for pages follows later, and isn't another update: the next one is that of the next change.
  weir.topology.snapshot()
  weir.topology.report({ services: [{ id: 'T', name: 'Total' }] })
  await events.next()
  const { diagram } = (await (await weir.get('/diagram')).json()) as { diagram: string }
  expect(diagram).toContain('T["Total"]')
})

test('simultaneous reports are one update, and the diagram has only reported services', async () => {
  await using weir = startTopology()
  using events = await weir.events('/events')
  weir.topology.overlay('weir', {
    services: [{ id: 'weir:a', name: 'own', kind: 'host', color: 'red', reportedAt: '' }],
    calls: [],
  })
  for (const id of ['A', 'B', 'C']) weir.topology.report({ services: [{ id }] })
  await events.next()
  weir.topology.report({ services: [{ id: 'D' }] })
  await events.next()
  const { diagram } = (await (await weir.get('/diagram')).json()) as { diagram: string }
  for (const id of ['A', 'B', 'C', 'D']) expect(diagram).toContain(`${id}["${id}"]`)
  expect(diagram).not.toContain('own')
})

describe('an activation is rejected', () => {
  test.each([
    ['no JSON', '{', 400, 'invalid_json', undefined],
    ['a list', [], 400, 'invalid_json', undefined],
    ['no item', { color: 'red' }, 422, 'invalid_field', 'item'],
    ['an item that is no text', { item: 7 }, 422, 'invalid_field', 'item'],
    ['a blank item', { item: ' ' }, 422, 'invalid_field', 'item'],
    ['an item of 65 characters', { item: 'x'.repeat(65) }, 422, 'invalid_field', 'item'],
    ['an item with a line end', { item: 'a\nb' }, 422, 'invalid_field', 'item'],
    ['half a character', { item: '\ud83d' }, 422, 'invalid_field', 'item'],
    ['an unknown color', { item: 'A', color: 'red;stroke:blue' }, 422, 'invalid_field', 'color'],
    ['a short color', { item: 'A', color: '#fff' }, 422, 'invalid_field', 'color'],
    ['an unknown field', { item: 'A', shade: 'red' }, 422, 'invalid_field', 'shade'],
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
  test('from a browser without script redirects to the page', async () => {
    await using weir = startTopology()
    const response = await weir.submit('/activate', { item: 'A', color: 'teal' }, { Accept: 'text/html' })
    expect([response.status, response.headers.get('location')]).toEqual([303, '/topology'])
    expect(weir.topology.service('A')?.color).toBe('teal')
  })

  test('from htmx returns a fragment with an escaped name', async () => {
    await using weir = startTopology()
    const fields = { item: '<b>A', color: 'teal' }
    const response = await weir.submit('/activate', fields, { Accept: 'text/html', 'HX-Request': 'true' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('<p>&lt;b&gt;A is now <strong>teal</strong>.</p>')
  })

  test('from htmx that is rejected says why', async () => {
    await using weir = startTopology()
    const response = await weir.submit('/activate', { item: 'A', color: 'x' }, { 'HX-Request': 'true' })
    expect(response.status).toBe(422)
    expect(await response.text()).toBe('<p class="error">Expected a color name, #rrggbb or hsl(…).</p>')
  })
})
