import { expect, test } from 'bun:test'
import { kindOf } from './faults.ts'
import { ALL, type Planned } from './kind.ts'
import { plan } from './plan.ts'

const options = { seed: 7, setup: 'postgres-redis', durationMs: 120_000, atOnce: 12 } as const

const during = (planned: readonly Planned[], at: number) =>
  planned.filter(({ atMs, forMs }) => atMs <= at && at <= atMs + forMs)

test('the same seed plans the same faults, another one others', () => {
  expect(plan(options)).toEqual(plan(options))
  expect(plan({ ...options, seed: 8 })).not.toEqual(plan(options))
})

test('faults overlap, but no part has two at a time', () => {
  const planned = plan(options)
  const most = planned.map(({ atMs }) => during(planned, atMs))
  expect(Math.max(...most.map(({ length }) => length))).toBeGreaterThanOrEqual(5)
  for (const together of most) {
    const parts = together.flatMap((fault) => kindOf(fault).parts(fault.target))
    expect(new Set(parts).size).toBe(parts.length)
  }
})

test.each([1, 4])('at most %i faults are in progress together', (atOnce) => {
  const planned = plan({ ...options, atOnce })
  for (const { atMs } of planned) expect(during(planned, atMs).length).toBeLessThanOrEqual(atOnce)
})

test.each(ALL)('only faults that a setup can have are planned, and only such as end in time: %s', (setup) => {
  const durationMs = 30_000
  for (const fault of plan({ ...options, setup, durationMs })) {
    expect(kindOf(fault).setups).toContain(setup)
    expect(kindOf(fault).forMs[0]).toBeLessThanOrEqual(durationMs - fault.atMs)
  }
})
