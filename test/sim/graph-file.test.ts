import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceSpec } from '../../src/sim/graph/graph.ts'
import { MAX_FILE_BYTES, readGraph } from '../../src/sim/graph/graph-file.ts'
import { MAX_CAUSED_CALLS, MAX_FAULTS } from '../../src/sim/graph/graph-rules.ts'
import { loadGraph } from '../../src/sim/graph/load-graph.ts'
import { activate, start, stubWeir } from './support.ts'

function problems(yaml: string): string[] {
  const read = readGraph(yaml)
  return 'problems' in read ? read.problems : []
}

function graph(yaml: string) {
  const read = readGraph(yaml)
  if ('problems' in read) throw new Error(read.problems.join('\n'))
  return read.graph
}

const names = (services: ServiceSpec[]) => services.map(({ name }) => name)

test('the example of the documentation starts, works and has the fields that it says', async () => {
  const docs = await Bun.file(join(import.meta.dir, '../../docs/simulation.md')).text()
  const example = /```yaml\n([\s\S]*?)```/.exec(docs)?.[1] ?? ''
  const { services, traffic, seed } = graph(example)
  expect(names(services).toSorted()).toEqual(['ads', 'catalog', 'catalog-db', 'session', 'web'])
  expect(traffic).toEqual([{ entry: 'web', perMinute: 60, shape: 'poisson' }])
  await using weir = stubWeir()
  await using sim = await start({ services, web: weir.url, seed: seed ?? 0 })
  const web = sim.services.find(({ name }) => name === 'web')
  const { tree } = await (await activate(web?.url ?? '', {})).json()
  expect(tree).toMatchObject({ service: 'web', startedMs: 0 })
  expect(tree.calls[0].service).toBe('session')
})

test('what is left out has its default', () => {
  const { services, traffic } = graph('services: [{name: a, calls: [b]}, {name: b}]')
  expect(traffic).toEqual([])
  expect(services.map(({ name, port }) => [name, port])).toEqual([
    ['b', 0],
    ['a', 0],
  ])
  expect(services[1]?.lab).toEqual({
    kind: 'service',
    latencyMs: { p50: 10, p90: 30, p99: 100 },
    errorRate: 0,
    errorCodes: { 500: 1 },
    payloadBytes: { p50: 0, p90: 0, p99: 0 },
    steps: [[{ service: 'b', timeoutMs: 2_000, retries: 0, backoffMs: 50, probability: 1, optional: false }]],
  })
})

test('ports follow the base in the order of the file, unless a service has its own', () => {
  const yaml = 'portBase: 6000\nservices: [{name: a, calls: [b]}, {name: b}, {name: c, port: 7000}]'
  const ports = (base?: number) => {
    const read = readGraph(yaml, base)
    return 'graph' in read && Object.fromEntries(read.graph.services.map(({ name, port }) => [name, port]))
  }
  expect(ports()).toEqual({ a: 6000, b: 6001, c: 7000 })
  expect(ports(6500)).toEqual({ a: 6500, b: 6501, c: 7000 })
  expect(ports(0)).toEqual({ a: 0, b: 0, c: 7000 })
})

test('an anchor may hold what services share', () => {
  const { services } = graph(
    'services:\n  - &slow {name: a, latencyMs: 700}\n  - {<<: *slow, name: b}\n  - {name: c, latencyMs: 1}\n',
  )
  expect(services.map(({ lab }) => lab?.latencyMs.p50)).toEqual([700, 700, 1])
})

