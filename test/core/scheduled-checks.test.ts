import { describe, expect, test } from 'bun:test'
import { availabilityText } from '../../src/core/availability.ts'
import {
  type AttemptEnd,
  type CheckCounts,
  ScheduledChecks,
} from '../../src/core/judging/scheduled-checks.ts'
import { MAX_SPELLS, type Spell, withSpell } from '../../src/core/judging/spell.ts'
import { DAY_MS } from '../../src/core/time.ts'

const INTERVAL_MS = 1_000

/** An attempt: when it was due, began and ended, in milliseconds since the first beat. */
interface Attempt {
  dueAt: number
  at?: number
  sentAt?: number
  endedAt?: number
  end?: AttemptEnd
}

function decided(
  attempts: readonly Attempt[],
  more: { decidedAt?: number; isSilenced?: (at: number) => boolean } = {},
): CheckCounts[] {
  const { decidedAt, isSilenced = () => false } = more
  const checks = new ScheduledChecks({ anchorMs: 0, intervalMs: INTERVAL_MS, decidedAt, isSilenced })
  return attempts.map(({ dueAt, at = dueAt, sentAt = at, endedAt = sentAt, end = 'answered' }) => {
    checks.begin(at, dueAt)
    checks.sent(sentAt)
    const counts = end === 'answered' ? checks.answered() : checks.failed(endedAt)
    checks.end(endedAt, end)
    return counts
  })
}

