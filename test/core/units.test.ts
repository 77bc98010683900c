import { expect, test } from 'bun:test'
import { bytes, percent, rate, utcMinute } from '../../src/core/units.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [1_500, '1.5 kB'],
  [12_345, '12.3 kB'],
  [123_456, '123 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [5_600_000_000, '5.6 GB'],
  [2e15, '2000 TB'],
])('%d bytes are %p', (count, text) => expect(bytes(count)).toBe(text))

test.each([
  [0, '0'],
  [0.26, '0.3'],
  [9.94, '9.9'],
  [10.4, '10'],
  [1_234.5, '1,235'],
])('a rate of %d is %p', (value, text) => expect(rate(value)).toBe(text))

test.each([
  [null, '–'],
  [0, '0%'],
  [0.004, '0.4%'],
  [0.0999, '10.0%'],
  [0.1, '10%'],
  [0.945, '95%'],
  [1, '100%'],
] as const)('a share of %p is %p', (share, text) => expect(percent(share)).toBe(text))

test('an instant to the minute is in UTC, whatever the zone', () =>
  expect(utcMinute(new Date('2026-01-31T23:59:59.999-02:00'))).toBe('2026-02-01 01:59'))
