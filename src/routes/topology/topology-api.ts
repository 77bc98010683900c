import { Elysia } from 'elysia'
import { acceptsGzip } from '../../hub/frame.ts'
import { subscriberOf } from '../../limits/client.ts'
import { checkReport, ReportSchema } from '../../topology/input.ts'
import { events, json } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { dateOf, invalid } from '../http/input.ts'
import { otherwise, parameters, readAs, whole } from '../http/query.ts'
import type { TopologyPageOptions } from './topology-page.tsx'

/** Maximum size of a report of services and calls. */
const MAX_REPORT_BYTES = 1_048_576
/** Steps of a timeline: at most one per minute; by default, as many as fit on a phone. */
const MAX_POINTS = 1_440
const DEFAULT_POINTS = 288

/** The topology as JSON and as events: now, and for the last 24 hours. */
export function topologyApi({
  topology,
  refreshTopology,
}: Pick<TopologyPageOptions, 'topology' | 'refreshTopology'>) {
  return new Elysia({ detail: { tags: ['Topology'] } })
    .get(
      '/api/topology',
      async ({ query: { at } }) => {
        if (at !== undefined) return topology.at(at)
        await refreshTopology?.()
        return topology.snapshot()
      },
      {
        query: parameters({ at: instant() }),
        response: json(answers.Graph),
        detail: describe('Get the topology', SNAPSHOT, { problems: ['unavailable'] }),
      },
    )
    .post(
      '/api/topology',
      async ({ body: report }) => {
        topology.report(report)
        return { services: report.services?.length ?? 0, calls: report.calls?.length ?? 0 }
      },
      {
        body: body(ReportSchema, {
          maxBytes: MAX_REPORT_BYTES,
          check: checkReport,
          example: {
            services: [{ id: 'UI' }, { id: 'D', url: 'http://localhost:4000' }],
            calls: [{ from: 'UI', to: 'D', status: 200, durationMs: 12 }],
          },
        }),
        response: json(answers.Reported),
        detail: describe('Report services and calls', REPORT),
      },
    )
    .get(
      '/api/topology/timeline',
      async ({ query: { from, to, points } }) => topology.timeline({ from, to, most: points }),
      {
        query: parameters({
          from: instant(),
          to: instant(),
          points: otherwise(whole({ min: 1, max: MAX_POINTS }), DEFAULT_POINTS),
        }),
        response: json(answers.Timeline),
        detail: describe('Get calls over time', TIMELINE, { problems: ['unavailable'] }),
      },
    )
    .get(
      '/api/topology/events',
      async ({ request, server }) => {
        server?.timeout(request, 0)
        await refreshTopology?.()
        const { headers } = request
        const lastEventId = headers.get('last-event-id')
        return topology.subscribe({ ...subscriberOf(request), lastEventId, gzip: acceptsGzip(headers) })
      },
      { response: events(answers.TOPOLOGY_EVENTS), detail: describe('Stream the topology', EVENTS) },
    )
}

/** A time in ISO 8601 or as Unix milliseconds. */
function instant() {
  return readAs('ISO 8601, or Unix time in milliseconds', (name, text) => {
    if (!/^\d{5,}$/.test(text)) return dateOf(name, text).getTime()
    const ms = Number(text)
    if (ms <= LATEST_MS) return ms
    throw invalid(name, `${name}: expected Unix time in milliseconds.`)
  })
}

/** Maximum time value of a Date. */
const LATEST_MS = 8_640_000_000_000_000

const SNAPSHOT =
  'Services and calls. `version` is the ID of the last event included, `node` the node ID of a service in the Mermaid ' +
  'diagram. A call has a `count` and `errors`, a `lastStatus` once counted, and `recent` if called in the last five ' +
  'minutes: `rate` per minute, `errorShare` from 0 to 1, `p50Ms` and `p95Ms` accurate to 5%. Anything beyond 500 ' +
  'services or 2,000 calls is merged into one service of kind `rest`; services and calls idle for 24 hours are ' +
  'removed.\n\n' +
  'With `at`, returns the graph at the end of that minute, within the last 24 hours: `count`, `errors` and `recent` ' +
  'cover the five minutes before it, and colors are not available.'

const REPORT =
  'Accepts up to 500 services and 500 calls, all or nothing, and returns how many of each were accepted. Services named ' +
  'by calls are created; anything omitted is unchanged. A call without a `status` only declares the edge; a call with ' +
  'a status is counted, as an error from 400. IDs that start with `weir:` are rejected.'

const TIMELINE =
  'Number of calls between `from` and `to` (default: the last 24 hours) in at most `points` steps ' +
  `of whole minutes (default: ${DEFAULT_POINTS}): ` +
  '`{from, to, stepMs, points: [{at, calls, errors}]}`, where `at` is the start of the step.'

const EVENTS =
  'Server-sent events: first `graph` with the whole topology, then `change` with new and changed `services` and ' +
  '`calls`, `removedServices` by ID, and `removedCalls` as pairs of from and to. Changes are batched for 100 ms, or up ' +
  'to a second under load; a color that lasts at least 16 ms gets a change of its own, and `joinedColors` counts those ' +
  'that were too short. Resume with `Last-Event-ID`; if the missed events are gone, a `gap` and a new `graph` follow.'
