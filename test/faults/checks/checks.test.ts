import { expect, test } from 'bun:test'
import { numberData } from '../../../src/sim/service/numbers.ts'
import type { LoggedEntry } from '../../support/weir.ts'
import { type Behavior, bornAt, CLASSES, type Source } from '../upstream/content.ts'
import { answerLine, readJournal, sentLine } from '../upstream/journal.ts'
import { checkOrder } from './log.ts'
import { NumberCheck } from './numbers.ts'
import { checkPolls } from './polls.ts'
import type { Span } from './spans.ts'

const NAME = 'S'
const SECOND_MS = 1_000

const source = (behavior: Behavior): Source => ({ index: 0, name: NAME, behavior, class: CLASSES[behavior] })
const at = (ms: number) => new Date(ms).toISOString()

/** A log with the entries in this order. */
function log(...entries: Partial<LoggedEntry>[]): LoggedEntry[] {
  return entries.map((entry, index) => ({
    ...{ seq: index + 1, at: at(0), epoch: 1, kind: 'event', wireBytes: 0, bodyBytes: 0 },
    ...entry,
  }))
}
const number = (n: number): Partial<LoggedEntry> => ({ kind: 'event', data: numberData(NAME, n) })
const gap = (data: object): Partial<LoggedEntry> => ({ kind: 'gap', data })

/** What is wrong with a log of a source that made the numbers from 1 to 9, of which it sent the given ones. */
function numberFaults(
  behavior: Behavior,
  entries: readonly LoggedEntry[],
  { sent = [1, 2, 3, 4, 5, 6, 7, 8, 9], jumps = [] }: { sent?: number[]; jumps?: Span[] } = {},
): string[] {
  const of = source(behavior)
  const times = new Map(sent.map((n) => [n, [bornAt(of, 0, n)]]))
  const check = new NumberCheck(of, { startedAt: 0, newest: 9, sent: times, jumps })
  for (const entry of entries) check.entry(entry)
  check.end()
  return check.faults.map((fault) => fault.split(':')[0] as string)
}

/** A gap from right before one number of a source to right after another. */
function around(behavior: Behavior, first: number, last: number, awayMs = 0): Partial<LoggedEntry> {
  const [from, to] = [bornAt(source(behavior), awayMs, first), bornAt(source(behavior), awayMs, last)]
  return gap({ reason: 'resume_unproven', from: at(from), to: at(to) })
}

const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(number)
const without = (...missing: number[]) => all.filter((_, index) => !missing.includes(index + 1))

test('a log with every number once and in order holds', () => {
  expect(numberFaults('lying', log(...all))).toEqual([])
  expect(checkOrder(NAME, log(...all))).toEqual([])
})

test.each<[string, LoggedEntry[], string]>([
  ['missing', log(...without(4, 5)), 'loss'],
  ['missing at the end', log(...without(9)), 'loss'],
  ['stored twice', log(...all, number(9)), 'double'],
  ['out of order', log(number(1), number(3), number(2), ...without(1, 2, 3)), 'loss'],
  ['never made', log(...all, number(10)), 'invented'],
  [
    'altered',
    log({ ...number(1), data: numberData(NAME, 1).replace('tick', 'tock') }, ...without(1)),
    'altered',
  ],
])('a number that is %s is seen', (_, entries, kind) => {
  expect(numberFaults('lying', entries)).toContain(kind)
})

test.each<[string, Partial<LoggedEntry>, string[]]>([
  ['covers them', around('lying', 4, 5), []],
  ['names them', gap({ reason: 'missing_ids', firstId: '4', lastId: '5' }), []],
  ['says that the buffer was full', gap({ reason: 'buffer_full' }), []],
  ['names others', gap({ reason: 'missing_ids', firstId: '5', lastId: '5' }), ['loss']],
  ['begins too late', around('lying', 4, 5, SECOND_MS), ['loss']],
])('numbers are missing, and a gap between %s', (_, told, faults) => {
  expect(numberFaults('lying', log(...all.slice(0, 3), told, ...all.slice(5)))).toEqual(faults)
})

test('a gap elsewhere in the log excuses nothing', () => {
  expect(numberFaults('lying', log(around('lying', 4, 5), ...without(4, 5)))).toEqual(['loss'])
})

