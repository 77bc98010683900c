import { describe, expect, test } from 'bun:test'
import { COLOR_NAMES } from '../../src/core/color.ts'
import { type Call, mermaidText, nodeId, type Service } from '../../src/core/graph.ts'
import { NASTY_NAMES, SEED_GRAPH } from './seed-graph.ts'

/** `WEIR_TEST_SEED` repeats a run that failed. */
const SEED = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 1_000_000)
const ROUNDS = 500
const LINES = [
  /^ {4}\w+ --> \w+$/,
  /^ {4}(\w+)\["(?:\w|#\d+;)*"\]:::custom_\1$/,
  /^classDef custom_\w+ fill:(?:[a-z]+|#[0-9a-f]{6}),stroke:#333,stroke-width:2;$/,
  /^classDef custom_\w+ color:#(?:111|fff);$/,
]

test('the sample’s graph gives the sample’s diagram, with readable text', () => {
  const services = SEED_GRAPH.services.map(({ id }) => service(id, id === 'V' ? 'black' : 'white'))
  expect(mermaidText({ services, calls: SEED_GRAPH.calls.map(({ from, to }) => call(from, to)) })).toBe(
    `flowchart LR
    UI --> D
    D --> P
    P --> V
    P --> H
    V --> T
    V --> DS
    V --> TM
    UI["UI"]:::custom_UI
    D["D"]:::custom_D
    P["P"]:::custom_P
    H["H"]:::custom_H
    V["V"]:::custom_V
    T["T"]:::custom_T
    TM["TM"]:::custom_TM
    DS["DS"]:::custom_DS
classDef custom_UI fill:white,stroke:#333,stroke-width:2;
classDef custom_UI color:#111;
classDef custom_D fill:white,stroke:#333,stroke-width:2;
classDef custom_D color:#111;
classDef custom_P fill:white,stroke:#333,stroke-width:2;
classDef custom_P color:#111;
classDef custom_H fill:white,stroke:#333,stroke-width:2;
classDef custom_H color:#111;
classDef custom_V fill:black,stroke:#333,stroke-width:2;
classDef custom_V color:#fff;
classDef custom_T fill:white,stroke:#333,stroke-width:2;
classDef custom_T color:#111;
classDef custom_TM fill:white,stroke:#333,stroke-width:2;
classDef custom_TM color:#111;
classDef custom_DS fill:white,stroke:#333,stroke-width:2;
classDef custom_DS color:#111;`,
  )
})

test('an empty graph is still a flowchart', () => {
  expect(mermaidText({ services: [], calls: [] })).toBe('flowchart LR')
})

describe('the Mermaid id of', () => {
  test.each([
    ['UI', 'UI'],
    ['a_b2', 'a_b2'],
    ['End', 'End'],
    ['V', 'V'],
    ['v', '_v'],
    ['end', '_end'],
    ['constructor', '_constructor'],
    ['user-service', '_user_2d_service'],
    ['_self', '__5f_self'],
    ['2nd', '_2nd'],
    ['🚀', '__1f680_'],
  ])('%p is %p', (id, node) => {
    expect(nodeId(id)).toBe(node)
  })
})

test(`no name adds a line, leaves its quotes or shares an id (WEIR_TEST_SEED=${SEED})`, () => {
  const random = randomFrom(SEED)
  for (let round = 0; round < ROUNDS; round++) {
    const ids = [...new Set([nastyName(random), nastyName(random), nastyName(random)])]
    const services = ids.map((id) => ({
      ...service(id, COLOR_NAMES[Math.floor(random() * COLOR_NAMES.length)] ?? 'white'),
      name: nastyName(random),
    }))
    const calls = ids.map((id) => call(id, ids[0] ?? id))
    const [first, ...rest] = mermaidText({ services, calls }).split('\n')
    expect(first).toBe('flowchart LR')
    expect(rest).toHaveLength(ids.length * 4)
    for (const line of rest) expect(LINES.find((form) => form.test(line)) ?? line).toBeInstanceOf(RegExp)
    expect(new Set(ids.map(nodeId)).size).toBe(ids.length)
  }
})

test('a label shows the name', () => {
  for (const name of NASTY_NAMES) {
    const text = mermaidText({ services: [{ ...service('A', 'red'), name }], calls: [] })
    const shown = text.split('"')[1]?.replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    expect(shown?.replaceAll('\u2060', '')).toBe(name)
  }
})

/** Two pieces of nasty names, or characters out of the whole range, put together. */
function nastyName(random: () => number): string {
  const piece = () => {
    const name = NASTY_NAMES[Math.floor(random() * NASTY_NAMES.length)] ?? ''
    if (random() < 0.7) return name.slice(Math.floor(random() * 5))
    return String.fromCodePoint(32 + Math.floor(random() * (random() < 0.5 ? 95 : 50_000)))
  }
  return piece() + piece()
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function service(id: string, color: string): Service {
  return { id, name: id, kind: 'service', color, reportedAt: '2026-01-01T00:00:00.000Z' }
}

function call(from: string, to: string): Call {
  return { from, to, count: 0, errors: 0 }
}
