import { expect, test } from 'bun:test'
import { readGraph } from '../../src/sim/graph/graph-file.ts'
import { type CallTree, MAX_TREE_CALLS, MAX_TREE_DEPTH } from '../../src/sim/service/call-tree.ts'
import { activate, deadUrl, spec, start, stubService, stubWeir, until } from './support.ts'

/** Starts a graph file's services, without a Weir unless there is one. */
async function lab(yaml: string, { web, seed = 1 }: { web?: string; seed?: number } = {}) {
  const read = readGraph(yaml)
  if ('problems' in read) throw new Error(read.problems.join('\n'))
  const sim = await start({ services: read.graph.services, web: web ?? (await deadUrl()), seed })
  const url = (name: string) => sim.services.find((service) => service.name === name)?.url ?? ''
  return {
    ...sim,
    url,
    activate: (name: string) => activate(url(name), {}),
    tree: async (name: string): Promise<CallTree> => (await (await activate(url(name), {})).json()).tree,
    setFaults: async (name: string, faults: object) => {
      const response = await fetch(`${url(name)}/faults`, { method: 'PUT', body: JSON.stringify(faults) })
      expect(response.status).toBe(200)
    },
  }
}

const called = ({ calls }: CallTree) => calls.map(({ service }) => service)
const endOf = ({ startedMs, durationMs }: CallTree) => startedMs + durationMs

test('steps are made one after another, and what is parallel at once', async () => {
  await using sim = await lab(`services:
    - {name: root, latencyMs: 0, calls: [a, {parallel: [b, c]}, d]}
    - {name: a, latencyMs: 3000}
    - {name: b, latencyMs: 3000}
    - {name: c, latencyMs: 3000}
    - {name: d, latencyMs: 0}`)
  const tree = await sim.tree('root')
  expect(called(tree)).toEqual(['a', 'b', 'c', 'd'])
  const [a, b, c, d] = tree.calls as [CallTree, CallTree, CallTree, CallTree]
  expect(b.startedMs).toBeGreaterThanOrEqual(endOf(a))
  expect(c.startedMs).toBeLessThan(endOf(b))
  expect(d.startedMs).toBeGreaterThanOrEqual(Math.max(endOf(b), endOf(c)))
  expect(tree.durationMs).toBeGreaterThanOrEqual(endOf(d))
})

test('the tree holds what was called below, on the clock of its root', async () => {
  await using sim = await lab(`services:
    - {name: web, latencyMs: 2000, calls: [shop]}
    - {name: shop, latencyMs: 2000, calls: [db, bank]}
    - {name: db, kind: database, latencyMs: 0}
    - {name: bank, latencyMs: 0, errorRate: 1, errorCodes: {503: 1}}`)
  const tree = await sim.tree('web')
  expect(tree).toMatchObject({
    service: 'web',
    status: 500,
    startedMs: 0,
    error: 'One or more services failed',
    calls: [
      {
        service: 'shop',
        status: 500,
        calls: [
          { service: 'db', status: 200, calls: [] },
          { service: 'bank', status: 503, error: 'Failed by itself, as its error rate has it' },
        ],
      },
    ],
  })
  const shop = tree.calls[0] as CallTree
  const db = shop.calls[0] as CallTree
  // Both worked before they called, and the hurried world's waits are real.
  expect(shop.startedMs).toBeGreaterThan(0)
  expect(db.startedMs).toBeGreaterThan(shop.startedMs)
})

test('a failed step ends the activation, unless it is optional', async () => {
  await using sim = await lab(`services:
    - {name: strict, latencyMs: 0, calls: [bad, good]}
    - {name: lenient, latencyMs: 0, calls: [{service: bad, optional: true}, good]}
    - {name: bad, latencyMs: 0, errorRate: 1}
    - {name: good, latencyMs: 0}`)
  const strict = await sim.tree('strict')
  expect([strict.status, called(strict)]).toEqual([500, ['bad']])
  const lenient = await sim.tree('lenient')
  expect([lenient.status, called(lenient)]).toEqual([200, ['bad', 'good']])
})

