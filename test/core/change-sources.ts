import type { Comparisons } from '../../src/core/change/groups.ts'
import type { Random } from './seeded.ts'

export const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** Times of a day's changes, in milliseconds, by a source that changes every `meanMs` on average. */
export type Source = (random: Random, meanMs: number) => number[]

/** At random, at a constant rate. */
export const poisson: Source = (random, meanMs) => until(() => waited(random, meanMs), waited(random, meanMs))

/** By a timer that is off by a fifth, and that nobody synchronized with the polls. */
export const regular: Source = (random, meanMs) =>
  until(() => meanMs * Math.max(0.05, 1 + 0.2 * normal(random)), meanMs * random())

/** Bursts of four changes on average, at random. */
export const bursty: Source = (random, meanMs) => {
  const changes: number[] = []
  for (const startMs of until(() => waited(random, meanMs * 4), waited(random, meanMs * 4))) {
    let at = startMs
    do {
      changes.push(at)
      at += waited(random, meanMs / 8)
    } while (random() < 0.75)
  }
  return changes.filter((at) => at < DAY_MS).sort((a, b) => a - b)
}

/** At random, by a rate that follows the hour of the day: nine times as high at its peak as at its lowest. */
export const daily: Source = (random, meanMs) => {
  const phase = 2 * Math.PI * random()
  const share = (at: number) => (1 + 0.8 * Math.sin((2 * Math.PI * at) / DAY_MS + phase)) / 1.8
  return poisson(random, meanMs / 1.8).filter((at) => random() < share(at))
}

/** What polls every `intervalMs` find in a day, by minute. */
export function polled(changes: readonly number[], intervalMs: number, random: Random): Comparisons[] {
  const minutes = new Map<number, Comparisons>()
  let next = 0
  let lastMs: number | undefined
  for (let at = intervalMs * random(); at < DAY_MS; at += intervalMs) {
    const first = next
    while ((changes[next] ?? DAY_MS) <= at) next++
    if (lastMs !== undefined) add(minutes, at, at - lastMs, next > first)
    lastMs = at
  }
  return [...minutes.values()]
}

function add(minutes: Map<number, Comparisons>, at: number, elapsedMs: number, hasChanged: boolean): void {
  const minute = Math.floor(at / MINUTE_MS)
  const sums = minutes.get(minute) ?? { compared: 0, changed: 0, comparedMs: 0, changedMs: 0 }
  minutes.set(minute, sums)
  sums.compared++
  sums.comparedMs += elapsedMs
  if (hasChanged) sums.changed++
  if (hasChanged) sums.changedMs += elapsedMs
}

function until(waitMs: () => number, firstMs: number): number[] {
  const times: number[] = []
  for (let at = firstMs; at < DAY_MS; at += waitMs()) times.push(at)
  return times
}

/** Exponentially distributed. */
function waited(random: Random, meanMs: number): number {
  return -Math.log(1 - random()) * meanMs
}

/** From the standard normal distribution (Box and Muller). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
