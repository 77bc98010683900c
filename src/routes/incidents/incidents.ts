import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
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
  { name: 'stream', description: 'Id of a stream' },
  { name: 'parent', description: 'Id of the incident that explains them' },
  'after',
  'limit',
]
/** Any part of one; what is null is taken away. */
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
  /** Milliseconds since the epoch. */
  now(): number
}

/** What is wrong, by which rules, and when nobody is told: the API. */
export function incidentRoutes(deps: IncidentRoutesDeps) {
  return new Elysia({ detail: { tags: ['Incidents'] } })
    .use(readRoutes(deps))
    .use(ruleRoutes(deps))
    .use(silenceRoutes(deps))
}

function readRoutes({ db, now }: IncidentRoutesDeps) {
  return new Elysia()
    .get(
      '/api/incidents',
      async ({ request }) => {
        const { items, next } = await listIncidents(db, incidentQuery(request, DEFAULT_LIMIT))
        return { items: items.map(incidentJson), next: next ?? null }
      },
      {
        detail: operation(
          'What is wrong',
          'Incidents, newest first; `after` is the `next` of the page before. `state` is open (and nobody looks after ' +
            'it), acknowledged or resolved. Those that another one explains are left out, unless `parent` names that ' +
            'one, or `stream` a stream.',
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
          'One incident',
          'With its timeline: when it opened, who was told (`told`, `reminded`, `over`) by which delivery, who ' +
            'acknowledged it, when it was resolved.',
          { answers: json(answers.IncidentWithTimeline) },
        ),
      },
    )
    .post(
      '/api/incidents/:id/acknowledge',
      async ({ params, request }) => {
        const input = checkFields(await readJson(request))
        refuseFirst(AcknowledgeSchema, input, '')
        return incidentJson(await acknowledge(db, params.id, input as { by: string; note?: string }, now()))
      },
      {
        parse: 'none',
        detail: operation('Look after an incident', 'Nobody is reminded of it any more.', {
          body: AcknowledgeSchema,
          example: { by: 'Ada', note: 'I look after it' },
          answers: json(answers.Incident),
          problems: ['conflict'],
        }),
      },
    )
}

function ruleRoutes({ db, now }: IncidentRoutesDeps) {
  return new Elysia()
    .get('/api/rules', async () => ({ items: await listRules(db) }), {
      detail: operation(
        'Rules',
        'In the order in which they were made. That streams stall and die needs none.',
        { answers: json(listOf(answers.Rule)) },
      ),
    })
    .post(
      '/api/rules',
      async ({ request }) => {
        const rule = await addRule(db, checkRule(await readJson(request)), now())
        return Response.json(rule, { status: 201, headers: { Location: `/api/rules/${rule.id}` } })
      },
      {
        parse: 'none',
        detail: operation('Add a rule', RULES, {
          body: RuleSchema,
          example: { name: 'Errors', kind: 'errorRate', tag: 'shop', params: { above: 0.5 } },
          answers: created(answers.Rule),
          problems: ['conflict'],
        }),
      },
    )
    .get('/api/rules/:id', ({ params }) => getRule(db, params.id), {
      detail: operation('One rule', undefined, { answers: json(answers.Rule) }),
    })
    .patch(
      '/api/rules/:id',
      async ({ params, request }) => changeRule(db, params.id, checkFields(await readJson(request)), now()),
      {
        parse: 'none',
        detail: operation(
          'Change a rule',
          'Takes any part of a rule; `params` as a whole. What it has seen is forgotten and its incidents end.',
          { body: Type.Partial(RuleSchema), example: { isEnabled: false }, answers: json(answers.Rule) },
        ),
      },
    )
    .delete(
      '/api/rules/:id',
      async ({ params }) => {
        await removeRule(db, params.id, now())
        return new Response(null, { status: 204 })
      },
      { detail: operation('Remove a rule', 'Its incidents end.', { answers: NOTHING }) },
    )
}

function silenceRoutes({ db, now }: IncidentRoutesDeps) {
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
          'Silences',
          'Those that are not over, with `past=true` all; `active` is the window that now lies in.',
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
        const silence = await addSilence(db, checkFields(await readJson(request)), now())
        const headers = { Location: `/api/silences/${silence.id}` }
        return Response.json(silenceJson(silence, now()), { status: 201, headers })
      },
      {
        parse: 'none',
        detail: operation('Silence', SILENCES, {
          body: SilenceSchema,
          example: { reason: 'The shop moves', tag: 'shop', endsAt: '2030-01-31T12:00:00Z' },
          answers: created(answers.Silence),
          problems: ['conflict'],
        }),
      },
    )
    .get('/api/silences/:id', async ({ params }) => silenceJson(await getSilence(db, params.id), now()), {
      detail: operation('One silence', undefined, { answers: json(answers.Silence) }),
    })
    .patch(
      '/api/silences/:id',
      async ({ params, request }) => {
        const change = checkFields(await readJson(request))
        return silenceJson(await changeSilence(db, params.id, change, now()), now())
      },
      {
        parse: 'none',
        detail: operation('Change a silence', 'Takes any part of one; `null` takes a part away.', {
          body: SilenceChange,
          example: { endsAt: '2030-01-31T18:00:00Z' },
          answers: json(answers.Silence),
        }),
      },
    )
    .delete(
      '/api/silences/:id',
      async ({ params }) => {
        await removeSilence(db, params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation('End a silence', 'Of what is still wrong, people are told then.', {
          answers: NOTHING,
        }),
      },
    )
}

/** What a request asks for of incidents. */
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
  'Of all streams, or those with a `tag`, or one (`streamId`). `params` by `kind`: errorRate `{above, windowMs?, ' +
  'minSamples?}`; changed `{everyMs?}`; unchanged `{forMs}`; changeRate and size `{min?, max?, windowMs?, ' +
  'minSamples?}`, without bounds learnt from the same hour of the week; condition `{pointer, op, value?}` of the ' +
  'current document, op: exists, absent, equals, notEquals, above, below, matches (a pattern of up to 200 characters ' +
  'without look-around, back-references and {n,m}). Windows and bounds in milliseconds and bytes. The thresholds are ' +
  'looks in a row: every 5 s for changed and condition, every minute for the others.'
const SILENCES =
  'Of everything, of a `tag` or of one stream (`streamId`). Once, from `startsAt` (now if left out) to `endsAt`; or ' +
  'again and again by a `schedule` in the time of a zone, then `startsAt` and `endsAt` bound it. Incidents still open ' +
  'and are shown; nobody is told until it ends.'