test('all that is wrong is told at once, with its path, its line and what may be meant', () => {
  const yaml = `seed: -1
services:
  - name: cart
    latancyMs: 5
    calls: [stok, {service: web, tries: 3}]
  - name: web
    port: 99999
    latencyMs: {p50: 10, p90: 5, p99: 20}
    errorCodes: {200: 1}
    calls:
      - stock
      - parallel: [{parallel: [stock]}]
  - name: web
    kind: databse
  - 5
  - {name: stock, errorRate: 2, rateLimit: {burst: 3}}
  - {name: 7, payloadBytes: lots}
traffic:
  - {to: web, perMinute: 5, perSecond: 3}
  - {to: wbe, perMinute: 5, shape: possion}
colour: red
`
  expect(problems(yaml)).toEqual([
    'colour (line 21): there is no such field; there is seed, portBase, services, traffic',
    'seed (line 1): expected a whole number from 0 to 4294967295, got -1',
    'services[0].latancyMs (line 4): there is no such field; did you mean "latencyMs"?',
    'services[0].calls[1].tries (line 5): there is no such field; did you mean "retries"?',
    'services[1].port (line 7): expected a whole number from 0 to 65535, got 99999',
    'services[1].latencyMs (line 8): expected p50 ≤ p90 ≤ p99, got 10, 5, 20',
    'services[1].errorCodes.200 (line 9): expected a status from 400 to 599',
    'services[1].calls[1].parallel[0].service (line 12): is missing',
    'services[1].calls[1].parallel[0].parallel (line 12): stands alone in a step, and not in another',
    'services[2].kind (line 14): expected service, database, queue, got "databse"; did you mean "database"?',
    expect.stringMatching(/^services\[3\] \(line 15\): expected fields \(name, .*\), got 5$/),
    'services[4].errorRate (line 16): expected a number from 0 to 1, got 2',
    'services[4].rateLimit.perSecond (line 16): is missing',
    expect.stringMatching(/^services\[5\]\.name \(line 17\): expected a name .* got 7; put it in quotes/),
    expect.stringMatching(/^services\[5\]\.payloadBytes \(line 17\): expected fields .* got "lots"$/),
    'traffic[0] (line 19): expected perMinute or perSecond, one of them',
    'traffic[1].shape (line 20): expected steady, poisson, burst, daily, got "possion"; did you mean "poisson"?',
    'services[2].name (line 13): "web" is the name of services[1] already',
    'services[0].calls[0] (line 5): there is no service "stok"; did you mean "stock"?',
    'traffic[1].to (line 20): there is no service "wbe"; did you mean "web"?',
  ])
})

test('calls in a circle are told, whoever begins it', () => {
  const yaml = `services:
  - {name: a, calls: [b]}
  - {name: b, calls: [c]}
  - {name: c, calls: [{parallel: [d, b]}]}
  - {name: d, calls: [d]}`
  expect(problems(yaml)).toEqual([
    'services[3] (line 5): calls go in a circle: d → d',
    'services[1] (line 3): calls go in a circle: b → c → b',
  ])
})

test('a port that two services want is told', () => {
  const yaml =
    'portBase: 6000\nservices: [{name: a}, {name: b, port: 6000}, {name: c, port: 6000, host: "::1"}]'
  expect(problems(yaml)).toEqual([
    'services[1].port (line 2): 6000 of 127.0.0.1 is the port of services[0] ("a") already',
  ])
  expect(problems('portBase: 65535\nservices: [{name: a}, {name: b}]')).toEqual([
    'portBase (line 1): from 65535 on there are no ports for 2 services',
  ])
})

test('a few layers that call each other twice are more calls than anybody has', () => {
  const layers = Array.from({ length: 30 }, (_, at) => `  - {name: n${at}, calls: [n${at + 1}, n${at + 1}]}`)
  expect(problems(`services:\n${layers.join('\n')}\n  - {name: n30}`)).toEqual([
    expect.stringMatching(
      new RegExp(`^services\\[17\\] .*may cause 16382 calls.*at most ${MAX_CAUSED_CALLS} are allowed$`),
    ),
  ])
})

