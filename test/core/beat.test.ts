import { expect, test } from 'bun:test'
import { nextBeat } from '../../src/core/judging/beat.ts'

test.each([
  ['right at the anchor, the next is an interval away', 1_000, 1_000, 1_500],
  ['a quick answer leaves the beat where it is', 1_000, 1_007, 1_500],
  ['on a beat, the next one follows', 1_000, 1_500, 2_000],
  ['an answer that takes two and a half intervals skips two beats', 1_000, 2_250, 2_500],
  ['months later the grid is the same', 1_000, 1_000 + 1e10 + 499, 1_000 + 1e10 + 500],
])('%s', (_what, anchor, now, expected) => {
  expect(nextBeat(anchor, 500, now)).toBe(expected)
})
