import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Bus } from '../../bus/bus.ts'
import { periodJson } from '../../incidents/period.ts'
import {
  acknowledge,
  getIncident,
  INCIDENT_STATES,
  type IncidentRow,
  incidentTimelineOf,
  listIncidents,
  stateOf,
} from '../../incidents/read.ts'
import { checkRule, RuleChangeSchema, RuleSchema } from '../../incidents/rule-input.ts'
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
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { PAGES } from '../http/parameters.ts'
import { choice, flag, parameters, text } from '../http/query.ts'

const IncidentQuery = parameters({
  state: choice(INCIDENT_STATES, 'State of the incident'),
  stream: text('Stream ID'),
  parent: text('ID of the incident that caused them'),
  ...PAGES,
})
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
      async ({ query }) => {
        const { items, next } = await listIncidents(db, query)
        return { items: items.map((item) => incidentJson(item, now())), next: next ?? null }
      },
      {
        query: IncidentQuery,
        response: json(pageOf(answers.Incident)),
        detail: describe(
          'List incidents',
          'Newest first. `state` is open (not acknowledged), acknowledged or resolved. Incidents caused by another one are ' +
            'left out unless `parent` or `stream` is set.',
        ),
      },
    )
    .get(
      '/api/incidents/:id',
      async ({ params }) => {
        const incident = await getIncident(db, params.id)
        return { ...incidentJson(incident, now()), timeline: await incidentTimelineOf(db, incident) }
      },
      {
        response: json(answers.IncidentWithTimeline),
        detail: describe(
          'Get an incident',
          'Includes the timeline: when it opened, the notifications sent (`told`, `reminded`, `over`) with their ' +
            'deliveries, who acknowledged it, and when it was resolved.',
        ),
      },
    )
    .post(
      '/api/incidents/:id/acknowledge',
      async ({ params, body }) => incidentJson(await acknowledge(deps, params.id, body, now()), now()),
      {
        body: body(AcknowledgeSchema, { example: { by: 'Ada', note: 'On it' } }),
        response: json(answers.Incident),
        detail: describe('Acknowledge an incident', 'Stops its reminders.', { problems: ['conflict'] }),
      },
    )
}

function ruleRoutes(deps: IncidentRoutesDeps) {
  const { db, now } = deps
  return new Elysia()
    .get('/api/rules', async () => ({ items: await listRules(db) }), {
      response: json(listOf(answers.Rule)),
      detail: describe(
        'List alert rules',
        'In order of creation. Stalled and dead streams open incidents without a rule.',
      ),
    })
    .post(
      '/api/rules',
      async ({ body }) => {
        const rule = await addRule(deps, body, now())
        return Response.json(rule, { status: 201, headers: { Location: `/api/rules/${rule.id}` } })
      },
      {
        body: body(RuleSchema, {
          check: checkRule,
          example: { name: 'Errors', kind: 'errorRate', tag: 'shop', params: { above: 0.5 } },
        }),
        response: created(answers.Rule),
        detail: describe('Create an alert rule', RULES, { problems: ['conflict'] }),
      },
    )
    .get('/api/rules/:id', ({ params }) => getRule(db, params.id), {
      response: json(answers.Rule),
      detail: describe('Get an alert rule'),
    })
    .patch('/api/rules/:id', async ({ params, body }) => changeRule(deps, params.id, body, now()), {
      body: body(RuleChangeSchema, { example: { isEnabled: false } }),
      response: json(answers.Rule),
      detail: describe(
        'Update an alert rule',
        'Accepts a partial rule; `params` is replaced as a whole. Resets the rule and resolves its incidents.',
      ),
    })
    .delete(
      '/api/rules/:id',
      async ({ params }) => {
        await removeRule(deps, params.id, now())
        return new Response(null, { status: 204 })
      },
      { response: NOTHING, detail: describe('Delete an alert rule', 'Resolves its incidents.') },
    )
}

function silenceRoutes(deps: IncidentRoutesDeps) {
  const { db, now } = deps
  return new Elysia()
    .get(
      '/api/silences',
      async ({ query: { past } }) => {
        const items = await listSilences(db, now(), past)
        return { items: items.map((silence) => silenceJson(silence, now())) }
      },
      {
        query: parameters({ past: flag() }),
        response: json(listOf(answers.Silence)),
        detail: describe(
          'List silences',
          'Current and future silences; with `past=true`, all of them. `active` is the current window.',
        ),
      },
    )
    .post(
      '/api/silences',
      async ({ body }) => {
        const silence = await addSilence(deps, body, now())
        const headers = { Location: `/api/silences/${silence.id}` }
        return Response.json(silenceJson(silence, now()), { status: 201, headers })
      },
      {
        body: body(SilenceSchema, {
          example: { reason: 'Shop migration', tag: 'shop', endsAt: '2030-01-31T12:00:00Z' },
        }),
        response: created(answers.Silence),
        detail: describe('Create a silence', SILENCES, { problems: ['conflict'] }),
      },
    )
    .get('/api/silences/:id', async ({ params }) => silenceJson(await getSilence(db, params.id), now()), {
      response: json(answers.Silence),
      detail: describe('Get a silence'),
    })
    .patch(
      '/api/silences/:id',
      async ({ params, body }) => silenceJson(await changeSilence(deps, params.id, body, now()), now()),
      {
        body: body(SilenceChange, { example: { endsAt: '2030-01-31T18:00:00Z' } }),
        response: json(answers.Silence),
        detail: describe('Update a silence', 'Accepts a partial silence; `null` removes a field.'),
      },
    )
    .delete(
      '/api/silences/:id',
      async ({ params }) => {
        await removeSilence(deps, params.id)
        return new Response(null, { status: 204 })
      },
      {
        response: NOTHING,
        detail: describe('Delete a silence', 'Incidents that are still open are notified then.'),
      },
    )
}

export function incidentJson(incident: IncidentRow, now: number) {
  const { key: _, ...shown } = incident
  return { ...shown, ...periodJson(incident, now), state: stateOf(incident) }
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
  'current document, with op exists, absent, equals, notEquals, above, below, or matches (a pattern in RE2 ' +
  'syntax, up to 200 characters). Windows in milliseconds, sizes in bytes. The thresholds ' +
  'count consecutive evaluations: every 5 s for changed and condition, every minute for the others.'
const SILENCES =
  'Applies to all streams, to a `tag`, or to one stream (`streamId`). One-time, from `startsAt` (default: now) to ' +
  '`endsAt`; or recurring, with a `schedule` in a time zone, optionally limited by `startsAt` and `endsAt`. Incidents ' +
  'still open and are shown, but notifications wait until the silence ends.'