test.each([
  ['nothing', '', 'the file: expected fields (seed, portBase, services, traffic), got nothing'],
  ['text', 'hello', 'the file: expected fields (seed, portBase, services, traffic), got "hello"'],
  ['no services', 'services: []', 'services (line 1): expected 1 to 500 items, got 0'],
  [
    'too many services',
    `services: [${'{name: a},'.repeat(501)}]`,
    'services (line 1): expected 1 to 500 items, got 501',
  ],
  [
    'a mistake in its fourth line',
    'services:\n  - name: a\n  - name: b\n    calls: [a, }\n  - name: c\n',
    'line 4: from here on the file is not YAML: Unexpected token',
  ],
  [
    'a mistake behind what takes some lines',
    'services: [\n  {\n    name: a\n  },\n  {name: b}\n]\ntraffic:\n  - {to: a\n  - {to: b}\n',
    'line 8: from here on the file is not YAML: Unexpected token',
  ],
  ['an alias of nothing', 'services: *nobody', 'line 1: from here on the file is not YAML: Unresolved alias'],
  [
    'an end that is missing',
    'services:\n  - {name: a',
    'line 2: from here on the file is not YAML: Unexpected token',
  ],
  ['too many levels', '['.repeat(200_000), 'line 1: from here on the file is not YAML: nested too deep'],
  ['too many bytes', `# ${'x'.repeat(MAX_FILE_BYTES)}`, `the file is larger than ${MAX_FILE_BYTES} bytes`],
])('a file with %s is refused in words', (_, yaml, sentence) => {
  expect(problems(yaml)).toEqual([sentence])
})

test('aliases of aliases that unfold without end are refused', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let level = 1; level < 30; level++) {
    bomb.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    )
  }
  expect(problems(bomb.join('\n'))).toEqual([expect.stringContaining('Excessive aliasing')])
})

test('a list that holds itself is refused as any other thing that is no service', () => {
  expect(problems('services: &all [*all]')).toEqual([
    expect.stringMatching(/^services\[0\] .* got a list of 1$/),
  ])
})

test('more mistakes than anybody reads are counted', () => {
  const found = problems(`services: [${'{name: ""},'.repeat(200)}]`)
  expect(found).toHaveLength(MAX_FAULTS + 1)
  expect(found.at(-1)).toBe('and 150 more')
})

test('a file that is not there or no text is refused in words', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-graph-'))
  const binary = join(directory, 'binary.yaml')
  await Bun.write(binary, new Uint8Array([0xff, 0xfe, 0xfd]))
  for (const which of [join(directory, 'nowhere.yaml'), binary, directory]) {
    const loaded = await loadGraph({ which }, 1)
    expect(loaded).toEqual({ problems: [expect.stringMatching(/^the file can't be read: /)] })
  }
  rmSync(directory, { recursive: true })
})

test('the shop has 25 services, of which each is reached by its traffic', async () => {
  const loaded = await loadGraph({ which: 'shop' }, 1)
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'))
  const { services, traffic } = loaded.graph
  expect(services).toHaveLength(25)
  expect(new Set(services.map(({ lab }) => lab?.kind))).toEqual(new Set(['service', 'database', 'queue']))
  const reached = new Set(traffic.map(({ entry }) => entry))
  for (const { name, services: called } of services.toReversed()) {
    if (reached.has(name)) for (const each of called) reached.add(each)
  }
  expect(reached.size).toBe(25)
})

test.each([1, 2, 3, 10, 50, 300])(
  'a random graph of %i is the same for its seed, and sound',
  async (size) => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const load = async (seed: number) => {
      const loaded = await loadGraph({ which: `random:${size}` }, seed)
      if ('problems' in loaded) throw new Error(`seed ${seed}: ${loaded.problems.join('\n')}`)
      return loaded.graph
    }
    for (const seed of seeds) {
      const { services, traffic } = await load(seed)
      expect(services).toHaveLength(size)
      expect(traffic.length).toBeGreaterThan(0)
      const called = services.flatMap((service) => service.services)
      expect(called.length).toBeLessThanOrEqual(3 * size)
      if (size >= 50) expect(called).toHaveLength(3 * size)
    }
    expect(await load(7)).toEqual(await load(7))
    if (size > 3) expect(await load(8)).not.toEqual(await load(7))
  },
)

test.each(['random:0', 'random:301', 'random:many', 'random:'])('%s is refused in words', async (which) => {
  expect(await loadGraph({ which }, 1)).toEqual({ problems: ['expected random:N with N from 1 to 300'] })
})

test('the traffic of a graph can be replaced and turned off', async () => {
  const traffic = async (perMinute: number) => {
    const loaded = await loadGraph({ which: 'shop', perMinute }, 1)
    return 'graph' in loaded && loaded.graph.traffic
  }
  expect(await traffic(0)).toEqual([])
  expect(await traffic(30)).toEqual([{ entry: 'web', perMinute: 30 }])
})
