import { describe, expect, test } from 'bun:test'
import { instantProblem, parseInstant } from '../../src/core/time.ts'

describe('a time', () => {
  test.each([
    ['2026-03-04T10:00:00Z', '2026-03-04T10:00:00.000Z'],
    ['2026-03-04t10:00:00z', '2026-03-04T10:00:00.000Z'],
    ['2026-03-04 10:00Z', '2026-03-04T10:00:00.000Z'],
    ['2026-03-04T10:00:00.123456+01:00', '2026-03-04T09:00:00.123Z'],
    ['2026-03-04T10:00:00,5-0530', '2026-03-04T15:30:00.500Z'],
    ['2026-03-04 10:00 +00:00', '2026-03-04T10:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ])('%s is read as one instant', (text, iso) => {
    expect(parseInstant(text)?.toISOString()).toBe(iso)
  })

  test.each([
    '03/04/2026',
    '04.03.2026',
    '2026-03-04 10:00',
    '2026-03-04T10:00:00',
    '2026-3-4',
    '2026-02-30',
    '2026-03-04T24:01Z',
    '2026-03-04T10:00:00+99:00',
    '2026-03-04T10:00:00 01:00',
    'March 4, 2026',
    'Wed, 04 Mar 2026 10:00:00 GMT',
    '2026',
    '2026-03',
    '1772618400',
    '10:00',
    '',
  ])('%s is refused, because it could be another or is none', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })

  test('that is refused says why, and what to write', () => {
    expect(instantProblem('from', '2026-03-04 10:00')).toMatch(/^from: the time has no zone; expected .*Z/)
    expect(instantProblem('from', '2026-03-04T10:00:00 01:00')).toMatch(/%2B/)
    expect(instantProblem('from', '03/04/2026')).toMatch(
      /^from: expected a time such as 2026-01-31T12:00:00Z/,
    )
  })
})
