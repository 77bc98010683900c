import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  BACKOFF_BASE_MS,
  BACKOFF_CAP_MS,
  backoffMs,
  RETRY_AFTER_CAP_MS,
  retryAfterMs,
  retryCapMs,
} from '../../src/core/judging/backoff.ts'
import { Properties } from './property.ts'

const properties = new Properties('core/backoff')
const NOW = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each([
  [1, 1_000],
  [2, 2_000],
  [3, 4_000],
  [6, 32_000],
  [7, 60_000],
  [8, 60_000],
  [31, 60_000],
  [5_000, 60_000],
  [Number.MAX_SAFE_INTEGER, 60_000],
])('after %p failures the wait is at most %p ms', (failures, longestMs) => {
  expect(backoffMs(failures, () => 0)).toBe(0)
  expect(backoffMs(failures, () => 0.5)).toBe(longestMs / 2)
  expect(backoffMs(failures, () => 0.999)).toBe(Math.round(longestMs * 0.999))
})

test.each([
  [500, 60_000],
  [720_000, 60_000],
  [3_600_000, 300_000],
  [86_400_000, 7_200_000],
])('polls every %p ms that fail are retried after %p ms at most', (intervalMs, capMs) => {
  expect(retryCapMs(intervalMs)).toBe(capMs)
  expect(backoffMs(100, () => 1, retryCapMs(intervalMs))).toBe(capMs)
})

test('no wait is negative, above the cap or a fraction', () => {
  const inputs = fc.record({
    failures: fc.integer({ min: 1, max: 100 }),
    share: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  })
  properties.check(inputs, ({ failures, share }) => {
    const waitMs = backoffMs(failures, () => share)
    expect(waitMs).toBeWithin(0, Math.min(BACKOFF_BASE_MS * 2 ** (failures - 1), BACKOFF_CAP_MS) + 1)
    expect(Number.isInteger(waitMs)).toBe(true)
  })
})

test.each<[string | null, number | undefined]>([
  [null, undefined],
  ['0', 0],
  ['1', 1_000],
  ['120', 120_000],
  [' 120 ', 120_000],
  ['007', 7_000],
  ['3600', RETRY_AFTER_CAP_MS],
  ['3601', RETRY_AFTER_CAP_MS],
  ['9'.repeat(400), RETRY_AFTER_CAP_MS],
  ['Sun, 06 Nov 1994 08:49:47 GMT', 10_000],
  ['Sunday, 06-Nov-94 08:49:47 GMT', 10_000],
  ['Sun Nov  6 08:49:47 1994', 10_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
  ['Sun, 06 Nov 1994 08:49:36 GMT', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['Mon, 06 Nov 2034 08:49:37 GMT', RETRY_AFTER_CAP_MS],
  ['', undefined],
  ['soon', undefined],
  ['-5', undefined],
  ['+5', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['5 seconds', undefined],
  ['120, 120', undefined],
  ['5,5', undefined],
  ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
])('Retry-After %p is read as %p ms', (header, waitMs) => {
  expect(retryAfterMs(header, NOW)).toBe(waitMs)
})

test('dates are UTC in every time zone', () => {
  const zone = process.env.TZ
  process.env.TZ = 'America/New_York'
  try {
    expect(new Date(NOW).getHours()).toBe(3)
    expect(retryAfterMs('Sun Nov  6 08:49:47 1994', NOW)).toBe(10_000)
    expect(retryAfterMs('Sun, 06 Nov 1994 08:49:47 GMT', NOW)).toBe(10_000)
  } finally {
    process.env.TZ = zone ?? 'Etc/UTC'
  }
})
