import { describe, expect, test } from 'bun:test'
import { type Checks, withCheck } from '../../src/core/judging/checks.ts'
import {
  DEAD_AFTER_FAILURES,
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
const PUSH: Expectation = { ...SSE, kind: 'push', heldAt: undefined }
/** Two intervals and the time that an answer may take. */
const LATE_MS = 150_000
const failing = (ms: number, failures = 3): Partial<Evidence> => ({
  phase: 'waiting',
  failures,
  failingSince: NOW - ms,
})
/** One check a second until now: `.` passed, `x` failed. */
const checked = (outcomes: string, endedAt = NOW): Partial<Evidence> => {
  const checks = [...outcomes].reduce<Checks>((known, outcome, index) => {
    const what = outcome === '.' ? 'passed' : outcomes[index - 1] === 'x' ? 'failed again' : 'failed'
    return withCheck(known, what, endedAt - (outcomes.length - 1 - index) * 1_000)
  }, [])
  return { checks }
}
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

  [
    'a first failure',
    { phase: 'waiting', failures: 1, failingSince: NOW },
    SSE,
    'backing-off',
    'Failed once in under 1 s.',
  ],
  [
    'failures for too short a time',
    { ...failing(DEAD_AFTER_MS - 1), lastError: error },
    SSE,
    'backing-off',
    'Failed 3 times in 59 s. Last error: No answer.',
  ],
  [
    'too few failures, for an hour',
    failing(HOUR_MS, DEAD_AFTER_FAILURES - 1),
    SSE,
    'backing-off',
    'Failed 2 times in 1 h.',
  ],
  ['enough failures for long enough', failing(DEAD_AFTER_MS), SSE, 'dead', 'Failed 3 times in 1 min.'],
  [
    'failures until a connection that has yet to bring anything, short of dead',
    { ...failing(DEAD_AFTER_MS + 9_998), phase: 'open', phaseSince: NOW - 9_999 },
    SSE,
    'backing-off',
    'Failed 3 times in 59 s.',
  ],
  [
    'enough failures until such a connection',
    { ...failing(DEAD_AFTER_MS + 9_999), phase: 'open', phaseSince: NOW - 9_999 },
    SSE,
    'dead',
    'Failed 3 times in 1 min.',
  ],
  [
    'such a connection, once it has lasted',
    { ...failing(HOUR_MS), phase: 'open', phaseSince: NOW - 10_000, lastEventAt: undefined },
    SSE,
    'quiet',
    'Connected; no events yet.',
  ],
  [
    'the same after a silence, until data arrives',
    {
      ...failing(HOUR_MS),
      phase: 'open',
      phaseSince: NOW - 10_000,
      lastError: { ...error, code: 'stalled' },
    },
    SSE,
    'dead',
    'Failed 3 times in 1 h. Last error: No answer.',
  ],
  [
    'two failures, where its owner says that two in a row are enough',
    failing(5_000, 2),
    { ...SSE, deadAfterFailures: 2, deadAfterMs: 5_000 },
    'dead',
    'Failed 2 times in 5 s.',
  ],
  [
    'ten failures, where its owner waits for an hour',
    failing(HOUR_MS - 1, 10),
    { ...SSE, deadAfterMs: HOUR_MS },
    'backing-off',
    'Failed 10 times in 59 min.',
  ],
  [
    'a failure with an answer',
    { ...failing(1_000), lastError: { ...error, body: '{"error":"no key"}' } },
    SSE,
    'backing-off',
    'Failed 3 times in 1 s. Last error: No answer: {"error":"no key"}',
  ],
  ['polls that fail for days', failing(3 * DAY_MS), POLL, 'dead', 'Failed 3 times in 3 days.'],
  ['an error that is over', { lastError: error }, SSE, 'live', 'Last event 5 s ago.'],

  [
    'one failure in three',
    { ...checked('..x..x'), lastPollAt: NOW - 1_000, lastError: { ...error, httpStatus: 500 } },
    POLL,
    'degraded',
    '33% errors (2 of 6 in 1 min), last: 500 at 00:00 UTC.',
  ],
  [
    'one failure in three, with what the API said',
    {
      ...checked('..x..x'),
      lastPollAt: NOW,
      lastError: { ...error, httpStatus: 500, body: '{"error":"locked"}' },
    },
    POLL,
    'degraded',
    '33% errors (2 of 6 in 1 min), last: 500 at 00:00 UTC: {"error":"locked"}',
  ],
  [
    'one failure in three, at the moment of a failure',
    { ...checked('..x..x'), failures: 1, failingSince: NOW, lastError: error },
    POLL,
    'degraded',
    '33% errors (2 of 6 in 1 min), last: timeout at 00:00 UTC.',
  ],
  [
    'one failure in three while the host asks for a pause',
    { ...checked('..x..x'), lastPollAt: NOW, nextRetryAt: NOW + 60_000 },
    POLL,
    'degraded',
    '33% errors (2 of 6 in 1 min).',
  ],
  [
    'one failure in three that then fails for long',
    { ...checked('..x..x'), ...failing(HOUR_MS) },
    POLL,
    'dead',
    'Failed 3 times in 1 h.',
  ],
  [
    'one failure in three, then silence',
    { ...checked('..x..x'), lastByteAt: NOW - 60_000 },
    SSE,
    'stalled',
    'Connected, but no data for 1 min.',
  ],
  [
    'one failure in three of which nothing has been heard for longer than the window',
    { ...checked('..x..x', NOW - 10 * 60_000), lastPollAt: NOW },
    POLL,
    'live',
    'Last poll under 1 s ago.',
  ],
  [
    'failures at the limit',
    { ...checked('.x...x....'), lastPollAt: NOW },
    POLL,
    'live',
    'Last poll under 1 s ago.',
  ],
  ['too few checks', { ...checked('x.x.'), lastPollAt: NOW }, POLL, 'live', 'Last poll under 1 s ago.'],
  [
    'one outage, however many attempts failed during it',
    { ...checked('.xxxxxxx.'), lastPollAt: NOW },
    POLL,
    'live',
    'Last poll under 1 s ago.',
  ],
  [
    'a degraded stream with fewer failures than the limit, but more than half of it',
    { ...checked('.x....x......'), degradedSince: NOW - HOUR_MS, lastPollAt: NOW },
    POLL,
    'degraded',
    '15% errors (2 of 13 in 1 min).',
  ],
  [
    'a degraded stream whose failures have fallen to half of the limit',
    { ...checked('x.........'), degradedSince: NOW - HOUR_MS, lastPollAt: NOW },
    POLL,
    'live',
    'Last poll under 1 s ago.',
  ],

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
    'an event stream of a host that asked another stream to wait',
    { phase: 'connecting', nextRetryAt: NOW + 90_000 },
    SSE,
    'quiet',
    'Paused for 1 min: the host asked for it with Retry-After.',
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
  expect(judge({ ...EVIDENCE, ...evidence }, expected, NOW)).toMatchObject({ status, reason })
})

