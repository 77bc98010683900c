import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { acceptsGzip } from '../../hub/frame.ts'
import { subscriberOf } from '../../limits/client.ts'
import { fieldsOf, parseReport } from '../../topology/input.ts'
import { REPORTED_KINDS } from '../../topology/rules.ts'
import { events, json } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import { dateOf, integerOf, query, readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
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
      async ({ request }) => {
        const instant = instantOf('at', query(request, 'at').at)
        if (instant !== undefined) return topology.at(instant)
        await refreshTopology?.()
        return topology.snapshot()
      },
      {
        detail: operation('Get the topology', SNAPSHOT, {
          parameters: [{ name: 'at', description: INSTANT }],
          answers: json(answers.Graph),
          problems: ['unavailable'],
        }),
      },
    )
    .post(
      '/api/topology',
      async ({ request }) => {
        const report = parseReport(fieldsOf(await readJson(request, MAX_REPORT_BYTES), ['services', 'calls']))
        topology.report(report)
        return { services: report.services?.length ?? 0, calls: report.calls?.length ?? 0 }
      },
      {
        parse: 'none',
        detail: operation('Report services and calls', REPORT, {
          body: REPORT_BODY,
          example: {
            services: [{ id: 'UI' }, { id: 'D', url: 'http://localhost:4000' }],
            calls: [{ from: 'UI', to: 'D', status: 200, durationMs: 12 }],
          },
          answers: json(answers.Reported),
        }),
      },
    )
    .get(
      '/api/topology/timeline',
      async ({ request }) => {
        const asked = query(request, 'from', 'to', 'points')
        const most = integerOf('points', asked.points, 1, MAX_POINTS) ?? DEFAULT_POINTS
        const [from, to] = [instantOf('from', asked.from), instantOf('to', asked.to)]
        return topology.timeline({ from, to, most })
      },
      {
        detail: operation('Get calls over time', TIMELINE, {
          parameters: [
            { name: 'from', description: INSTANT, schema: TEXT },
            { name: 'to', description: INSTANT, schema: TEXT },
            {
              name: 'points',
              schema: { type: 'integer', minimum: 1, maximum: MAX_POINTS, default: DEFAULT_POINTS },
            },
          ],
          answers: json(answers.Timeline),
          problems: ['unavailable'],
        }),
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
      { detail: operation('Stream the topology', EVENTS, { answers: events(answers.TOPOLOGY_EVENTS) }) },
    )
}

/** A time in ISO 8601 or as Unix milliseconds. */
function instantOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{5,}$/.test(text)) return dateOf(name, text)?.getTime()
  const ms = Number(text)
  if (ms <= LATEST_MS) return ms
  throw new Problem('invalid_field', `${name}: expected Unix time in milliseconds.`, name)
}

/** Maximum time value of a Date. */
const LATEST_MS = 8_640_000_000_000_000

const INSTANT = 'ISO 8601, or Unix time in milliseconds'
const TEXT = { type: 'string' }

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
  'to a second under load. Resume with `Last-Event-ID`; if the missed events are gone, a `gap` and a new `graph` follow.'

const text = { type: 'string', maxLength: 64 } as const
const REPORT_BODY = {
  type: 'object',
  properties: {
    services: {
      type: 'array',
      maxItems: 500,
      items: {
        type: 'object',
        required: ['id'],
        properties: {
          id: text,
          name: text,
          url: { type: 'string', maxLength: 2048, description: 'http or https, without credentials' },
          kind: { type: 'string', enum: REPORTED_KINDS },
          group: { ...text, description: 'Group in the diagram, such as a namespace' },
        },
      },
    },
    calls: {
      type: 'array',
      maxItems: 500,
      items: {
        type: 'object',
        required: ['from', 'to'],
        properties: {
          from: text,
          to: text,
          status: { type: 'integer', minimum: 100, maximum: 599 },
          durationMs: { type: 'number', minimum: 0 },
        },
      },
    },
  },
}
