import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time.ts'

const UNITS = [
  [DAY_MS, 'days'],
  [HOUR_MS, 'h'],
  [MINUTE_MS, 'min'],
  [1_000, 's'],
  [0, 'ms'],
] as const

/** A time between changes, with its interval: "about every 5 min (3 to 8)". */
export function inWords(ms: number, shortestMs: number, longestMs: number): string {
  const [, unit] = unitOf(ms)
  const isOne = [shortestMs, longestMs].every((one) => unitOf(one)[1] === unit)
  const [shortest, longest] = [shortestMs, longestMs].map((one) => (isOne ? count(one) : period(one)))
  return `about every ${period(ms)} (${shortest} to ${longest})`
}

/** Only the longest time between changes is known. */
export function atLeast(ms: number): string {
  return `at least every ${period(ms)}: nearly every poll found a change`
}

/** Only the shortest time between changes is known. */
export function rarerThan(observedMs: number, ms: number): string {
  return `no change in ${period(observedMs)}: less often than every ${period(ms)}`
}

/** The same for a table: "every 5 min", "≤ 5 s", "none in 3 h". */
export function briefly(
  { perMs, perHour, low }: { perMs: number; perHour: number | null; low: number },
  observedMs: number,
): string {
  if (perHour === 0) return `none in ${period(observedMs)}`
  return perHour === null ? `≤ ${period(HOUR_MS / low)}` : `every ${period(1 / perMs)}`
}

/** A time to two digits in its largest unit. */
export function period(ms: number): string {
  if (ms === 0) return '0 s'
  const [, unit] = unitOf(ms)
  const digits = count(ms)
  return `${digits} ${digits === '1' && unit === 'days' ? 'day' : unit}`
}

function count(ms: number): string {
  const [size] = unitOf(ms)
  const value = ms / (size || 1)
  return String(size > 0 && value < 1 ? 1 : Number(value.toPrecision(2)))
}

/** The next unit rather than 60 of the smaller one. */
function unitOf(ms: number) {
  return UNITS.find(([size]) => ms >= size * 0.99) ?? UNITS[4]
}
