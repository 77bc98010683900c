import { expect, test } from 'bun:test'
import {
  DEAD_AFTER_MS,
  type Evidence,
  type Expectation,
  HELD_WITHIN_MS,
  judge,
  QUIET_AFTER_MS,
  span,
} from '../../src/core/judging/status.ts'
import { STATUSES, type Status } from '../../src/core/sets/statuses.ts'

const NOW = Date.UTC(2030, 0, 1)
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** An event stream that is open and had an event and a byte five seconds ago. */
const EVIDENCE: Evidence = {
  phase: 'open',
  phaseSince: NOW - DAY_MS,
  lastByteAt: NOW - 5_000,
  lastEventAt: NOW - 5_000,
  failures: 0,
}
const SSE: Expectation = {
  kind: 'sse',
  desired: 'running',
  heldAt: NOW,
  intervalMs: 60_000,
  timeoutMs: 30_000,
  silenceMs: 45_000,
}
const POLL: Expectation = { ...SSE, kind: 'poll' }
/** Two intervals and the time that an answer may take. */
const LATE_MS = 150_000
const failing = (ms: number): Partial<Evidence> => ({ failures: 3, failingSince: NOW - ms })
const error = { code: 'timeout', message: 'No answer.', at: NOW }

type Case = [what: string, Partial<Evidence>, Expectation, Status, reason: string]

const CASES: Case[] = [
  ['an event stream with a recent event', {}, SSE, 'live', 'Last event 5 s ago.'],
  ['one that was stopped', {}, { ...SSE, desired: 'stopped' }, 'stopped', 'Stopped on request.'],
  [
    'one that was stopped while failing',
    failing(DAY_MS),
    { ...SSE, desired: 'stopped' },
    'stopped',
    'Stopped on request.',
  ],
  ['one that nobody holds', {}, { ...SSE, heldAt: undefined }, 'stalled', 'Waiting for a worker.'],
  [
    'one that nobody holds while failing',
    failing(DAY_MS),
    { ...SSE, heldAt: undefined },
    'stalled',
    'Waiting for a worker.',
  ],
  [
    'one whose worker was heard just in time',
    {},
    { ...SSE, heldAt: NOW - HELD_WITHIN_MS },
    'live',
    'Last event 5 s ago.',
  ],
  [
    'one whose worker fell silent',
    {},
    { ...SSE, heldAt: NOW - HELD_WITHIN_MS - 1 },
    'stalled',
    'Its worker sent its last heartbeat 20 s ago.',
  ],

  ['a first failure', { failures: 1, failingSince: NOW }, SSE, 'backing-off', 'Failed once in under 1 s.'],
  [
    'failures short of ten minutes',
    { ...failing(DEAD_AFTER_MS - 1), lastError: error },
    SSE,
    'backing-off',
    'Failed 3 times in 9 min. Last error: No answer.',
  ],
  [
    'a failure with an answer',
    { ...failing(1_000), lastError: { ...error, body: '{"error":"no key"}' } },
    SSE,
    'backing-off',
    'Failed 3 times in 1 s. Last error: No answer: {"error":"no key"}',
  ],
  ['failures for ten minutes', failing(DEAD_AFTER_MS), SSE, 'dead', 'Failed 3 times in 10 min.'],
  ['polls that fail for days', failing(3 * DAY_MS), POLL, 'dead', 'Failed 3 times in 3 days.'],
  ['an error that is over', { lastError: error }, SSE, 'live', 'Last event 5 s ago.'],

  ['a stream that connects', { phase: 'connecting' }, SSE, 'quiet', 'Connecting.'],
  [
    'an upstream that said when to come back',
    { phase: 'waiting', nextRetryAt: NOW + 4_000, ended: { at: NOW, by: 'request' } },
    SSE,
    'live',
    'Reconnects in 4 s, as the upstream asked.',
  ],
  [
    'an upstream that closed the connection, long after the last event',
    {
      phase: 'waiting',
      nextRetryAt: NOW + 4_000,
      ended: { at: NOW, by: 'upstream' },
      lastEventAt: NOW - DAY_MS,
    },
    SSE,
    'quiet',
    'The upstream closed the connection; reconnects in 4 s.',
  ],
  [
    'a connection that was closed because it was silent',
    { phase: 'waiting', nextRetryAt: NOW + 4_000, ended: { at: NOW, by: 'silence' } },
    SSE,
    'live',
    'The upstream was silent; reconnects in 4 s.',
  ],
  ['the end of such a wait', { phase: 'waiting', nextRetryAt: NOW }, SSE, 'live', 'Reconnecting.'],
  ['a stream that never had an event', { lastEventAt: undefined }, SSE, 'quiet', 'Connected; no events yet.'],
  [
    'an event just recent enough',
    { lastEventAt: NOW - QUIET_AFTER_MS },
    SSE,
    'live',
    'Last event 5 min ago.',
  ],
  [
    'an event no longer recent',
    { lastEventAt: NOW - QUIET_AFTER_MS - 1 },
    SSE,
    'quiet',
    'Connected; last event 5 min ago.',
  ],
  [
    'heartbeats without an event for a month',
    { lastHeartbeatAt: NOW - 5_000, lastEventAt: NOW - 30 * DAY_MS },
    SSE,
    'quiet',
    'Connected; last event 30 days ago.',
  ],
  ['a byte just in time', { lastByteAt: NOW - 45_000 }, SSE, 'live', 'Last event 5 s ago.'],
  ['no byte in time', { lastByteAt: NOW - 45_001 }, SSE, 'stalled', 'Connected, but no data for 45 s.'],
  [
    'a fresh connection, long after the last byte',
    { phaseSince: NOW - 1_000, lastByteAt: NOW - DAY_MS, lastEventAt: NOW - DAY_MS },
    SSE,
    'quiet',
    'Connected; last event 24 h ago.',
  ],
  [
    'a connection that never brought a byte',
    { phaseSince: NOW - 60_000, lastByteAt: undefined, lastEventAt: undefined },
    SSE,
    'stalled',
    'Connected, but no data for 1 min.',
  ],

  ['a first poll', { phaseSince: NOW, lastPollAt: undefined }, POLL, 'quiet', 'First poll in progress.'],
  [
    'a first poll without an answer',
    { phaseSince: NOW - LATE_MS - 1 },
    POLL,
    'stalled',
    'No successful poll for 2 min.',
  ],
  ['a poll just in time', { lastPollAt: NOW - LATE_MS }, POLL, 'live', 'Last poll 2 min ago.'],
  ['no poll in time', { lastPollAt: NOW - LATE_MS - 1 }, POLL, 'stalled', 'No successful poll for 2 min.'],
  [
    'documents that never change',
    { lastPollAt: NOW - 1_000, lastEventAt: NOW - 30 * DAY_MS, lastByteAt: NOW - 1_000 },
    POLL,
    'live',
    'Last poll 1 s ago.',
  ],
  [
    'polls of a host that asked another stream to wait',
    { lastPollAt: NOW - HOUR_MS, phaseSince: NOW - HOUR_MS, nextRetryAt: NOW + 90_000 },
    POLL,
    'quiet',
    'Paused for 1 min: the host asked for it with Retry-After.',
  ],
  [
    'polls that are late although such a pause is over',
    { lastPollAt: NOW - HOUR_MS, phaseSince: NOW - HOUR_MS, nextRetryAt: NOW - LATE_MS - 1 },
    POLL,
    'stalled',
    'No successful poll for 2 min.',
  ],
]

