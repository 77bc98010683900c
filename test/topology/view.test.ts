import { describe, expect, test } from 'bun:test'
import type { Call, DrawnGraph, DrawnService } from '../../views/topology/client/graph.ts'
import { parseState, queryOf, type State } from '../../views/topology/client/state.ts'
import { neighborhood, summed, viewOf } from '../../views/topology/client/view.ts'

const EVERYTHING: State = parseState('')

describe('a group', () => {
  const graph = graphOf(
    [
      service('a', { group: 'x', color: 'red', status: 'live' }),
      service('b', { group: 'x', color: 'red', status: 'dead', reason: 'No answer.' }),
      service('c', { group: 'y' }),
      service('d'),
    ],
    [
      call('a', 'c', { rate: 10, errorShare: 0.5, p50Ms: 10, p95Ms: 40 }),
      call('b', 'c', { rate: 30, errorShare: 0, p50Ms: 20, p95Ms: 30 }),
      call('a', 'b', { rate: 1, errorShare: 1 }),
      call('c', 'd'),
    ],
  )

  test('is one node with its calls added up, without internal calls', () => {
    const view = viewOf(graph, { ...EVERYTHING, grouping: 'group' })
    expect(view.services.map(({ name }) => name)).toEqual(['x (2)', 'c', 'd'])
    const [group] = view.services
    expect(group).toMatchObject({ members: ['a', 'b'], color: 'red', status: 'dead' })
    expect(group?.reason).toBe('1 of 2 is dead. b: No answer.')
    expect(view.calls.map(({ from, to }) => [from, to])).toEqual([
      [group?.id ?? '', 'c'],
      ['c', 'd'],
    ])
    // Rates add, shares are weighed by them, and of latencies the worst part bounds the whole.
    expect(view.calls[0]?.recent).toEqual({ rate: 40, errorShare: 0.125, p50Ms: 20, p95Ms: 40 })
    expect(view.calls[0]?.parts).toHaveLength(2)
  })

  test('that is expanded shows its members, and a single service is no group', () => {
    const view = viewOf(graph, { ...EVERYTHING, grouping: 'group', open: ['x'] })
    expect(view.services.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
    expect(view.calls).toEqual([...graph.calls])
  })

  test('is in focus when one of its services is', () => {
    const view = viewOf(graph, { ...EVERYTHING, grouping: 'group', focus: 'a' })
    expect(view.services.map(({ name }) => name)).toEqual(['x (2)', 'c'])
    expect(view.hidden).toBe(1)
  })

  test('has a unique ID in the Mermaid text, whatever its name', () => {
    const names = ['a b', 'a_b', 'a-b', '"]; click', '日本', '<b>']
    const nodes = names.flatMap((group) => {
      const two = graphOf([service('1', { group }), service('2', { group })], [])
      return viewOf(two, { ...EVERYTHING, grouping: 'group' }).services.map(({ node }) => node)
    })
    expect(new Set(nodes).size).toBe(names.length)
    for (const node of nodes) expect(node).toMatch(/^\w+$/)
  })

  test('by host holds the services of one address', () => {
    const hosts = graphOf(
      [
        service('a', { url: 'http://h:1/x' }),
        service('b', { url: 'http://h:1/y' }),
        service('c', { url: 'http://h:2/' }),
      ],
      [],
    )
    expect(viewOf(hosts, { ...EVERYTHING, grouping: 'host' }).services.map(({ name }) => name)).toEqual([
      'h:1 (2)',
      'c',
    ])
  })
})

test('combined calls have the latest outcome', () => {
  const parts = [
    { ...call('a', 'c'), count: 3, errors: 1, lastStatus: 200, calledAt: '2026-01-01T00:00:01Z' },
    { ...call('b', 'c'), count: 4, errors: 2, lastStatus: 500, calledAt: '2026-01-01T00:00:02Z' },
  ]
  expect(summed('x', 'c', parts)).toMatchObject({ from: 'x', count: 7, errors: 3, lastStatus: 500 })
  expect(summed('x', 'c', parts)).not.toHaveProperty('recent')
})

describe('hiding what is idle', () => {
  const graph = graphOf(
    [
      service('a'),
      service('b'),
      service('c'),
      service('dead', { status: 'dead' }),
      service('live', { status: 'live' }),
    ],
    [call('a', 'b', { rate: 1, errorShare: 0 }), call('b', 'c'), call('c', 'dead')],
  )

  test('hides idle calls and services that only they reach, but none in trouble', () => {
    const view = viewOf(graph, { ...EVERYTHING, hideIdle: true })
    expect(view.services.map(({ id }) => id)).toEqual(['a', 'b', 'dead'])
    expect(view.calls).toHaveLength(1)
    expect(view.hidden).toBe(2)
  })

  test('keeps the selection', () => {
    const view = viewOf(graph, { ...EVERYTHING, hideIdle: true, node: 'live', edge: ['b', 'c'] })
    expect(view.services.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'dead', 'live'])
    expect(view.calls).toHaveLength(2)
  })
})

