import { expect, test } from 'bun:test'
import { FaultHolder, readFaults } from '../../src/sim/faults/faults.ts'

const EVERYTHING = {
  latencyMs: { p50: 20, p90: 80, p99: 400 },
  errorRate: 0.5,
  errorCodes: { '500': 3, '503': 1 },
  rateLimit: { perSecond: 10, burst: 20, retryAfterSeconds: 1 },
  payloadBytes: 2_048,
  reset: true,
  sse: {
    stall: true,
    halfOpen: true,
    duplicate: 0.1,
    reorder: 0.2,
    drop: 0.3,
    truncate: 1,
    bufferMs: 500,
    slowDripBytesPerSecond: 10,
    status: 429,
    retryAfterSeconds: 3,
    json: true,
  },
}

const fieldsOf = (value: unknown) => {
  const read = readFaults(value)
  return 'problems' in read ? read.problems.map(({ field }) => field) : []
}

test('every fault of the contract is taken, and none at all', () => {
  expect(readFaults(EVERYTHING)).toEqual({ faults: EVERYTHING })
  expect(readFaults({})).toEqual({ faults: {} })
})

test.each<[unknown, string]>([
  [null, ''],
  [[], ''],
  [{ latency: 1 }, 'latency'],
  [{ latencyMs: { p50: 1 } }, 'latencyMs.p90'],
  [{ latencyMs: { p50: 1, p90: 2, p99: 600_001 } }, 'latencyMs.p99'],
  [{ latencyMs: { p50: 3, p90: 2, p99: 4 } }, 'latencyMs'],
  [{ latencyMs: { p50: 1, p90: 5, p99: 4 } }, 'latencyMs'],
  [{ errorRate: 1.1 }, 'errorRate'],
  [{ errorRate: '1' }, 'errorRate'],
  [{ errorRate: Number.NaN }, 'errorRate'],
  [{ errorCodes: {} }, 'errorCodes'],
  [{ errorCodes: { '200': 1 } }, 'errorCodes.200'],
  [{ errorCodes: { '500': 0 } }, 'errorCodes.500'],
  [{ rateLimit: {} }, 'rateLimit.perSecond'],
  [{ rateLimit: { perSecond: 0 } }, 'rateLimit.perSecond'],
  [{ payloadBytes: 10_485_761 }, 'payloadBytes'],
  [{ payloadBytes: 1.5 }, 'payloadBytes'],
  [{ sse: { drop: -0.1 } }, 'sse.drop'],
  [{ sse: { bufferMs: 0 } }, 'sse.bufferMs'],
  [{ sse: { slowDripBytesPerSecond: 0 } }, 'sse.slowDripBytesPerSecond'],
  [{ sse: { status: 200 } }, 'sse.status'],
  [{ sse: { status: 600 } }, 'sse.status'],
  [{ sse: { jitter: 1 } }, 'sse.jitter'],
])('%j is refused by the path of its field', (value, field) => {
  expect(fieldsOf(value)).toContain(field)
})

test('all that is wrong is told at once, each in a sentence that names its field', () => {
  const read = readFaults({ errorRate: 2, reset: 'yes', sse: { drop: 2, colour: 1 } })
  const problems = 'problems' in read ? read.problems : []
  expect(problems.map(({ field }) => field).sort()).toEqual(['errorRate', 'reset', 'sse.colour', 'sse.drop'])
  for (const { field, detail } of problems) expect(detail).toContain(field)
})

test('what is told of one input has a bound', () => {
  expect(fieldsOf(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, n])))).toHaveLength(20)
})

test('a holder tells its listeners of every change, until they stop listening', () => {
  const holder = new FaultHolder({ errorRate: 0.1 })
  const seen: unknown[] = []
  const stop = holder.onChange(() => seen.push(holder.current))
  holder.set({ reset: true })
  holder.clear()
  stop()
  holder.set({})
  expect(seen).toEqual([{ reset: true }, { errorRate: 0.1 }])
  expect(holder.current).toEqual({})
})
