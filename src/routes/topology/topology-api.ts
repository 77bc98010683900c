import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { acceptsGzip } from '../../hub/frame.ts'
import { readerOf } from '../../limits/client.ts'
import { fieldsOf, parseReport } from '../../topology/input.ts'
import { REPORTED_KINDS } from '../../topology/rules.ts'
import { events, json } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import { dateOf, integerOf, query, readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import type { TopologyPageOptions } from './topology-page.tsx'

/** Of one report of services and calls. */
const MAX_REPORT_BYTES = 1_048_576
/** Steps of a timeline: at most one a minute, and as many as a phone has room for unless asked. */
const MAX_POINTS = 1_440
const DEFAULT_POINTS = 288

/** The topology as JSON and as events: now, and as it was in the last 24 hours. */
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
        detail: operation('The topology, now or then', SNAPSHOT, {
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
        detail: operation('All calls over time', TIMELINE, {
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
        return topology.subscribe({ ...readerOf(request), lastEventId, gzip: acceptsGzip(headers) })
      },
      { detail: operation('The topology, live', EVENTS, { answers: events(answers.TOPOLOGY_EVENTS) }) },
    )
}

/** A time as ISO 8601, or in milliseconds since 1970. */
function instantOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{5,}$/.test(text)) return dateOf(name, text)?.getTime()
  const ms = Number(text)
  if (ms <= LATEST_MS) return ms
  throw new Problem('invalid_field', `${name}: expected milliseconds since 1970.`, name)
}

/** The last time that a Date holds. */
const LATEST_MS = 8_640_000_000_000_000

const INSTANT = 'ISO 8601, or milliseconds since 1970'
const TEXT = { type: 'string' }

const SNAPSHOT =
  'Services and calls. `version` is the id of the last event they hold, `node` the id of a service in the Mermaid ' +
  'text. A call has a `count` and `errors`, a `lastStatus` once it was counted, and `recent` when it was called in ' +
  'the last five minutes: `rate` per minute, `errorShare` from 0 to 1, `p50Ms` and `p95Ms` within 5 %. What there is ' +
  'no room for, beyond 500 services or 2,000 calls, is one service of the kind `rest`; what was idle for 24 hours ' +
  'is gone.\n\n' +
  'With `at`, ISO 8601 or milliseconds since 1970, the graph as it was at the end of that minute, from the last 24 ' +
  'hours: `count`, `errors` and `recent` are of the five minutes up to then, and no colour is known.'

const REPORT =
  'Takes up to 500 services and 500 calls, all or nothing, and answers how many of each it took. Services that calls ' +
  'name are created, and what a report leaves out stays as it is. A call without a `status` only declares the edge; ' +
  'one with a status is counted, from 400 on as an error. Ids that begin with `weir:` are refused.'

const TIMELINE =
  'How many calls there were from `from` to `to`, the last 24 hours unless said otherwise, in at most `points` steps ' +
  `of whole minutes, ${DEFAULT_POINTS} when left out: ` +
  '`{from, to, stepMs, points: [{at, calls, errors}]}`, each step by its beginning.'

const EVENTS =
  'A server-sent event stream: `graph` (the whole, first), then `change`: `services` and `calls` that came or changed, ' +
  'whole, `removedServices` by id, and `removedCalls` as pairs of from and to. Changes are gathered for 100 ms, for up ' +
  'to a second where there are many. `Last-Event-ID` resumes; what is no longer kept is told as a `gap` before a ' +
  'fresh `graph`.'

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
          group: { ...text, description: 'What it is drawn with, such as a namespace' },
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