test('a call is tried again as often as it may, and each try stands in the tree', async () => {
  await using sim = await lab(`services:
    - {name: root, latencyMs: 0, calls: [{service: bad, retries: 2, backoffMs: 100}]}
    - {name: bad, latencyMs: 0, errorRate: 1}`)
  const tree = await sim.tree('root')
  expect(tree.calls.map(({ attempt, status }) => [attempt, status])).toEqual([
    [undefined, 500],
    [2, 500],
    [3, 500],
  ])
  await sim.setFaults('bad', { errorRate: 0 })
  expect((await sim.tree('root')).calls).toHaveLength(1)
})

test('a call of probability 0 is never made, one of half in about half of the activations', async () => {
  await using sim = await lab(`services:
    - {name: root, latencyMs: 0, calls: [{service: never, probability: 0}, {service: half, probability: 0.5}]}
    - {name: never, latencyMs: 0}
    - {name: half, latencyMs: 0}`)
  const trees = await Promise.all(Array.from({ length: 60 }, () => sim.tree('root')))
  const made = trees.flatMap(called)
  expect(made).not.toContain('never')
  expect(made.length).toBeGreaterThan(15)
  expect(made.length).toBeLessThan(45)
})

test('what is above the rate limit is answered 429, with when to come back', async () => {
  await using sim = await lab(`services:
    - {name: root, latencyMs: 0, calls: [{service: limited, optional: true}]}
    - {name: limited, latencyMs: 0, rateLimit: {perSecond: 0.01, burst: 2, retryAfterSeconds: 7}}`)
  const statuses = []
  for (let call = 0; call < 3; call++) statuses.push((await sim.tree('root')).calls[0]?.status)
  expect(statuses).toEqual([200, 200, 429])
  const refused = await sim.activate('limited')
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '7'])
  expect(await refused.json()).toMatchObject({ error: 'Rate limit exceeded', tree: { status: 429 } })
  await sim.setFaults('limited', { rateLimit: { perSecond: 100, burst: 100 } })
  expect((await sim.activate('limited')).status).toBe(200)
})

test('a call that is late or gets no connection is a leaf with what its caller saw', async () => {
  await using sim = await lab(`services:
    - {name: root, latencyMs: 0, calls: [{parallel: [{service: slow, timeoutMs: 50}, broken]}]}
    - {name: slow, latencyMs: 600000}
    - {name: broken, latencyMs: 0}`)
  await sim.setFaults('broken', { reset: true })
  expect((await sim.tree('root')).calls).toMatchObject([
    { service: 'slow', status: 502, error: 'No answer within 50 ms', calls: [] },
    { service: 'broken', status: 500, error: 'The connection failed', calls: [] },
  ])
})

test('faults count from the next activation on, and go away again', async () => {
  await using sim = await lab('services: [{name: a, latencyMs: 0, payloadBytes: 10}]')
  const answer = async () => {
    const response = await sim.activate('a')
    return [response.status, (await response.json()).payload?.length]
  }
  expect(await answer()).toEqual([200, 10])
  await sim.setFaults('a', { errorRate: 1, errorCodes: { 503: 1 }, payloadBytes: 5_000 })
  expect(await answer()).toEqual([503, 5_000])
  await fetch(`${sim.url('a')}/faults`, { method: 'DELETE' })
  expect(await answer()).toEqual([200, 10])
})

test('the n-th activation of a service comes to the same under the same seed, whatever is under way beside it', async () => {
  const yaml = `services:
    - {name: a, latencyMs: {p50: 10, p90: 300, p99: 900}, errorRate: 0.5, errorCodes: {500: 1, 503: 2}}`
  const statuses = async (seed: number, atOnce: number) => {
    await using sim = await lab(yaml, { seed })
    const all: number[] = []
    while (all.length < 30) {
      const answers = await Promise.all(Array.from({ length: atOnce }, () => sim.activate('a')))
      all.push(...answers.map(({ status }) => status))
    }
    return all
  }
  console.log('seed 5')
  const one = await statuses(5, 1)
  expect(new Set(one)).toEqual(new Set([200, 500, 503]))
  expect(await statuses(5, 1)).toEqual(one)
  expect((await statuses(5, 30)).toSorted()).toEqual(one.toSorted())
  expect(await statuses(6, 1)).not.toEqual(one)
})

