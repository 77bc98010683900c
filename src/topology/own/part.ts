import type { Call, RecentCalls, Service } from '../../core/graph.ts'
import { STATUS, type Status } from '../../core/sets/statuses.ts'
import { MINUTE_MS } from '../../core/time.ts'
import type { Quantiles } from '../../streams/measures/latencies.ts'
import { OWN_PREFIX } from '../rules.ts'

/** Calls are counted over this many minutes: the current one and those before it. */
export const RECENT_MINUTES = 5
/** A rate over less than this, in minutes, would only be noise. */
const SHORTEST_MINUTES = 0.25

export const STREAMS_ID = `${OWN_PREFIX}streams`

/** The window of an instant: from the start of a minute to the instant, in milliseconds since the epoch. */
export interface CallWindow {
  from: number
  to: number
}

/** A part of Weir. */
export interface Part extends Pick<Service, 'name' | 'kind' | 'group' | 'href'> {
  /** ID without {@link OWN_PREFIX}, which is added to tell it from reported services. */
  id: string
  status: Status
  reason: string
  /** Time of the last status change, in milliseconds since the epoch. */
  since: number
}

/** Calls of a window along one edge. */
export interface Counted extends Partial<Quantiles> {
  calls: number
  errors: number
  /** Time of the last call in milliseconds since the epoch, its status and duration. */
  lastAt?: number
  lastStatus?: number
  lastMs?: number
}

export function windowOf(at: number): CallWindow {
  const minute = at - (at % MINUTE_MS)
  return { from: minute - (RECENT_MINUTES - 1) * MINUTE_MS, to: at }
}

/** The window of a past instant: up to the end of its minute, the resolution of rollups. */
export function windowThen(at: number, now: number): CallWindow {
  return windowOf(Math.max(at, Math.min(now, at - (at % MINUTE_MS) + MINUTE_MS - 1)))
}

export function partNode({ id, since, status, ...rest }: Part): Service {
  // The colors of the console's dark pages.
  const color = STATUS[status].color.dark
  return { ...rest, id: OWN_PREFIX + id, status, color, reportedAt: new Date(since).toISOString() }
}

/**
 * An edge with its calls in a window.
 * @param bornAt earliest time of a call, in milliseconds since the epoch
 */
export function edge(from: string, to: string, counted: Counted, { window, bornAt }: EdgeWindow): Call {
  const { calls, errors, lastAt, lastStatus, lastMs } = counted
  const call: Call = { from, to, count: calls, errors }
  if (lastStatus !== undefined) call.lastStatus = lastStatus
  if (lastMs !== undefined) call.lastDurationMs = lastMs
  if (lastAt !== undefined) call.calledAt = new Date(lastAt).toISOString()
  if (calls > 0) call.recent = recent(counted, minutesOf({ window, bornAt }))
  return call
}

export interface EdgeWindow {
  window: CallWindow
  bornAt?: number
}

export function minutesOf({ window, bornAt = 0 }: EdgeWindow): number {
  return Math.max((window.to - Math.max(window.from, bornAt)) / MINUTE_MS, SHORTEST_MINUTES)
}

/** Rounded, so that invisible differences don't update the picture. */
function recent({ calls, errors, p50Ms, p95Ms }: Counted, minutes: number): RecentCalls {
  const rate = Number((calls / minutes).toPrecision(2))
  const errorShare = Math.round(Math.min(1, errors / calls) * 1_000) / 1_000
  const times = p50Ms === undefined || p95Ms === undefined ? {} : { p50Ms, p95Ms }
  return { rate, errorShare, ...times }
}

/** A count with the singular or plural. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