describe('a neighborhood', () => {
  const calls = [
    call('a', 'b'),
    call('b', 'c'),
    call('c', 'd'),
    call('a', 'x'),
    call('y', 'c'),
    call('c', 'c'),
  ]

  test.each([
    ['both', 1, ['a', 'b', 'c']],
    ['both', 2, ['a', 'b', 'c', 'd']],
    ['up', 3, ['a', 'b']],
    ['down', 1, ['b', 'c']],
    ['down', 3, ['b', 'c', 'd']],
  ] as const)('%s, %d steps', (direction, steps, near) => {
    expect([...neighborhood(calls, 'b', steps, direction)].sort()).toEqual([...near])
  })
})

test('a focus on a missing service shows everything', () => {
  const graph = graphOf([service('a'), service('b')], [])
  expect(viewOf(graph, { ...EVERYTHING, focus: 'gone' }).services).toHaveLength(2)
})

describe('the address', () => {
  test.each([
    ['nothing', {}],
    [
      'everything',
      { search: 'a&b', hideIdle: true, grouping: 'host', open: ['a b', '日本'], steps: 3, direction: 'up' },
    ],
    ['a service', { node: '<b>&at=1' }],
    ['a call', { edge: ['a', 'b&c'] }],
    ['a moment', { at: Date.parse('2026-11-22T12:00:00Z') }],
  ] as const)('says %s, and is read back', (_, change) => {
    const state: State = { ...EVERYTHING, ...change, ...('direction' in change && { focus: 'x' }) }
    expect(parseState(queryOf(state))).toEqual(state)
  })

  test('of a new page is empty, and a moment is readable', () => {
    expect(queryOf(EVERYTHING)).toBe('')
    expect(queryOf({ ...EVERYTHING, at: Date.parse('2026-11-22T12:00:00.5Z') })).toBe(
      '?at=2026-11-22T12:00:00Z',
    )
  })

  test('can contain anything', () => {
    const odd = parseState('?steps=99&by=nonsense&toward=left&idle=maybe&from=a&at=soon&focus=')
    expect(odd).toEqual({ ...EVERYTHING, steps: 3, badAt: 'soon' })
    expect(parseState('?at=99999999999999999999').badAt).toBe('99999999999999999999')
    expect(parseState('?at=2026-11-22T12:00').badAt).toBe('2026-11-22T12:00')
    expect(parseState('?at=03/04/2026').badAt).toBe('03/04/2026')
    expect(parseState('?at=1795348800000').at).toBe(1_795_348_800_000)
  })
})

function graphOf(services: DrawnService[], calls: Call[]): DrawnGraph {
  return { services, calls }
}

function service(id: string, more: Partial<DrawnService> = {}): DrawnService {
  return {
    id,
    name: id,
    kind: 'service',
    color: 'white',
    reportedAt: '2026-01-01T00:00:00Z',
    node: id,
    ...more,
  }
}

function call(from: string, to: string, recent?: Call['recent']): Call {
  return { from, to, count: 0, errors: 0, ...(recent && { recent }) }
}
