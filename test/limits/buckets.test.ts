import { expect, test } from 'bun:test'
import { TokenBuckets } from '../../src/limits/buckets.ts'

test('a bucket allows its capacity at once, then its refill rate', () => {
  let now = 0
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 }, () => now)
  const take = () => buckets.take('a', 1)
  expect([take(), take(), take()].map(({ isAllowed, left }) => [isAllowed, left])).toEqual([
    [true, 2],
    [true, 1],
    [true, 0],
  ])
  expect(take()).toEqual({ isAllowed: false, left: 0, waitMs: 500 })
  now = 250
  expect(take()).toMatchObject({ isAllowed: false, waitMs: 250 })
  now = 500
  expect(take().isAllowed).toBe(true)
  now = 1_000_000
  expect(take().left).toBe(2)
})

test('each client has its own bucket', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, () => 0)
  expect(buckets.take('a', 1).isAllowed).toBe(true)
  expect(buckets.take('a', 1).isAllowed).toBe(false)
  expect(buckets.take('b', 1).isAllowed).toBe(true)
})

test('with too many clients, the least recently active one is forgotten', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, () => 0)
  buckets.take('first', 1)
  buckets.take('second', 1)
  for (let each = 0; each < 9_998; each++) buckets.take(`client ${each}`, 1)
  expect(buckets.size).toBe(10_000)
  expect(buckets.take('first', 1).isAllowed).toBe(false)
  buckets.take('one more', 1)
  expect(buckets.size).toBe(10_000)
  expect(buckets.take('first', 1).isAllowed).toBe(false)
  expect(buckets.take('second', 1).isAllowed).toBe(true)
})