test('numbers that nobody was connected to get must lie in a gap, too', () => {
  expect(numberFaults('lying', log(...without(4, 5)), { sent: [1, 2, 3, 6, 7, 8, 9] })).toEqual(['loss'])
})

test('an upstream that resumes loses nothing, whatever a gap says', () => {
  expect(numberFaults('counted', log(...all.slice(0, 3), around('counted', 4, 5), ...all.slice(5)))).toEqual([
    'loss',
  ])
})

test('near a clock that was wrong, the place of a gap counts, not its times', () => {
  const entries = log(...all.slice(0, 3), around('lying', 4, 5, 300_000), ...all.slice(5))
  expect(numberFaults('lying', entries)).toEqual(['loss'])
  expect(numberFaults('lying', entries, { jumps: [[0, SECOND_MS]] })).toEqual([])
  // The break began 300 s after the clock was right again.
  expect(numberFaults('lying', entries, { jumps: [[-300_000, -299_000]] })).toEqual(['loss'])
  expect(numberFaults('lying', log(...without(4, 5)), { jumps: [[0, SECOND_MS]] })).toEqual(['loss'])
})

test('a seq that is missing, and an epoch that decreases, are seen', () => {
  const [first, second, third] = log(...all.slice(0, 3)) as [LoggedEntry, LoggedEntry, LoggedEntry]
  expect(checkOrder(NAME, [first, third])).toHaveLength(1)
  expect(checkOrder(NAME, [first, { ...second, epoch: 0 }])).toHaveLength(1)
})

const answer = (id: string, atMs: number) => ({
  index: 0,
  id,
  status: 200,
  version: 7,
  isWhole: true,
  at: atMs,
})
const poll = (id: string, epoch = 1): Partial<LoggedEntry> => ({
  ...{ kind: 'exchange', epoch },
  response: { status: 200, headers: { 'request-id': id } },
})

/** What is wrong with a log of polls, which were answered in this order every half a minute. */
function pollFaults(ids: readonly string[], entries: readonly LoggedEntry[]): string[] {
  const answers = ids.map((id, index) => answer(id, index * 30 * SECOND_MS))
  const logsReadAt = (ids.length + 1) * 30 * SECOND_MS
  const { faults } = checkPolls(source('polled'), entries, { answers, jumps: [], logsReadAt })
  return faults.map((fault) => fault.split(':')[0] as string)
}

test.each<[string, string[], LoggedEntry[], string[]]>([
  ['in the log', ['a', 'b'], log(poll('a'), poll('b')), []],
  ['never answered', ['a'], log(poll('a'), poll('x')), ['poll invented']],
  ['in the log twice', ['a'], log(poll('a'), poll('a')), ['poll double']],
  ['not in the log', ['a', 'b', 'c'], log(poll('a'), poll('c')), ['poll loss']],
  ['in a gap', ['a', 'b', 'c'], log(poll('a'), gap({ from: at(29_000), to: at(31_000) }), poll('c')), []],
  ['an error', ['a', 'b', 'c'], log(poll('a'), { kind: 'error', at: at(40_000) }, poll('c')), []],
  ['the last of a run', ['a', 'b', 'c'], log(poll('a'), poll('c', 2)), []],
  ['one of three at a run’s end', ['a', 'b', 'c', 'd', 'e'], log(poll('a'), poll('e', 2)), ['poll loss']],
])('a poll that is %s', (_, ids, entries, faults) => {
  expect(pollFaults(ids, entries)).toEqual(faults)
})

test('a poll with another answer than the upstream gave is seen', () => {
  const response = { status: 304, headers: { 'request-id': 'a' } }
  expect(pollFaults(['a'], log({ ...poll('a'), response }))).toEqual(['poll altered'])
})

test('a journal is read as it was written, up to a line that was cut', () => {
  const sent = { index: 3, number: 5, at: 10 }
  const text =
    sentLine(sent) + sentLine({ ...sent, at: 20 }) + answerLine(answer('a', 30)) + sentLine(sent).slice(0, -1)
  const journal = readJournal(text)
  expect(journal.sent.get(3)?.get(5)).toEqual([10, 20])
  expect(journal.answers.get(0)).toEqual([answer('a', 30)])
})