test.each(CASES)('%s', (_what, evidence, expected, status, reason) => {
  expect(judge({ ...EVIDENCE, ...evidence }, expected, NOW)).toEqual({ status, reason })
})

test('the table above covers every status', () => {
  expect(new Set(CASES.map(([, , , status]) => status))).toEqual(new Set(STATUSES))
})

test('a quiet stream never becomes dead', () => {
  for (let days = 1; days < 4_000; days *= 2) {
    const evidence = { ...EVIDENCE, lastEventAt: NOW - days * DAY_MS }
    expect(judge(evidence, SSE, NOW).status).toBe('quiet')
  }
})

test.each([
  [-1, 'under 1 s'],
  [0, 'under 1 s'],
  [999, 'under 1 s'],
  [1_000, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [3_600_000, '1 h'],
  [172_799_999, '47 h'],
  [172_800_000, '2 days'],
  [400 * DAY_MS, '400 days'],
])('%p ms are written as %p', (ms, text) => {
  expect(span(ms)).toBe(text)
})

test('stored evidence is judged as of its writing, until it is overdue', () => {
  const statusAfter = (sinceByteMs: number, sinceWrittenMs?: number) => {
    const lastByteAt = NOW - sinceByteMs
    const writtenAt = sinceWrittenMs === undefined ? undefined : NOW - sinceWrittenMs
    return judge({ ...EVIDENCE, lastByteAt, writtenAt }, { ...SSE, silenceMs: 5_000 }, NOW).status
  }
  expect(statusAfter(10_000)).toBe('stalled')
  expect(statusAfter(10_000, 10_000)).toBe('live')
  expect(statusAfter(20_000, 16_000)).toBe('live')
  expect(statusAfter(26_000, 22_000)).toBe('stalled')
})
