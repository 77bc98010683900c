import { expect, test } from 'bun:test'
import { RateLimiter } from '../../src/sim/service/rate-limiter.ts'

test('a service takes its burst, then says in whole seconds when to come back; a pause fills it to the burst', () => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 0.25, burst: 2 }
  const take = (now: number) => limiter.take(limit, now)
  expect([take(0), take(0), take(0), take(2_000)]).toEqual([undefined, undefined, 4, 2])
  expect([take(4_000), take(4_000)]).toEqual([undefined, 4])
  expect([take(1_000_000), take(1_000_000), take(1_000_000)]).toEqual([undefined, undefined, 4])
  expect([limiter.take({ perSecond: 100, burst: 1 }, 0), limiter.take(undefined, 0)]).toEqual([
    undefined,
    undefined,
  ])
  const fast = { perSecond: 100, burst: 1 }
  expect([limiter.take(fast, 0), limiter.take(fast, 0)]).toEqual([undefined, 1])
})
