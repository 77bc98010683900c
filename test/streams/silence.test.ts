import { expect, test } from 'bun:test'
import type { Evidence } from '../../src/core/judging/status.ts'
import { allowedSilence, learnRhythm } from '../../src/streams/ingest/connection/silence.ts'

const DEFAULT_MS = 45_000
const MINUTE_MS = 60_000

/** What an event stream shows that sent a chunk at each of these instants. */
function watched(instants: readonly number[]): Evidence {
  const evidence: Evidence = { phase: 'open', phaseSince: 0, failures: 0 }
  for (const at of instants) {
    learnRhythm(evidence, at)
    evidence.lastByteAt = at
  }
  return evidence
}

const every = (ms: number, forMs: number) => Array.from({ length: forMs / ms + 1 }, (_, index) => index * ms)

test.each<[string, Evidence, number | null, number, number]>([
  ['nothing is known: the default', watched([]), null, 0, DEFAULT_MS],
  ['a burst is no rhythm: the default', watched(every(10, 1_000)), null, 1_000, DEFAULT_MS],
  ['a beat of 15 s for five minutes: four of them', watched(every(15_000, 300_000)), null, 300_000, 60_000],
  ['ten a second for five minutes: the least', watched(every(100, 300_000)), null, 300_000, 5_000],
  ['what the owner set goes before all', watched(every(100, 300_000)), 20_000, 300_000, 20_000],
  ['silent before: twice as long', { ...watched([]), silences: 1 }, null, 0, 2 * DEFAULT_MS],
  ['silent again and again: ten minutes at most', { ...watched([]), silences: 99 }, null, 0, 10 * MINUTE_MS],
])('%s', (_what, evidence, set, now, expected) => {
  expect(allowedSilence(evidence, set, DEFAULT_MS, now)).toBeCloseTo(expected, -1)
})

test('a long wait is remembered for a day, however much arrives in between', () => {
  const night = [0, 4 * MINUTE_MS]
  const day = every(1_000, 3_600_000).map((at) => at + 4 * MINUTE_MS)
  const evidence = watched([...night, ...day])
  const after = allowedSilence(evidence, null, DEFAULT_MS, 64 * MINUTE_MS)
  expect(after).toBe(10 * MINUTE_MS)
})
