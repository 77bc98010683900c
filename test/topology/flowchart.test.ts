import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { mermaidText, nodeId, type Service } from '../../src/core/graph.ts'
import { Problem } from '../../src/errors.ts'
import {
  MAX_DECLARED_CALLS,
  MAX_DECLARED_CHARS,
  MAX_DECLARED_SERVICES,
  readDeclaration,
} from '../../src/topology/declared/declaration.ts'
import { Properties } from '../core/property.ts'
import { NASTY_NAMES, SEED_GRAPH } from './seed-graph.ts'

const properties = new Properties('topology/flowchart')

/** The calls of a chart as `A>B`, in order. */
function callsIn(lines: string): string {
  return readDeclaration(`flowchart LR\n${lines}`)
    .calls.map(({ from, to }) => `${from}>${to}`)
    .join(' ')
}

function servicesIn(lines: string) {
  return readDeclaration(`graph TD\n${lines}`).services
}

test('the sample’s chart has its eight services and seven calls', async () => {
  const { services, calls } = readDeclaration(await Bun.file('ops/sample.mmd').text())
  expect(services.map(({ id }) => id).sort()).toEqual(SEED_GRAPH.services.map(({ id }) => id).sort())
  expect(calls).toEqual(SEED_GRAPH.calls.map(({ from, to }) => ({ from, to })))
})

test.each([
  ['A-->B', 'A>B'],
  ['A --> B', 'A>B'],
  ['A ---> B; B -----> C', 'A>B B>C'],
  ['A --- B', 'A>B'],
  ['A -.-> B', 'A>B'],
  ['A -..-> B', 'A>B'],
  ['A ==> B', 'A>B'],
  ['A --x B', 'A>B'],
  ['A --o B', 'A>B'],
  ['A <--> B', 'A>B B>A'],
  ['A x--x B', 'A>B B>A'],
  ['A ~~~ B', ''],
  ['A --> B --> C', 'A>B B>C'],
  ['A & B --> C & D', 'A>C A>D B>C B>D'],
  ['A -->|HTTP POST /activate| B', 'A>B'],
  ['A -->|"a | b"| B', 'A>B'],
  ['A -- text of it --> B', 'A>B'],
  ['A -- text --- B', 'A>B'],
  ['A -. text .-> B', 'A>B'],
  ['A == text ==> B', 'A>B'],
  ['A--text-->B', 'A>B'],
  ['A e1@--> B', 'A>B'],
  ['A["one --> two"] --> B', 'A>B'],
  ['A[one] --> B(two) --> C{three}', 'A>B B>C'],
  ['A:::red --> B:::blue', 'A>B'],
  ['A@{ shape: cyl } --> B', 'A>B'],
  ['app.py -->|SSE /events| index.html', 'app.py>index.html'],
  ['my-service --> other_service', 'my-service>other_service'],
  ['a:80 --> żółw', 'a:80>żółw'],
  ['%% A --> X\nA --> B', 'A>B'],
  ['A --> B\r\nB --> C\rC --> D', 'A>B B>C C>D'],
  ['A --> B\nA --> B', 'A>B'],
])('%j has the calls %j', (lines, calls) => {
  expect(callsIn(lines)).toBe(calls)
})

test('labels are read as people read them, and the shape of a database is one', () => {
  expect(
    servicesIn(
      'A["Web (new)"]\nB("`**bold** text`")\nC[two<br/>lines]\nD[(orders)]\nE[#quot;x#quot; #35;1]\nF([round])\nG[[sub]]\nH{{six}}\nI[/lean/]\nJ>flag]\nK(((deep)))\nL',
    ),
  ).toEqual([
    { id: 'A', name: 'Web (new)' },
    { id: 'B', name: '**bold** text' },
    { id: 'C', name: 'two lines' },
    { id: 'D', name: 'orders', kind: 'database' },
    { id: 'E', name: '"x" #1' },
    { id: 'F', name: 'round' },
    { id: 'G', name: 'sub' },
    { id: 'H', name: 'six' },
    { id: 'I', name: 'lean' },
    { id: 'J', name: 'flag' },
    { id: 'K', name: 'deep' },
    { id: 'L' },
  ])
})

test('a subgraph is the group of the nodes that it names first', () => {
  const lines = 'Z --> A\nsubgraph shop [The shop]\nA --> B\nsubgraph inner\nC\nend\nD\nend\nE --> B'
  expect(servicesIn(lines)).toEqual([
    { id: 'Z' },
    { id: 'A' },
    { id: 'B', group: 'The shop' },
    { id: 'C', group: 'inner' },
    { id: 'D', group: 'The shop' },
    { id: 'E' },
  ])
})

test('front matter, settings, styles and links are left out', () => {
  const text = `---
title: A chart
---
%%{init: {"theme": "dark"}}%%

flowchart TB
  accTitle: what it is
  direction LR
  A:::x --> B
  classDef x fill:#f9f,stroke:#333
  class A x
  style B fill:red
  linkStyle 0 stroke:red
  click A "https://example.com" _blank
`
  expect(readDeclaration(text)).toEqual({
    ...{ text, services: [{ id: 'A' }, { id: 'B' }] },
    calls: [{ from: 'A', to: 'B' }],
  })
})

