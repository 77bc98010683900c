import { expect, test } from 'bun:test'
import { LOCKS } from '../../src/storage/locks.ts'

test('no two things share an advisory lock', () => {
  const numbers = Object.values(LOCKS)
  expect(new Set(numbers).size).toBe(numbers.length)
})
