import { type Call, type Graph, nodeId } from '../../core/graph.ts'
import { DAY_MS, MINUTE_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { type Ends, edgeKey, FIRST_COLOR, FORGOTTEN_AFTER_MS, MAX_CALLS, MAX_SERVICES } from '../model.ts'
import type { MinuteRow } from './rows.ts'
import { readCalls, readMinutes, readServices, readTotals } from './stored.ts'
import { serviceOfRow, tallyOf } from './stored-graph.ts'
import { CallTally, minuteOf, recentOf, recentSpan } from './tallies.ts'

/** How far back replay goes. */
export const REPLAY_MS = DAY_MS
/** Grace time for a request at the bound. */
const GRACE_MS = MINUTE_MS

/** All calls by steps of a span, to find a moment in it. Times are ISO 8601. */
export interface CallTimeline {
  from: string
  to: string
  stepMs: number
  /** Each step by its start, including those without calls. */
  points: { at: string; calls: number; errors: number }[]
}

export interface TimelineSpan {
  /** Default: 24 hours before `to`. In milliseconds since 1970, as `to` is. */
  from?: number
  /** Default: now. */
  to?: number
  /** Maximum number of steps. */
  most: number
}

/** @throws Problem `invalid_field` unless the instant is one of the last 24 hours. */
export function requireReplayable(instant: number, now: number, field: string): void {
  if (instant > now + GRACE_MS)
    throw new Problem('invalid_field', `${field}: must not be in the future.`, field)
  if (instant < now - REPLAY_MS - GRACE_MS) {
    throw new Problem('invalid_field', `${field}: must be within the last 24 hours.`, field)
  }
}

/**
 * The graph as it was at the end of the instant's minute, or now for the current one. Counts and errors cover the minutes
 * of the recent numbers; colors aren't stored by time, so all services have the default.
 */
export async function graphAt(db: Database, instant: number, now: number): Promise<Graph> {
  const span = recentSpan(instant)
  const lived = { from: span.to - FORGOTTEN_AFTER_MS, to: span.to }
  const services = await readServices(db, lived, MAX_SERVICES)
  const ids = new Set(services.map(({ id }) => id))
  const minutes = Map.groupBy(await readMinutes(db, span), edgeKey)
  const calls = (await readCalls(db, lived, MAX_CALLS)).filter(({ from, to }) => ids.has(from) && ids.has(to))
  const until = Math.min(span.to, now)
  return {
    services: services.map((row) => ({
      ...serviceOfRow({ ...row, reportedAt: Math.min(row.reportedAt, until) }),
      color: FIRST_COLOR,
    })),
    calls: calls.map((row) =>
      callAt(row, minutes.get(edgeKey(row)) ?? [], Math.max(span.from, row.firstAt), until),
    ),
  }
}

/**
 * The number of calls, in at most `most` steps of whole minutes.
 * @throws Problem `invalid_field` for a span outside the last 24 hours.
 */
export async function callTimelineOf(
  db: Database,
  { to: until, from: since, most }: TimelineSpan,
  now: number,
): Promise<CallTimeline> {
  const to = until ?? now
  const from = since ?? to - REPLAY_MS
  requireReplayable(from, now, 'from')
  requireReplayable(to, now, 'to')
  if (from >= to) throw new Problem('invalid_field', 'from: must be before to.', 'from')
  const first = minuteOf(from)
  const stepMs = Math.ceil((to - first) / MINUTE_MS / most) * MINUTE_MS
  const rows = new Map((await readTotals(db, { from: first, to }, stepMs)).map((row) => [row.minute, row]))
  const points: CallTimeline['points'] = []
  for (let at = first; at < to; at += stepMs) {
    const { calls = 0, errors = 0 } = rows.get(at) ?? {}
    points.push({ at: new Date(at).toISOString(), calls, errors })
  }
  return { from: new Date(first).toISOString(), to: new Date(to).toISOString(), stepMs, points }
}

/** @param rows The edge's minutes between the two times. */
function callAt({ from, to }: Ends, rows: readonly MinuteRow[], since: number, until: number): Call {
  const tallies = rows.map(tallyOf)
  const sum = new CallTally()
  for (const tally of tallies) sum.merge(tally)
  const call: Call = { from, to, count: sum.count, errors: sum.errors }
  const recent = recentOf(tallies, since, until)
  return recent === undefined ? call : { ...call, recent }
}

/** Services as sent to clients: with their IDs in the Mermaid source. */
export function withNodes({ services, calls }: Graph) {
  return { services: services.map((service) => ({ ...service, node: nodeId(service.id) })), calls }
}