test('a simulation’s file declares its services, their groups and calls', async () => {
  const text = await Bun.file('src/sim/graphs/shop.yaml').text()
  const { services, calls } = readDeclaration(text)
  expect(services).toHaveLength(25)
  expect(services[0]).toEqual({ id: 'web', group: 'edge' })
  expect(calls.filter(({ from }) => from === 'web').map(({ to }) => to)).toEqual([
    'session',
    'catalog',
    'cart',
    'recommendations',
  ])
  expect(calls.filter(({ from }) => from === 'admin').map(({ to }) => to)).toEqual([
    'session',
    'reporting',
    'stock',
  ])
})

test.each([
  ['', 'Expected a Mermaid flowchart, or YAML with a list of services.'],
  ['sequenceDiagram\nA->>B: x', 'Expected a Mermaid flowchart'],
  ['services: [{ group: a }]', 'services[0].name: expected a text.'],
  ['services: []', 'It has no services.'],
  ['flowchart LR', 'It has no services.'],
  ['flowchart LR\n%% only this', 'It has no services.'],
  ['flowchart DOWN\nA-->B', 'Line 1: expected "flowchart LR", got "flowchart DOWN".'],
  ['flowchart LR\n\nA => B', 'Line 3: expected an arrow such as -->, got "=> B".'],
  ['flowchart LR\nA -->', 'Line 2: expected the ID of a node, got the end of the line.'],
  ['flowchart LR\n--> A', 'Line 2: expected the ID of a node, got "--> A".'],
  ['flowchart LR\nA -- text B', 'Line 2: expected the end of an arrow, as in "-- text -->", got "text B".'],
  ['flowchart LR\nA[open --> B', 'Line 2: expected an arrow such as -->, got "[open --> B".'],
  ['flowchart LR\nend', 'Line 2: "end" without a subgraph.'],
  ['flowchart LR\nA & --> B', 'Line 2: expected the ID of a node, got "--> B".'],
  [`flowchart LR\n${'A'.repeat(65)} --> B`, 'Expected 1 to 64 characters'],
  [`flowchart LR\nA[${'x'.repeat(65)}]`, 'Expected 1 to 64 characters'],
  ['flowchart LR\nweir:a --> B', 'reserved for Weir'],
  [`flowchart LR\nA --> ${'B & '.repeat(300)}C`, 'Line 2: expected at most 1,000 characters.'],
  [`flowchart LR${'\n%'.repeat(MAX_DECLARED_CHARS)}`, 'Expected at most 65,536 characters.'],
  [
    `flowchart LR\n${Array.from({ length: MAX_DECLARED_SERVICES + 1 }, (_, at) => `s${at}`).join('\n')}`,
    `It has ${MAX_DECLARED_SERVICES + 1} services; at most ${MAX_DECLARED_SERVICES} can be declared.`,
  ],
  [
    `flowchart LR\n${Array.from({ length: MAX_DECLARED_CALLS + 1 }, (_, at) => `s${at % 150} --> s${Math.floor(at / 150)}`).join('\n')}`,
    `It has ${MAX_DECLARED_CALLS + 1} calls; at most ${MAX_DECLARED_CALLS} can be declared.`,
  ],
  [
    `flowchart LR\n${`${Array.from({ length: 100 }, (_, at) => `s${at}`).join('&')} --> ${Array.from({ length: 101 }, (_, at) => `s${at}`).join('&')}`}`,
    'Line 2: more than 10,000 arrows.',
  ],
])('%# is refused, with the reason', (text, reason) => {
  const refused = thrownBy(() => readDeclaration(text))
  expect(refused).toBeInstanceOf(Problem)
  expect([(refused as Problem).code, (refused as Problem).field]).toEqual(['invalid_field', 'text'])
  expect((refused as Problem).message).toContain(reason)
})

test('what Weir itself draws is read back, whatever the names', () => {
  const name = fc.oneof(
    fc.constantFrom(...NASTY_NAMES),
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
  )
  const names = fc.uniqueArray(
    name.filter(
      (each) =>
        each.trim() === each &&
        /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u.test(each) &&
        each.length < 64 &&
        !each.startsWith('weir:'),
    ),
    { minLength: 1, maxLength: 8 },
  )
  properties.check(
    fc.record({ names, pairs: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 10 }) }),
    ({ names, pairs }) => {
      const services = names.map(
        (id): Service => ({ id, name: id, kind: 'service', color: 'white', reportedAt: '' }),
      )
      const calls = pairs.map(([from, to]) => ({
        ...{ from: names[from % names.length] as string, to: names[to % names.length] as string },
        ...{ count: 0, errors: 0 },
      }))
      const read = readDeclaration(mermaidText({ services, calls }))
      expect(read.services.map(({ id }) => id).sort()).toEqual(names.toSorted())
      expect(new Set(read.calls.map(({ from, to }) => `${nodeId(from)} ${nodeId(to)}`))).toEqual(
        new Set(calls.map(({ from, to }) => `${nodeId(from)} ${nodeId(to)}`)),
      )
    },
  )
})

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
}