test('the table above covers every status', () => {
  expect(new Set(CASES.map(([, , , status]) => status))).toEqual(new Set(STATUSES))
})

test.each<[what: string, Partial<Evidence>, Expectation, number | undefined]>([
  ['a failing stream', failing(5_000), POLL, NOW - 5_000],
  ['a dead one', failing(HOUR_MS), POLL, NOW - HOUR_MS],
  ['one whose first failure is in the future, because the clock was set back', failing(-HOUR_MS), POLL, NOW],
  ['a silent one', { lastByteAt: NOW - 50_000 }, SSE, NOW - 50_000],
  ['one whose polls are late', { lastPollAt: NOW - HOUR_MS }, POLL, NOW - HOUR_MS],
  ['a degraded one', { ...checked('..x..x'), lastPollAt: NOW }, POLL, NOW - 3_000],
  [
    'one that was degraded before',
    { ...checked('..x..x'), degradedSince: NOW - HOUR_MS, lastPollAt: NOW },
    POLL,
    NOW - HOUR_MS,
  ],
  ['a live one', {}, SSE, undefined],
])('the trouble of %s began with its first sign', (_what, evidence, expected, since) => {
  expect(judge({ ...EVIDENCE, ...evidence }, expected, NOW).since).toBe(since)
})

test('an API that fails one time in three is degraded without interruption, from the sixth check on', () => {
  for (const interval of [1_000, 10_000, 60_000]) {
    let evidence: Evidence = {
      ...EVIDENCE,
      lastPollAt: undefined,
      lastByteAt: undefined,
      lastEventAt: undefined,
    }
    let at = NOW
    const seen: Status[] = []
    for (let poll = 1; poll <= 200; poll++) {
      at += interval
      const isBad = poll % 3 === 0
      const checks = withCheck(evidence.checks, isBad ? 'failed' : 'passed', at)
      evidence = isBad
        ? { ...evidence, checks, failures: 1, failingSince: at }
        : { ...evidence, checks, failures: 0, failingSince: undefined, lastPollAt: at }
      const { status, degradedSince } = judge(evidence, { ...POLL, heldAt: at, intervalMs: interval }, at)
      evidence = { ...evidence, degradedSince }
      seen.push(status)
    }
    expect([interval, new Set(seen.slice(5))]).toEqual([interval, new Set<Status>(['degraded'])])
    expect(evidence.degradedSince).toBe(NOW + 3 * interval)
    expect(evidence.checks?.length).toBeLessThanOrEqual(60)
  }
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

describe('push', () => {
  const judged = (evidence: Partial<Evidence>, silenceMs = Number.POSITIVE_INFINITY) =>
    judge(
      { phase: 'open', phaseSince: NOW - 3_600_000, failures: 0, ...evidence },
      { ...PUSH, silenceMs },
      NOW,
    )

  test('needs no worker, and no silence is too long unless it is set', () => {
    expect(judged({})).toEqual({ status: 'quiet', reason: 'Waiting for the first delivery.' })
    expect(judged({ lastEventAt: NOW - 5_000 })).toEqual({ status: 'live', reason: 'Last delivery 5 s ago.' })
    expect(judged({ lastEventAt: NOW - 3_000_000 }).status).toBe('quiet')
  })

  test('is stalled without a delivery for as long as was set, since the last one or since it was started', () => {
    expect(judged({ lastEventAt: NOW - 50_000 }, 60_000).status).toBe('live')
    expect(judged({ lastEventAt: NOW - 70_000 }, 60_000)).toEqual({
      status: 'stalled',
      reason: 'No delivery for 1 min; one is expected every 1 min.',
      since: NOW - 10_000,
    })
    expect(judged({}, 60_000).status).toBe('stalled')
    expect(judged({ lastEventAt: NOW - 70_000, phaseSince: NOW - 1_000 }, 60_000).status).toBe('quiet')
  })
})
