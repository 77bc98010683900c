import { expect, spyOn, test } from 'bun:test'
import { Growth, keepSmall } from '../src/memory.ts'
import { holdTimers } from './support/timers.ts'

const MIB = 2 ** 20

test('garbage is collected at the start, then after growth by a quarter and 128 MiB', () => {
  const growth = new Growth()
  expect(growth.isDue(100 * MIB, 0)).toBe(false)
  expect(growth.isDue(900 * MIB, 0)).toBe(true)
  growth.collected(200 * MIB, 0)
  const later = 60_000
  expect(growth.isDue(328 * MIB, later)).toBe(false)
  expect(growth.isDue(329 * MIB, later)).toBe(true)
  growth.collected(1_000 * MIB, later)
  expect(growth.isDue(1_250 * MIB, 2 * later)).toBe(false)
  expect(growth.isDue(1_251 * MIB, 2 * later)).toBe(true)
})

test('a process that needs its memory is left alone, and one that keeps growing is collected with pauses', () => {
  const growth = new Growth()
  growth.collected(500 * MIB, 0)
  growth.collected(900 * MIB, 1_000)
  expect(growth.isDue(900 * MIB, 3_600_000)).toBe(false)
  expect(growth.isDue(2_000 * MIB, 10_999)).toBe(false)
  expect(growth.isDue(2_000 * MIB, 11_000)).toBe(true)
})

test('once a second the resident memory decides; what a collection left is what counts from then on', () => {
  using timers = holdTimers()
  const resident = spyOn(process.memoryUsage, 'rss').mockReturnValue(8_000 * MIB)
  const clock = spyOn(performance, 'now').mockReturnValue(60_000)
  const collect = spyOn(Bun, 'gc').mockImplementation(() => {})
  keepSmall()
  const [look] = timers.set()
  expect(look?.ms).toBe(1_000)
  look?.fire()
  expect(collect.mock.calls).toEqual([[true]])
  clock.mockReturnValue(3_600_000)
  look?.fire()
  expect(collect).toHaveBeenCalledTimes(1)
  resident.mockReturnValue(10_001 * MIB)
  look?.fire()
  expect(collect).toHaveBeenCalledTimes(2)
  for (const spy of [resident, clock, collect]) spy.mockRestore()
})
