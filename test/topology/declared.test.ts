import { expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'
import { readDeclaration } from '../../src/topology/declared/declaration.ts'
import { DeclaredGraph } from '../../src/topology/declared/declared.ts'
import { Topology } from '../../src/topology/topology.ts'
import { testStorage } from '../support/storage.ts'
import { startTestWeir } from '../support/weir.ts'
import { SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

const stored = testStorage()
const SAMPLE = await Bun.file('ops/sample.mmd').text()
const PATH = '/api/topology/declared'

type Weir = ReturnType<typeof startTopology>

const put = ({ url }: Weir, body: string, type = 'text/plain') =>
  fetch(url + PATH, { method: 'PUT', headers: { 'Content-Type': type }, body })

async function diagramOf(weir: Weir): Promise<string[]> {
  const { diagram } = (await (await weir.get('/diagram')).json()) as { diagram: string }
  return diagram.split('\n').map((line) => line.trim())
}

test('the sample’s services report colors only, and have the sample’s seven arrows once they are declared', async () => {
  await using weir = startTopology()
  for (const { id } of SEED_GRAPH.services) await weir.post('/activate', { item: id, color: 'white' })
  const arrows = async () => (await diagramOf(weir)).filter((line) => line.includes('-->'))
  expect(await arrows()).toEqual([])
  using events = await weir.events('/events')
  const answer = await put(weir, SAMPLE)
  expect([answer.status, await answer.json()]).toMatchObject([
    200,
    { text: SAMPLE, services: { length: 8 }, calls: { length: 7 } },
  ])
  expect(await events.next()).toEqual({ data: 'update' })
  expect(await arrows()).toEqual(SEED_GRAPH.calls.map(({ from, to }) => `${from} --> ${to}`))
})

test('a declared call counts what is reported of it, and one without a declaration has no mark', async () => {
  await using weir = startTopology()
  await put(weir, 'flowchart LR\nA["Shop"] --> B[(orders)]\nA --> C')
  weir.topology.report({
    services: [{ id: 'B', url: 'http://b.test' }],
    calls: [
      { from: 'A', to: 'B', status: 200 },
      { from: 'A', to: 'X', status: 200 },
    ],
  })
  const { services, calls } = weir.topology.graph()
  expect(services).toMatchObject([
    { id: 'B', name: 'orders', kind: 'database', url: 'http://b.test' },
    { id: 'A', name: 'Shop', kind: 'service' },
    { id: 'X', name: 'X' },
    { id: 'C', name: 'C', color: 'white' },
  ])
  expect(calls.map(({ from, to, count, isDeclared }) => [from, to, count, isDeclared])).toEqual([
    ['A', 'B', 1, true],
    ['A', 'X', 1, undefined],
    ['A', 'C', 0, true],
  ])
  expect(await (await weir.get(PATH)).json()).toMatchObject({
    calls: [
      { from: 'A', to: 'B', count: 1 },
      { from: 'A', to: 'C', count: 0 },
    ],
  })
})

test('pages get what is declared as a change, and its end as one', async () => {
  await using weir = startTopology()
  using events = await weir.events('/api/topology/events')
  await events.nextJson()
  await put(weir, JSON.stringify({ text: 'graph TD\nA --> B' }), 'application/json')
  expect((await events.nextJson()).data).toMatchObject({
    services: [{ id: 'A' }, { id: 'B' }],
    calls: [{ from: 'A', to: 'B', count: 0, isDeclared: true }],
  })
  await put(weir, 'graph TD\nA --> C')
  expect((await events.nextJson()).data).toMatchObject({
    services: [{ id: 'C' }],
    removedServices: ['B'],
    removedCalls: [['A', 'B']],
  })
  weir.topology.color('A', 'red')
  await events.nextJson()
  expect((await fetch(weir.url + PATH, { method: 'DELETE' })).status).toBe(204)
  expect((await events.nextJson()).data).toMatchObject({ removedServices: ['C'], removedCalls: [['A', 'C']] })
  expect(weir.topology.graph().services).toMatchObject([{ id: 'A', color: 'red' }])
  expect((await weir.get(PATH)).status).toBe(404)
})

test('a file is declared at start, in place of what was before, and a bad one keeps Weir from starting', async () => {
  const weir = await startTestWeir({ TOPOLOGY: 'ops/sample.mmd' })
  const { diagram } = await weir.json<{ diagram: string }>('/diagram')
  await weir.close()
  expect(diagram.split('-->')).toHaveLength(8)
  await expect(startTestWeir({ TOPOLOGY: 'package.json' })).rejects.toThrow('TOPOLOGY')
  await expect(startTestWeir({ TOPOLOGY: 'ops/none.mmd' })).rejects.toThrow('none.mmd')
})

test('a declaration that can’t be read changes nothing, and says which line', async () => {
  await using weir = startTopology()
  await put(weir, 'graph TD\nA --> B')
  const refused = await put(weir, 'graph TD\nA => B')
  expect([refused.status, await refused.json()]).toMatchObject([
    422,
    { code: 'invalid_field', field: 'text', detail: expect.stringContaining('Line 2') },
  ])
  expect((await put(weir, '{}', 'application/json')).status).toBe(422)
  expect((await put(weir, 'x'.repeat(400_000))).status).toBe(413)
  expect(weir.topology.graph().calls).toMatchObject([{ from: 'A', to: 'B' }])
})

test('what is known already isn’t read again, and what others declared or withdrew is', async () => {
  const [own, other] = [new DeclaredGraph(stored.db), new DeclaredGraph(stored.db)]
  const nothing = { services: [], calls: [] }
  expect(await own.read()).toEqual(nothing)
  await own.put(readDeclaration('graph TD\nA --> B'), Date.now())
  expect(await own.read()).toEqual(nothing)
  expect(await other.read()).toEqual({ services: ['A', 'B'], calls: ['A\nB'] })
  expect(await other.read()).toEqual(nothing)
  await other.put(undefined, Date.now())
  expect(await own.read()).toEqual({ services: ['A', 'B'], calls: ['A\nB'] })
  expect([own.current, await own.read()]).toEqual([undefined, nothing])
})

test('it is stored: a later run and other processes have it, and never forget it', async () => {
  let time = Date.now()
  const start = async () => {
    const topology = new Topology({ hub: new Hub(), db: stored.db, now: () => time })
    await topology.load()
    return topology
  }
  const [first, other] = [await start(), await start()]
  await first.declare(readDeclaration(SAMPLE))
  await other.tick()
  expect(other.graph().calls).toHaveLength(7)
  await first.close()
  const later = await start()
  time += 3 * 86_400_000
  await later.tick()
  expect(later.graph()).toMatchObject({ services: { length: 8 }, calls: { length: 7 } })
  await later.declare(undefined)
  await other.tick()
  expect(other.graph()).toEqual({ services: [], calls: [] })
  for (const topology of [other, later]) await topology.close()
})
