import type { RecentCalls } from '../../core/graph.ts'
import { Latency } from '../../core/latency.ts'

export const MINUTE_MS = 60_000
/** Recent numbers are of so many minutes, the one under way included. */
const RECENT_MINUTES = 5
/** Of a rate or a share, as they are told: what changes beyond them is no news. */
const RATE_DIGITS = 2
const LATENCY_DIGITS = 3

/** How the calls along one edge went in one minute, as one process saw it. */
export class Tally {
  constructor(
    readonly latency = new Latency(),
    public count = 0,
    public errors = 0,
  ) {}

  add(hasFailed: boolean, durationMs: number | undefined): void {
    this.count++
    if (hasFailed) this.errors++
    if (durationMs !== undefined) this.latency.add(durationMs)
  }

  merge(other: Tally): void {
    this.count += other.count
    this.errors += other.errors
    this.latency.merge(other.latency)
  }
}

/** The first instant of a time's minute; times are in milliseconds since 1970. */
export function minuteOf(time: number): number {
  return Math.floor(time / MINUTE_MS) * MINUTE_MS
}

/** The minutes that are recent at a time, its own the last: from the beginning of the first to the end of that one. */
export function recentSpan(time: number): { from: number; to: number } {
  const to = minuteOf(time) + MINUTE_MS
  return { from: to - RECENT_MINUTES * MINUTE_MS, to }
}

/**
 * What minutes come to; undefined when nothing was called. The rate is of the time that they span, of a minute at least.
 */
export function recentOf(tallies: Iterable<Tally>, from: number, to: number): RecentCalls | undefined {
  const sum = new Tally()
  for (const tally of tallies) sum.merge(tally)
  if (sum.count === 0) return undefined
  const minutes = Math.max(1, (to - from) / MINUTE_MS)
  const recent: RecentCalls = {
    rate: rounded(sum.count / minutes, RATE_DIGITS),
    errorShare: rounded(sum.errors / sum.count, RATE_DIGITS),
  }
  const [p50, p95] = [sum.latency.quantile(0.5), sum.latency.quantile(0.95)]
  if (p50 !== undefined) recent.p50Ms = rounded(p50, LATENCY_DIGITS)
  if (p95 !== undefined) recent.p95Ms = rounded(p95, LATENCY_DIGITS)
  return recent
}

/** The recent minutes of one edge, by the processes that saw its calls. */
export class Tallies {
  readonly #minutes = new Map<number, Map<string, Tally>>()

  /** What a process saw in a minute, to add to. */
  of(minute: number, writer: string): Tally {
    const known = this.#minutes.get(minute)?.get(writer)
    if (known !== undefined) return known
    const tally = new Tally()
    this.put(minute, writer, tally)
    return tally
  }

  put(minute: number, writer: string, tally: Tally): void {
    const writers = this.#minutes.get(minute)
    if (writers === undefined) this.#minutes.set(minute, new Map([[writer, tally]]))
    else writers.set(writer, tally)
  }

  /** Adds what another edge has. */
  merge(other: Tallies): void {
    for (const [minute, writers] of other.#minutes) {
      for (const [writer, tally] of writers) this.of(minute, writer).merge(tally)
    }
  }

  /** @param since When the edge was first known: a rate is of no time before that. */
  recent(now: number, since: number): RecentCalls | undefined {
    const { from } = recentSpan(now)
    for (const minute of this.#minutes.keys()) if (minute < from) this.#minutes.delete(minute)
    const tallies = [...this.#minutes.values()].flatMap((writers) => [...writers.values()])
    return recentOf(tallies, Math.max(from, since), now)
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits))
}