test('a feed is a document with a version, and its changes are events', async () => {
  await using weir = stubWeir()
  await using sim = await lab(
    'services: [{name: a, feed: {intervalMs: 100, items: 3, itemBytes: 8, changeRate: 1}}, {name: b}]',
    { web: weir.url },
  )
  const feed = async () => (await fetch(`${sim.url('a')}/feed`)).json()
  const first = await feed()
  expect(first).toMatchObject({ service: 'a', items: [{ id: 0 }, { id: 1 }, { id: 2 }] })
  expect(first.items[0].text).toMatch(/^[a-z]{8}$/)
  const events = await fetch(`${sim.url('a')}/events`)
  const reader = events.body?.getReader()
  let text = ''
  while (!/event: changed[\s\S]*\n\n/.test(text))
    text += new TextDecoder().decode((await reader?.read())?.value)
  await reader?.cancel()
  const changed = JSON.parse(/event: changed\n(?:id: .*\n)?data: (.*)/.exec(text)?.[1] ?? '')
  expect(changed.version).toBeGreaterThan(0)
  expect(changed.item.revision).toBeGreaterThan(0)
  expect((await feed()).version).toBeGreaterThanOrEqual(changed.version)
  expect((await fetch(`${sim.url('b')}/feed`)).status).toBe(404)
})

test('services tell Weir their kind and group, and calls in few reports', async () => {
  await using weir = stubWeir()
  await using sim = await lab(
    `services:
      - {name: web, group: edge, latencyMs: 0, calls: [db]}
      - {name: db, kind: database, latencyMs: 0}`,
    { web: weir.url },
  )
  await until(() => weir.reports().some(({ services }) => services?.length === 2))
  expect(weir.reports()[0]).toMatchObject({
    services: [
      { id: 'db', kind: 'database' },
      { id: 'web', kind: 'service', group: 'edge' },
    ],
    calls: [{ from: 'web', to: 'db' }],
  })
  await Promise.all(Array.from({ length: 100 }, () => sim.activate('web')))
  const counted = () =>
    weir.reports().filter(({ calls = [] }) => calls.some(({ status }) => status !== undefined))
  await until(() => counted().flatMap(({ calls = [] }) => calls).length === 100)
  expect(counted().length).toBeLessThan(50)
  await until(() => weir.colorsOf('web').at(-1) === 'white')
})

test('a tree from elsewhere is taken up to its bounds, and what is no call is left out', async () => {
  const leaf = { service: 'x', status: 200, startedMs: 1, durationMs: 1, calls: [] }
  let deep: object = leaf
  for (let level = 0; level < 100; level++) deep = { ...leaf, calls: [deep] }
  const trees: Record<string, unknown> = {
    wide: { ...leaf, calls: Array(2_000).fill(leaf) },
    deep,
    odd: { calls: [leaf, 7, { service: 'y' }, { ...leaf, status: 'good' }], error: 'e'.repeat(9_999) },
    none: 'no tree',
  }
  for (const [kind, tree] of Object.entries(trees)) {
    await using other = stubService('other', () => Response.json({ tree }))
    await using sim = await start({
      services: [spec('N', { services: [other.address] })],
      web: await deadUrl(),
    })
    const answer: { tree: CallTree } = await (await activate(sim.first.url, { color: 'gold' })).json()
    const [call] = answer.tree.calls as [CallTree]
    if (kind === 'wide')
      expect([call.calls.length, call.leftOut]).toEqual([MAX_TREE_CALLS - 1, 2_001 - MAX_TREE_CALLS])
    if (kind === 'deep') {
      let depth = 0
      let last: CallTree = answer.tree
      for (; last.calls[0] !== undefined; last = last.calls[0]) depth++
      expect([depth, last.leftOut]).toEqual([MAX_TREE_DEPTH, 1])
    }
    if (kind === 'odd') expect([call.calls.length, call.leftOut, call.error?.length]).toEqual([1, 3, 200])
    if (kind === 'none') expect(call).toMatchObject({ status: 200, calls: [] })
  }
})
