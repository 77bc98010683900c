import { expect, test } from 'bun:test'
import { DAYS, isTimeZone, type Schedule, windowAfter, windowAt } from '../../src/core/judging/schedule.ts'
import { integer, pick, seeded } from './seeded.ts'

const random = seeded('schedule.test.ts')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'UTC',
  'Pacific/Apia',
  'Asia/Kathmandu',
  'America/Havana',
]

const daily = (timeZone: string, from: string, durationMinutes: number): Schedule => ({
  timeZone,
  days: DAYS,
  from,
  durationMinutes,
})
const iso = (window: { from: number; to: number } | undefined) =>
  window && [window.from, window.to].map((at) => new Date(at).toISOString().slice(0, 16))

test.each<[what: string, Schedule, inside: string, from: string, to: string]>([
  [
    'Berlin, winter',
    daily('Europe/Berlin', '02:30', 60),
    '2026-01-15T01:45',
    '2026-01-15T01:30',
    '2026-01-15T02:30',
  ],
  [
    'Berlin, summer',
    daily('Europe/Berlin', '02:30', 60),
    '2026-07-15T00:45',
    '2026-07-15T00:30',
    '2026-07-15T01:30',
  ],
  [
    'Berlin skips 02:30: 03:30',
    daily('Europe/Berlin', '02:30', 60),
    '2026-03-29T01:45',
    '2026-03-29T01:30',
    '2026-03-29T02:30',
  ],
  [
    'Berlin shows 02:30 twice: the first',
    daily('Europe/Berlin', '02:30', 60),
    '2026-10-25T00:45',
    '2026-10-25T00:30',
    '2026-10-25T01:30',
  ],
  [
    'Berlin, over the change: minutes that pass',
    daily('Europe/Berlin', '01:00', 180),
    '2026-03-29T02:30',
    '2026-03-29T00:00',
    '2026-03-29T03:00',
  ],
  [
    'New York skips 02:30: 03:30',
    daily('America/New_York', '02:30', 30),
    '2026-03-08T07:45',
    '2026-03-08T07:30',
    '2026-03-08T08:00',
  ],
  [
    'New York shows 01:30 twice: the first',
    daily('America/New_York', '01:30', 30),
    '2026-11-01T05:45',
    '2026-11-01T05:30',
    '2026-11-01T06:00',
  ],
  [
    'Lord Howe skips half an hour: 02:15 is 02:45',
    daily('Australia/Lord_Howe', '02:15', 10),
    '2026-10-03T15:50',
    '2026-10-03T15:45',
    '2026-10-03T15:55',
  ],
  [
    'Lord Howe shows 01:45 twice: the first',
    daily('Australia/Lord_Howe', '01:45', 10),
    '2026-04-04T14:50',
    '2026-04-04T14:45',
    '2026-04-04T14:55',
  ],
  [
    'Kolkata knows no change',
    daily('Asia/Kolkata', '00:00', 30),
    '2026-03-28T18:45',
    '2026-03-28T18:30',
    '2026-03-28T19:00',
  ],
  [
    'over midnight, from the day it began',
    { ...daily('Europe/Berlin', '23:00', 120), days: ['sat'] },
    '2026-10-24T22:30',
    '2026-10-24T21:00',
    '2026-10-24T23:00',
  ],
])('%s', (_what, schedule, inside, from, to) => {
  expect(iso(windowAt(schedule, Date.parse(`${inside}Z`)))).toEqual([from, to])
  expect(windowAt(schedule, Date.parse(`${to}Z`))?.from).not.toBe(Date.parse(`${from}Z`))
  expect(iso(windowAfter(schedule, Date.parse(`${from}Z`) - 1))).toEqual([from, to])
})

test('the second time that the clock shows it is not in the window', () => {
  const schedule = daily('Europe/Berlin', '02:00', 60)
  expect(windowAt(schedule, Date.parse('2026-10-25T00:30Z'))).toBeDefined()
  expect(windowAt(schedule, Date.parse('2026-10-25T01:30Z'))).toBeUndefined()
})

test('in every zone, on every day of years, it begins once by the clock there and lasts as long as it says', () => {
  for (let round = 0; round < 60; round++) {
    const timeZone = pick(random, ZONES)
    const from = `${String(integer(random, 24)).padStart(2, '0')}:${String(integer(random, 60)).padStart(2, '0')}`
    const durationMinutes = 1 + integer(random, 1_200)
    const days = DAYS.filter(() => random() < 0.6)
    const schedule = { timeZone, days: days.length > 0 ? days : DAYS, from, durationMinutes }
    const wall = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
    })
    let at = Date.UTC(2024, integer(random, 12), 1)
    const end = at + 200 * 24 * HOUR_MS
    let offClock = 0
    while (at < end) {
      const window = windowAfter(schedule, at)
      if (window === undefined) throw new Error(`${JSON.stringify(schedule)} never begins after ${at}`)
      expect(window.from).toBeGreaterThan(at)
      expect(window.from - at).toBeLessThanOrEqual(8 * 24 * HOUR_MS + 24 * HOUR_MS)
      expect(window.to - window.from).toBe(durationMinutes * MINUTE_MS)
      expect(windowAt(schedule, window.from)).toBeDefined()
      expect(windowAt(schedule, window.to - 1)).toBeDefined()
      if (durationMinutes < 23 * 60) expect(windowAt(schedule, window.from - 1)).toBeUndefined()
      const [day = '', time = ''] = wall.format(window.from).replace(',', '').split(' ')
      if (time === from) expect(schedule.days as readonly string[]).toContain(day.toLowerCase().slice(0, 3))
      else offClock++
      at = window.from
    }
    // Only the night on which the clock skips the time.
    expect(offClock).toBeLessThanOrEqual(1)
  }
})

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['Mars/Olympus', false],
  ['+02:00', false],
  ['', false],
  ['Europe/Berlin; DROP', false],
])('%p is a time zone: %p', (name, expected) => {
  expect(isTimeZone(name)).toBe(expected)
})
