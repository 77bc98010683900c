import { expect, test } from 'bun:test'
import { resumesOf, resumesText } from '../../src/core/judging/resumes.ts'

test.each([
  ['nothing is said before the first break', false, {}, undefined],
  ['one break that was shown to leave nothing out', false, { proven: 1 }, 'yes, seen once'],
  ['several', false, { proven: 1_400 }, 'yes, seen 1,400 times'],
  [
    'some of them without proof',
    false,
    { proven: 14, unproven: 2 },
    'yes, seen 14 times; 2 breaks left gaps',
  ],
  ['missing IDs', false, { missed: 1, unproven: 1 }, 'no, 2 breaks left gaps'],
  ['missing IDs after some breaks', false, { missed: 1, proven: 3 }, 'not always, 1 break left a gap'],
  ['no proof either way', false, { unproven: 3 }, 'unknown, 3 breaks left gaps'],
  ['declared, before the first break', true, {}, 'declared by you'],
  [
    'declared, with breaks without proof',
    true,
    { trusted: 2, unproven: 1 },
    'declared by you, trusted 2 times',
  ],
  ['declared, and wrong', true, { trusted: 2, missed: 1 }, 'declared by you, but 1 break left a gap'],
  ['no longer declared', false, { trusted: 2 }, undefined],
] as const)('whether an upstream resumes, in words: %s', (_, isDeclared, counts, expected) => {
  expect(resumesText(isDeclared, resumesOf(counts))).toBe(expected)
})

test('counters stored before there were more of them are read', () => {
  const stored = { proven: 1, missed: 2, unproven: 3 }
  expect(resumesOf(stored)).toEqual({ ...stored, trusted: 0 })
})
