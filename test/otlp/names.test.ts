import { expect, test } from 'bun:test'
import { nodeId } from '../../src/core/graph.ts'
import { fitName } from '../../src/otlp/names.ts'
import { requireId } from '../../src/topology/rules.ts'
import { MAX_CALLS, MAX_SERVICES } from '../../src/topology/topology.ts'
import { id, JSON_TYPE, PROTOBUF, requestOf, startReceiver } from './receiver.ts'

const NASTY = [
  'a"]; click a "javascript:alert(1)"',
  '<img src=x onerror=alert(1)>',
  'end',
  '__proto__',
  'two\nlines\u2028and\u0000more',
  `${'x'.repeat(56)}😀😀😀😀`,
  'half of 😀'.slice(0, -1),
  'n'.repeat(100_000),
  'weir:folded',
]

test.each(NASTY)('%j is made to fit', (name) => {
  const fitting = fitName(name)
  expect(() => requireId(fitting ?? '', 'name')).not.toThrow()
  expect(fitting).toContain(name.slice(0, 3))
})

test.each(['', '  ', '\n\u0000'])('nothing is left of %j', (name) => {
  expect(fitName(name)).toBeUndefined()
})

test('two long names with the same beginning stay distinct', () => {
  const names = ['a', 'b'].map((end) => fitName(`${'x'.repeat(80)}${end}`))
  expect(names[0]).not.toBe(names[1])
})

test.each([PROTOBUF, JSON_TYPE])('a service may have any name, in %s', async (type) => {
  await using receiver = startReceiver()
  // What no UTF-8 can hold doesn't come this far, and of what is very long only the start.
  const names = NASTY.filter((name) => name.isWellFormed() && name.length < 1000)
  const spans = [...names, ''].map((service, at) => ({ service, spanId: id(at) }))
  const response = await receiver.post(requestOf(spans, type), { 'Content-Type': type })
  expect(response.status).toBe(200)
  expect(receiver.nodes()).toEqual([...names.map((name) => fitName(name) ?? ''), 'unknown_service'])
  expect(new Set(receiver.nodes().map(nodeId)).size).toBe(names.length + 1)
  const { diagram } = (await (await fetch(`${receiver.url}/diagram`)).json()) as { diagram: string }
  expect(diagram).not.toMatch(/<img|click a|javascript:/)
  expect(receiver.warnings).toEqual([])
})

test('ten thousand services are accepted, and the graph stays within its limits', async () => {
  await using receiver = startReceiver()
  const spans = Array.from({ length: 10_000 }, (_, at) => ({
    service: `broken ${at}`,
    kind: 'client' as const,
    spanId: id(at),
    attributes: { 'server.address': `host ${at}` },
  }))
  await receiver.send(...spans.slice(0, 5000))
  await receiver.send(...spans.slice(5000))
  await receiver.settle()
  const { services, calls } = receiver.topology.graph()
  expect(services.length).toBeWithin(400, MAX_SERVICES + 2)
  expect(calls.length).toBeLessThanOrEqual(MAX_CALLS + 1)
  expect(services.filter(({ kind }) => kind === 'rest')).toHaveLength(1)
  expect(receiver.warnings).toEqual([])
})
