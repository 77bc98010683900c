import { expect, test } from 'bun:test'
import { GAP_REASON, gapSentence, skipSentence } from '../../src/core/sets/gap-reasons.ts'

const MINUTES = { from: '2026-11-30T09:23:05.123Z', to: '2026-11-30T09:25:10.000Z' }
const SECONDS = { from: '2026-11-30T09:23:05.123Z', to: '2026-11-30T09:23:08.000Z' }
const DAYS = { from: '2026-11-29T23:50:00.000Z', to: '2026-11-30T00:10:00.000Z' }

test.each([
  [
    { reason: 'resume_unproven', ...MINUTES },
    "Events may be missing from 09:23 to 09:25 UTC: the connection broke, and the upstream didn't show that it sent all of them.",
  ],
  [
    { reason: 'no_last_event_id', ...SECONDS },
    'Events may be missing from 09:23:05 to 09:23:08 UTC: the connection broke, and there was no event ID to resume from.',
  ],
  [{ reason: 'not_polled', ...DAYS }, 'Not polled from 2026-11-29 23:50 to 2026-11-30 00:10 UTC.'],
  [
    { reason: 'missing_ids', ...SECONDS, firstId: '21', lastId: '1020', count: 1_000 },
    '1,000 events are missing: IDs 21 to 1020.',
  ],
  [
    { reason: 'missing_ids', ...SECONDS, firstId: '21', lastId: '21', count: 1 },
    '1 event is missing: ID 21.',
  ],
  [
    { reason: 'buffer_full', ...MINUTES, count: 1_234 },
    "Dropped 1,234 entries from 09:23 to 09:25 UTC, because the database couldn't keep up.",
  ],
  [{ reason: 'not_storable', count: 1, kind: 'snapshot' }, 'The database rejected 1 entry (snapshot).'],
  [{ reason: 'not_polled', from: 'never', to: 7 }, 'Not polled.'],
])('%j in words', (data, expected) => {
  expect(gapSentence(data)).toBe(expected)
})

test.each([undefined, null, 'text', {}, { reason: 'unheard_of' }, { reason: 'toString' }])(
  '%j isn’t the data of a gap',
  (data) => {
    expect(gapSentence(data)).toBeUndefined()
    expect(skipSentence(data)).toBeUndefined()
  },
)

test('every reason has a sentence, whatever its data', () => {
  for (const reason of Object.keys(GAP_REASON)) expect(gapSentence({ reason })).toMatch(/^[A-Z].*\.$/)
})

test.each([
  [{ reason: 'unknown_id', from: '77', to: 12 }, "Entry 77 isn't in the log. Continuing after entry 12."],
  [
    { reason: 'too_many', from: 5, to: 900 },
    'Skipped entries 5 to 900: too many were missed to send them all.',
  ],
  [{ reason: 'not_kept', from: 5, to: 9 }, 'Entries 5 to 9 are no longer stored.'],
  [{ reason: 'not_kept', from: 5, to: 5 }, 'Entry 5 is no longer stored.'],
])('%j for a subscriber, in words', (data, expected) => {
  expect(skipSentence(data)).toBe(expected)
})
