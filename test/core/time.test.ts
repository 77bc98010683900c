import { expect, test } from 'bun:test'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time.ts'

test('units of time are those of the calendar', () => {
  const at = (text: string) => Date.parse(`2024-03-01T${text}Z`)
  expect(SECOND_MS).toBe(at('00:00:01') - at('00:00:00'))
  expect(MINUTE_MS).toBe(at('00:01:00') - at('00:00:00'))
  expect(HOUR_MS).toBe(at('01:00:00') - at('00:00:00'))
  expect(DAY_MS).toBe(Date.parse('2024-03-02') - Date.parse('2024-03-01'))
})
