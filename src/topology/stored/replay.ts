import { type Call, type Graph, nodeId } from '../../core/graph.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { type Ends, edgeKey, FIRST_COLOUR, FORGOTTEN_AFTER_MS, MAX_CALLS, MAX_SERVICES } from '../model.ts'
import type { MinuteRow } from './rows.ts'
import { readCalls, readMinutes, readServices, readTotals } from './stored.ts'
import { serviceOf, tallyOf } from './stored-graph.ts'
import { MINUTE_MS, minuteOf, recentOf, recentSpan, Tally } from './tallies.ts'

/** How far back a replay goes. */
export const REPLAY_MS = 86_400_000
/** What a request for the bound itself may take to come in. */
const GRACE_MS = MINUTE_MS

/** All calls in the steps of a span, for who looks for a moment in it. Times are ISO 8601. */
export interface Timeline {
  from: string
  to: string
  stepMs: number
  /** Each step by when it begins, those without calls too. */
  points: { at: string; calls: number; errors: number }[]
}

export interface TimelineSpan {
  /** Default: 24 hours before `to`. In milliseconds since 1970, as `to` is. */
  from?: number
  /** Default: now. */
  to?: number
  /** Most steps. */
  most: number
}

/** @throws Problem `invalid_field` unless the instant is one of the last 24 hours. */
export function requireReplayable(instant: number, now: number, field: string): void {
  if (instant > now + GRACE_MS) throw new Problem('invalid_field', `${field}: that is yet to come.`, field)
  if (instant < now - REPLAY_MS - GRACE_MS) {
    throw new Problem(
      'invalid_field',
      `${field}: the topology can be looked at for the last 24 hours.`,
      field,
    )
  }
}

/**
 * The graph as it was, to the minute: the one that the instant is in is over, unless it is under way. Counts and errors
 * are of the minutes that its recent numbers are of; colours aren't stored by time, so that all have the first one.
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
      ...serviceOf({ ...row, reportedAt: Math.min(row.reportedAt, until) }),
      colour: FIRST_COLOUR,
    })),
    calls: calls.map((row) =>
      callAt(row, minutes.get(edgeKey(row)) ?? [], Math.max(span.from, row.firstAt), until),
    ),
  }
}

/**
 * How many calls there were, in at most `most` steps of whole minutes.
 * @throws Problem `invalid_field` about a span that isn't one of the last 24 hours.
 */
export async function timelineOf(
  db: Database,
  { to: until, from: since, most }: TimelineSpan,
  now: number,
): Promise<Timeline> {
  const to = until ?? now
  const from = since ?? to - REPLAY_MS
  requireReplayable(from, now, 'from')
  requireReplayable(to, now, 'to')
  if (from >= to) throw new Problem('invalid_field', 'from: expected a time before to.', 'from')
  const first = minuteOf(from)
  const stepMs = Math.ceil((to - first) / MINUTE_MS / most) * MINUTE_MS
  const rows = new Map((await readTotals(db, { from: first, to }, stepMs)).map((row) => [row.minute, row]))
  const points: Timeline['points'] = []
  for (let at = first; at < to; at += stepMs) {
    const { calls = 0, errors = 0 } = rows.get(at) ?? {}
    points.push({ at: new Date(at).toISOString(), calls, errors })
  }
  return { from: new Date(first).toISOString(), to: new Date(to).toISOString(), stepMs, points }
}

/** @param rows The edge's minutes from the one time to the other. */
function callAt({ from, to }: Ends, rows: readonly MinuteRow[], since: number, until: number): Call {
  const tallies = rows.map(tallyOf)
  const sum = new Tally()
  for (const tally of tallies) sum.merge(tally)
  const call: Call = { from, to, count: sum.count, errors: sum.errors }
  const recent = recentOf(tallies, since, until)
  return recent === undefined ? call : { ...call, recent }
}

/** Services as clients get them: with their ids in the Mermaid text. */
export function withNodes({ services, calls }: Graph) {
  return { services: services.map((service) => ({ ...service, node: nodeId(service.id) })), calls }
}
