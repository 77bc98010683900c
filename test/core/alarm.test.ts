import { expect, test } from 'bun:test'
import {
  type Alarm,
  AT_REST,
  type Evaluation,
  FLAP_WINDOW_MS,
  isAtRest,
  isOpen,
  MAX_FLIPS,
  step,
} from '../../src/core/judging/alarm.ts'
import { integer, pick, seeded } from './seeded.ts'

const random = seeded('alarm.test.ts')
const LOOK_MS = 5_000
const SIGNS: Record<string, Evaluation> = { b: 'bad', g: 'good', u: 'unknown', n: 'none' }

/** Takes looks written as letters; gives what it is after each: open or not. */
function run(looks: string, failure: number, success: number): string {
  let alarm = AT_REST
  return [...looks]
    .map((sign, index) => {
      alarm = step(alarm, SIGNS[sign] as Evaluation, { failure, success }, index * LOOK_MS)
      return isOpen(alarm) ? 'O' : '.'
    })
    .join('')
}

test.each<[what: string, looks: string, failure: number, success: number, open: string]>([
  ['so many bad ones in a row open it', 'bbbb', 3, 2, '..OO'],
  ['a good one in between begins anew', 'bbgbbb', 3, 2, '.....O'],
  ['so many good ones in a row end it', 'bbbggg', 3, 2, '..OO..'],
  ['a bad one in between begins anew', 'bbbgbgg', 3, 2, '..OOOO.'],
  ['one is enough', 'bg', 1, 1, 'O.'],
  ['not knowing changes nothing', 'bubuubuugug', 3, 2, '.....OOOOO.'],
  ['what no longer applies ends at once', 'bbbn', 3, 9, '..O.'],
])('%s', (_what, looks, failure, success, open) => {
  expect(run(looks, failure, success)).toBe(open)
})

test('too many flips are one problem until it is calm', () => {
  let alarm = AT_REST
  let now = 0
  const take = (look: Evaluation) => {
    now += LOOK_MS
    alarm = step(alarm, look, { failure: 1, success: 1 }, now)
    return isOpen(alarm)
  }
  expect(
    ['bad', 'good', 'bad', 'good', 'bad', 'good', 'bad', 'good'].map((look) => take(look as Evaluation)),
  ).toEqual([true, false, true, false, true, true, true, true])
  expect(alarm.isFlapping).toBe(true)
  const calmAt = now
  while (take('good')) expect(now - calmAt).toBeLessThan(FLAP_WINDOW_MS)
  expect(now - calmAt).toBeGreaterThanOrEqual(FLAP_WINDOW_MS - 2 * LOOK_MS)
  while (!isAtRest(alarm)) take('good')
  expect(alarm).toEqual(AT_REST)
})

test.each([
  [7, true],
  [8, false],
])(
  'turning on and off every %d minutes: flapping is %p, as only half an hour counts',
  (minutes, isFlapping) => {
    let alarm: Alarm = AT_REST
    for (let at = 0; at < 20; at++)
      alarm = step(alarm, at % 2 ? 'good' : 'bad', { failure: 1, success: 1 }, at * minutes * 60_000)
    expect(alarm.isFlapping).toBe(isFlapping)
  },
)

test('no more than the last twenty flips are remembered', () => {
  let alarm: Alarm = AT_REST
  for (let at = 0; at < 50; at++) alarm = step(alarm, at % 2 ? 'good' : 'bad', { failure: 1, success: 1 }, at)
  expect(alarm.flips).toEqual(Array.from({ length: 20 }, (_, back) => 30 + back))
})

test('a flapping alarm that stays bad stays open without interruption', () => {
  let alarm: Alarm = AT_REST
  for (let at = 0; at < 5; at++) alarm = step(alarm, at % 2 ? 'good' : 'bad', { failure: 1, success: 1 }, at)
  expect(alarm).toMatchObject({ isFlapping: true, isFiring: true })
  for (let at = 0; at < 2 * FLAP_WINDOW_MS; at += LOOK_MS) {
    alarm = step(alarm, 'bad', { failure: 1, success: 1 }, at)
    expect(isOpen(alarm)).toBe(true)
  }
  expect(alarm.isFlapping).toBe(false)
})

test('whatever the evaluations and the clock, it opens and resolves in turn, and never gets stuck', () => {
  for (let round = 0; round < 300; round++) {
    const thresholds = { failure: 1 + integer(random, 5), success: 1 + integer(random, 5) }
    let alarm: Alarm = AT_REST
    let now = Date.UTC(2026, 0, 1)
    const take = (look: Evaluation) => {
      const jump = random() < 0.05 ? (random() - 0.5) * 10 * 86_400_000 : 0
      now += LOOK_MS + jump
      const before = alarm
      alarm = step(alarm, look, thresholds, now)
      // A step is of one look: it can't pass over an opening or an end.
      const opens = !isOpen(before) && isOpen(alarm)
      if (opens) expect(look).toBe('bad')
      expect(alarm.flips.length).toBeLessThanOrEqual(MAX_FLIPS)
      expect(alarm.streak).toBeLessThan(alarm.isFiring ? thresholds.success : thresholds.failure)
    }
    for (let look = 0; look < 100; look++)
      take(pick(random, ['bad', 'bad', 'good', 'good', 'unknown', 'none']))
    for (let look = 0; look < thresholds.failure; look++) take('bad')
    expect(isOpen(alarm)).toBe(true)
    for (let look = 0; look < thresholds.success; look++) take('good')
    expect(alarm.isFiring).toBe(false)
    now += 2 * FLAP_WINDOW_MS
    alarm = step(alarm, 'good', thresholds, now)
    for (let look = 0; look <= FLAP_WINDOW_MS / LOOK_MS; look++) {
      now += LOOK_MS
      alarm = step(alarm, 'good', thresholds, now)
    }
    expect(isAtRest(alarm)).toBe(true)
  }
})
