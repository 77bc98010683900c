import { type SQL, sql } from 'drizzle-orm'
import type { Call, RecentCalls, Service } from '../../core/graph.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import type { Quantiles } from '../../streams/measures/latencies.ts'
import { OWN_PREFIX } from '../rules.ts'

/** Calls are counted over as many minutes: the one that is under way, and those before it. */
export const RECENT_MINUTES = 5
export const MINUTE_MS = 60_000
/** A rate over less than this, in minutes, would only be noise. */
const SHORTEST_MINUTES = 0.25

/** The worst first: what a node of many says is the worst of them. */
export const WORST_FIRST: readonly Verdict[] = ['dead', 'stalled', 'backing-off', 'quiet', 'live', 'stopped']
/** The colours that the console's dark pages have for verdicts. */
export const VERDICT_COLOURS: Readonly<Record<Verdict, string>> = {
  live: '#2ee6a6',
  quiet: '#6fb8ff',
  stalled: '#ffb454',
  'backing-off': '#ffd166',
  dead: '#ff5c7a',
  stopped: '#93a9b0',
}

export const STREAMS_ID = `${OWN_PREFIX}streams`

/** What the window of an instant is: from the start of a minute to the instant, in milliseconds since the epoch. */
export interface Window {
  from: number
  to: number
}

/** What is said of a part of Weir. */
export interface Part extends Pick<Service, 'name' | 'kind' | 'group' | 'href'> {
  /** Told apart from all that programs report by {@link OWN_PREFIX}, which it is given. */
  id: string
  verdict: Verdict
  reason: string
  /** When that last changed, in milliseconds since the epoch. */
  since: number
}

/** Calls of a window along one edge. */
export interface Counted extends Partial<Quantiles> {
  calls: number
  errors: number
  /** When the last was, in milliseconds since the epoch, how it ended and how long it took. */
  lastAt?: number
  lastStatus?: number
  lastMs?: number
}

export function windowOf(at: number): Window {
  const minute = at - (at % MINUTE_MS)
  return { from: minute - (RECENT_MINUTES - 1) * MINUTE_MS, to: at }
}

/** Of an instant that is over: up to the end of its minute, as sums tell no more. */
export function windowThen(at: number, now: number): Window {
  return windowOf(Math.max(at, Math.min(now, at - (at % MINUTE_MS) + MINUTE_MS - 1)))
}

/** Milliseconds since the epoch, in SQL. */
export function instant(ms: number): SQL {
  return sql`${new Date(ms).toISOString()}::timestamptz`
}

export function node({ id, since, verdict, ...rest }: Part): Service {
  const colour = VERDICT_COLOURS[verdict]
  return { ...rest, id: OWN_PREFIX + id, verdict, colour, reportedAt: new Date(since).toISOString() }
}

/**
 * An edge, with what went along it in a window.
 * @param bornAt since when there could be calls at all, in milliseconds since the epoch
 */
export function edge(from: string, to: string, counted: Counted, { window, bornAt }: Span): Call {
  const { calls, errors, lastAt, lastStatus, lastMs } = counted
  const call: Call = { from, to, count: calls, errors }
  if (lastStatus !== undefined) call.lastStatus = lastStatus
  if (lastMs !== undefined) call.lastDurationMs = lastMs
  if (lastAt !== undefined) call.calledAt = new Date(lastAt).toISOString()
  if (calls > 0) call.recent = recent(counted, minutesOf({ window, bornAt }))
  return call
}

export interface Span {
  window: Window
  bornAt?: number
}

export function minutesOf({ window, bornAt = 0 }: Span): number {
  return Math.max((window.to - Math.max(window.from, bornAt)) / MINUTE_MS, SHORTEST_MINUTES)
}

/** Rounded: a picture is not sent anew for what nobody could see. */
function recent({ calls, errors, p50Ms, p95Ms }: Counted, minutes: number): RecentCalls {
  const rate = Number((calls / minutes).toPrecision(2))
  const errorShare = Math.round(Math.min(1, errors / calls) * 1_000) / 1_000
  const times = p50Ms === undefined || p95Ms === undefined ? {} : { p50Ms, p95Ms }
  return { rate, errorShare, ...times }
}

/** One of the two, as a count needs it. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