describe('a check', () => {
  test.each<[string, Attempt[], CheckCounts[]]>([
    [
      'is answered or not',
      [{ dueAt: 0 }, { dueAt: 1_000, end: 'failed' }],
      [
        [1, 0],
        [0, 1],
      ],
    ],
    [
      'is decided by the first attempt: retries within its interval don’t count',
      [
        { dueAt: 0, end: 'failed' },
        { dueAt: 400, end: 'failed' },
        { dueAt: 900, end: 'failed' },
        { dueAt: 1_000, end: 'failed' },
        { dueAt: 1_500 },
      ],
      [
        [0, 1],
        [0, 0],
        [0, 0],
        [0, 1],
        [0, 0],
      ],
    ],
    [
      'is not all that counts if the API answers again within the interval: each attempt does',
      [{ dueAt: 0, end: 'failed' }, { dueAt: 400, end: 'failed' }, { dueAt: 900 }, { dueAt: 1_000 }],
      [
        [0, 1],
        [0, 0],
        [1, 1],
        [1, 0],
      ],
    ],
    [
      'is unanswered if it passed between two failures',
      [{ dueAt: 0, end: 'failed' }, { dueAt: 4_500, end: 'failed' }, { dueAt: 4_900 }, { dueAt: 5_000 }],
      [
        [0, 1],
        [0, 4],
        [0, 0],
        [1, 0],
      ],
    ],
    [
      'is unanswered if it passed between a failure and an answer',
      [{ dueAt: 0, end: 'failed' }, { dueAt: 4_500 }],
      [
        [0, 1],
        [1, 3],
      ],
    ],
    [
      'is unanswered if the API asked to wait',
      [{ dueAt: 0, end: 'asked' }, { dueAt: 4_500 }],
      [
        [0, 1],
        [1, 3],
      ],
    ],
    [
      'is unknown if a slow answer outlasted it',
      [{ dueAt: 0, endedAt: 2_700 }, { dueAt: 3_000 }],
      [
        [1, 0],
        [1, 0],
      ],
    ],
    [
      'is unanswered if it passed during a request that failed, but not while that waited for its host',
      [{ dueAt: 0, sentAt: 2_500, endedAt: 4_700, end: 'failed' }, { dueAt: 4_900 }, { dueAt: 5_000 }],
      [
        [0, 3],
        [0, 0],
        [1, 0],
      ],
    ],
    [
      'is unknown if the process slept',
      [{ dueAt: 0 }, { dueAt: 1_000, at: 9_000 }, { dueAt: 10_000 }],
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
    ],
    [
      'is unknown if the process slept after a failure, once the retry was due',
      [
        { dueAt: 0, end: 'failed' },
        { dueAt: 2_500, at: 9_000, end: 'failed' },
      ],
      [
        [0, 1],
        [0, 2],
      ],
    ],
    [
      'counts once if the clock is set back',
      [{ dueAt: 5_000 }, { dueAt: 3_000 }, { dueAt: 6_000 }],
      [
        [1, 0],
        [0, 0],
        [1, 0],
      ],
    ],
  ])('%s', (_what, attempts, counts) => {
    expect(decided(attempts)).toEqual(counts)
  })

  test.each([1_000, 60_000, DAY_MS])(
    'each third request fails: two thirds, polled every %i ms',
    (intervalMs) => {
      const checks = new ScheduledChecks({
        anchorMs: 0,
        intervalMs,
        decidedAt: undefined,
        isSilenced: () => false,
      })
      const sums = [0, 0]
      let requests = 0
      for (let at = 0, beat = 0; requests < 3_000; ) {
        checks.begin(at, at)
        checks.sent(at)
        const end = ++requests % 3 === 0 ? 'failed' : 'answered'
        for (const [index, count] of (end === 'failed' ? checks.failed(at) : checks.answered()).entries())
          sums[index] = (sums[index] ?? 0) + count
        checks.end(at, end)
        at = end === 'failed' ? at + 500 : ++beat * intervalMs
      }
      expect(sums).toEqual([2_000, 1_000])
    },
  )

  test('counts neither way while notifications are silenced', () => {
    const isSilenced = (at: number) => at >= 2_000 && at < 6_000
    const attempts: Attempt[] = [
      { dueAt: 0 },
      { dueAt: 1_000, end: 'failed' },
      { dueAt: 8_500, end: 'failed' },
      { dueAt: 9_000 },
    ]
    // Of the beats 2 to 7, those of 6 s and 7 s weren't.
    expect(decided(attempts, { isSilenced })).toEqual([
      [1, 0],
      [0, 1],
      [0, 3],
      [1, 0],
    ])
  })

  test('that the run before decided isn’t decided again', () => {
    const attempts: Attempt[] = [{ dueAt: 0, end: 'failed' }, { dueAt: 1_000 }]
    expect(decided(attempts, { decidedAt: -400 })).toEqual([
      [0, 0],
      [1, 0],
    ])
    expect(decided(attempts, { decidedAt: -1_000 })).toEqual([
      [0, 1],
      [1, 0],
    ])
    expect(decided(attempts, { decidedAt: 900 })).toEqual([
      [0, 1],
      [1, 0],
    ])
  })
})

test.each([
  [null, '–'],
  [1, '100%'],
  [0.999_999, '99.99%'],
  [0.9999, '99.99%'],
  [0.999_5, '99.95%'],
  [0.666_667, '66.66%'],
  [0.000_001, '0.01%'],
  [0, '0%'],
])('an availability of %p is shown as %s', (share, text) => {
  expect(availabilityText(share)).toBe(text)
})

test('of too many spells, the shortest is dropped', () => {
  const spell = (from: number, lastedMs: number): Spell => {
    return { from, to: from + lastedMs, state: 'up', isSilenced: false }
  }
  let spells: Spell[] = []
  for (let index = 0; index < MAX_SPELLS; index++) spells = withSpell(spells, spell(index * 100, 50))
  spells = withSpell(spells, spell(100_000, 10))
  expect(spells.length).toBe(MAX_SPELLS)
  expect(spells.some(({ from }) => from === 100_000)).toBe(false)
  spells = withSpell(spells, spell(200_000, 90))
  expect(spells.length).toBe(MAX_SPELLS)
  expect(spells.at(-1)?.from).toBe(200_000)
})
