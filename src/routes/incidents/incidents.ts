import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Bus } from '../../bus/bus.ts'
import {
  acknowledge,
  getIncident,
  INCIDENT_STATES,
  type IncidentQuery,
  type IncidentRow,
  listIncidents,
  stateOf,
  timelineOf,
} from '../../incidents/read.ts'
import { checkFields, checkRule, RuleSchema, refuseFirst } from '../../incidents/rule-input.ts'
import { addRule, changeRule, getRule, listRules, removeRule } from '../../incidents/rules.ts'
import {
  addSilence,
  changeSilence,
  getSilence,
  listSilences,
  removeSilence,
  type Silence,
  SilenceSchema,
  silentAt,
  silentNext,
} from '../../incidents/silences.ts'
import type { Database } from '../../storage/storage.ts'
import { created, json, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/incidents.ts'
import { listOf, pageOf } from '../answers/types.ts'
import { integerOf, oneOf, query, readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { oneOf as words } from '../http/parameters.ts'

const MAX_LIMIT = 500
const DEFAULT_LIMIT = 50

const LIST_PARAMETERS = [
  { name: 'state', schema: words(INCIDENT_STATES) },
  { name: 'stream', description: 'Stream ID' },
  { name: 'parent', description: 'ID of the incident that caused them' },
  'after',
  'limit',
]
/** A partial silence; null removes a field. */
const SilenceChange = Type.Partial(
  Type.Mapped(Type.KeyOf(SilenceSchema), (key) => Type.Union([Type.Index(SilenceSchema, key), Type.Null()])),
)

const AcknowledgeSchema = Type.Object(
  {
    by: Type.String({ minLength: 1, maxLength: 100 }),
    note: Type.Optional(Type.String({ maxLength: 1_000 })),
  },
  { additionalProperties: false },
)

export interface IncidentRoutesDeps {
  db: Database
  bus: Bus
  /** Milliseconds since the epoch. */
  now(): number
}

/** The API of incidents, rules and silences. */
export function incidentRoutes(deps: IncidentRoutesDeps) {
  return new Elysia({ detail: { tags: ['Incidents'] } })
    .use(readRoutes(deps))
    .use(ruleRoutes(deps))
    .use(silenceRoutes(deps))
}

function readRoutes(deps: IncidentRoutesDeps) {
  const { db, now } = deps
  return new Elysia()
    .get(
      '/api/incidents',
      async ({ request }) => {
        const { items, next } = await listIncidents(db, incidentQuery(request, DEFAULT_LIMIT))
        return { items: items.map(incidentJson), next: next ?? null }
      },
      {
        detail: operation(
          'List incidents',
          'Newest first. `state` is open (not acknowledged), acknowledged or resolved. Incidents caused by another one are ' +
            'left out unless `parent` or `stream` is set.',
          { parameters: LIST_PARAMETERS, answers: json(pageOf(answers.Incident)) },
        ),
      },
    )
    .get(
      '/api/incidents/:id',
      async ({ params }) => {
        const incident = await getIncident(db, params.id)
        return { ...incidentJson(incident), timeline: await timelineOf(db, incident) }
      },
      {
        detail: operation(
          'Get an incident',
          'Includes the timeline: when it opened, the notifications sent (`told`, `reminded`, `over`) with their ' +
            'deliveries, who acknowledged it, and when it was resolved.',
          { answers: json(answers.IncidentWithTimeline) },
        ),
      },
    )
    .post(
      '/api/incidents/:id/acknowledge',
      async ({ params, request }) => {
        const input = checkFields(await readJson(request))
        refuseFirst(AcknowledgeSchema, input, '')
        return incidentJson(await acknowledge(deps, params.id, input as { by: string; note?: string }, now()))
      },
      {
        parse: 'none',
        detail: operation('Acknowledge an incident', 'Stops its reminders.', {
          body: AcknowledgeSchema,
          example: { by: 'Ada', note: 'On it' },
          answers: json(answers.Incident),
          problems: ['conflict'],
        }),
      },
    )
}

function ruleRoutes(deps: IncidentRoutesDeps) {
  const { db, now } = deps
  return new Elysia()
    .get('/api/rules', async () => ({ items: await listRules(db) }), {
      detail: operation(
        'List alert rules',
        'In order of creation. Stalled and dead streams open incidents without a rule.',
        { answers: json(listOf(answers.Rule)) },
      ),
    })
    .post(
      '/api/rules',
      async ({ request }) => {
        const rule = await addRule(deps, checkRule(await readJson(request)), now())
        return Response.json(rule, { status: 201, headers: { Location: `/api/rules/${rule.id}` } })
      },
      {
        parse: 'none',
        detail: operation('Create an alert rule', RULES, {
          body: RuleSchema,
          example: { name: 'Errors', kind: 'errorRate', tag: 'shop', params: { above: 0.5 } },
          answers: created(answers.Rule),
          problems: ['conflict'],
        }),
      },
    )
    .get('/api/rules/:id', ({ params }) => getRule(db, params.id), {
      detail: operation('Get an alert rule', undefined, { answers: json(answers.Rule) }),
    })
    .patch(
      '/api/rules/:id',
      async ({ params, request }) => changeRule(deps, params.id, checkFields(await readJson(request)), now()),
      {
        parse: 'none',
        detail: operation(
          'Update an alert rule',
          'Accepts a partial rule; `params` is replaced as a whole. Resets the rule and resolves its incidents.',
          { body: Type.Partial(RuleSchema), example: { isEnabled: false }, answers: json(answers.Rule) },
        ),
      },
    )
    .delete(
      '/api/rules/:id',
      async ({ params }) => {
        await removeRule(deps, params.id, now())
        return new Response(null, { status: 204 })
      },
      { detail: operation('Delete an alert rule', 'Resolves its incidents.', { answers: NOTHING }) },
    )
}

function silenceRoutes(deps: IncidentRoutesDeps) {
  const { db, now } = deps
  return new Elysia()
    .get(
      '/api/silences',
      async ({ request }) => {
        const { past } = query(request, 'past')
        const isPast = oneOf('past', past, ['true', 'false']) === 'true'
        const items = await listSilences(db, now(), isPast)
        return { items: items.map((silence) => silenceJson(silence, now())) }
      },
      {
        detail: operation(
          'List silences',
          'Current and future silences; with `past=true`, all of them. `active` is the current window.',
          {
            parameters: [{ name: 'past', schema: words(['true', 'false']) }],
            answers: json(listOf(answers.Silence)),
          },
        ),
      },
    )
    .post(
      '/api/silences',
      async ({ request }) => {
        const silence = await addSilence(deps, checkFields(await readJson(request)), now())
        const headers = { Location: `/api/silences/${silence.id}` }
        return Response.json(silenceJson(silence, now()), { status: 201, headers })
      },
      {
        parse: 'none',
        detail: operation('Create a silence', SILENCES, {
          body: SilenceSchema,
          example: { reason: 'Shop migration', tag: 'shop', endsAt: '2030-01-31T12:00:00Z' },
          answers: created(answers.Silence),
          problems: ['conflict'],
        }),
      },
    )
    .get('/api/silences/:id', async ({ params }) => silenceJson(await getSilence(db, params.id), now()), {
      detail: operation('Get a silence', undefined, { answers: json(answers.Silence) }),
    })
    .patch(
      '/api/silences/:id',
      async ({ params, request }) => {
        const change = checkFields(await readJson(request))
        return silenceJson(await changeSilence(deps, params.id, change, now()), now())
      },
      {
        parse: 'none',
        detail: operation('Update a silence', 'Accepts a partial silence; `null` removes a field.', {
          body: SilenceChange,
          example: { endsAt: '2030-01-31T18:00:00Z' },
          answers: json(answers.Silence),
        }),
      },
    )
    .delete(
      '/api/silences/:id',
      async ({ params }) => {
        await removeSilence(deps, params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation('Delete a silence', 'Incidents that are still open are notified then.', {
          answers: NOTHING,
        }),
      },
    )
}

/** The incident query of a request. */
export function incidentQuery(request: Request, limit: number): IncidentQuery {
  const given = query(request, 'state', 'stream', 'parent', 'after', 'limit')
  return {
    state: oneOf('state', given.state, INCIDENT_STATES),
    stream: given.stream,
    parent: given.parent,
    after: given.after,
    limit: integerOf('limit', given.limit, 1, MAX_LIMIT) ?? limit,
  }
}

export function incidentJson(incident: IncidentRow) {
  const { key: _, ...shown } = incident
  return { ...shown, state: stateOf(incident) }
}

function silenceJson(silence: Silence, now: number) {
  const iso = (window: { from: number; to: number } | undefined) =>
    window === undefined ? null : { from: instant(window.from), to: instant(window.to) }
  return { ...silence, active: iso(silentAt(silence, now)), next: iso(silentNext(silence, now)) }
}

function instant(at: number): string | null {
  return Number.isFinite(at) ? new Date(at).toISOString() : null
}

const RULES =
  'Applies to all streams, those with a `tag`, or one (`streamId`). `params` by `kind`: errorRate `{above, windowMs?, ' +
  'minSamples?}`; changed `{everyMs?}`; unchanged `{forMs}`; changeRate and size `{min?, max?, windowMs?, ' +
  'minSamples?}`, with bounds learned from the same hour of the week if omitted; condition `{pointer, op, value?}` on the ' +
  'current document, with op exists, absent, equals, notEquals, above, below, or matches (a pattern of up to 200 ' +
  'characters without lookaround, backreferences and {n,m}). Windows in milliseconds, sizes in bytes. The thresholds ' +
  'count consecutive evaluations: every 5 s for changed and condition, every minute for the others.'
const SILENCES =
  'Applies to all streams, to a `tag`, or to one stream (`streamId`). One-time, from `startsAt` (default: now) to ' +
  '`endsAt`; or recurring, with a `schedule` in a time zone, optionally limited by `startsAt` and `endsAt`. Incidents ' +
  'still open and are shown, but notifications wait until the silence ends.'
