import { Elysia } from 'elysia'
import { type IncidentRow as IncidentLine, IncidentPage, IncidentsPage } from '../../views/incidents.tsx'
import { type FormState, RulesPage, SilencesPage } from '../../views/rules.tsx'
import { DAYS } from '../core/schedule.ts'
import { Problem } from '../errors.ts'
import { severityOf } from '../incidents/causes.ts'
import {
  acknowledge,
  getIncident,
  type IncidentRow,
  listIncidents,
  openIncidents,
  stateOf,
  streamNames,
  type TimelineItem,
  timelineOf,
} from '../incidents/read.ts'
import { checkRule, RULE_KINDS } from '../incidents/rule-input.ts'
import { addRule, changeRule, getRule, listRules, type Rule, removeRule } from '../incidents/rules.ts'
import { addSilence, listSilences, removeSilence, type Silence, silentAt } from '../incidents/silences.ts'
import { html } from './html.ts'
import type { IncidentRoutesDeps } from './incidents.ts'
import { query, readForm } from './input.ts'

const OPEN_SHOWN = 100
const PAST_SHOWN = 30
const CHILDREN_SHOWN = 50
const EXAMPLES: Record<Rule['kind'], string> = {
  errorRate: '{"above": 0.2, "windowMs": 600000}',
  changed: '{"everyMs": 300000}',
  unchanged: '{"forMs": 3600000}',
  changeRate: '{"min": 0.01, "max": 0.5} or {} to learn',
  size: '{"max": 100000} or {} to learn',
  condition: '{"pointer": "/status", "op": "notEquals", "value": "ok"}',
}

/** The pages about what is wrong, by which rules, and when nobody is told. */
export function incidentPages({ db, now }: IncidentRoutesDeps) {
  const written = { parse: 'none' } as const
  return new Elysia({ detail: { hide: true } })
    .get('/incidents', async ({ request }) => {
      const { after } = query(request, 'after')
      const [open, acknowledged, past, count] = await Promise.all([
        listIncidents(db, { state: 'open', limit: OPEN_SHOWN }),
        listIncidents(db, { state: 'acknowledged', limit: OPEN_SHOWN }),
        listIncidents(db, { state: 'resolved', limit: PAST_SHOWN, after }),
        openIncidents(db),
      ])
      const shown = [...open.items, ...acknowledged.items].filter(({ parentId }) => parentId === null)
      const older = past.next && `/incidents?after=${past.next}`
      const data = {
        open: shown.map(incidentLine),
        more: Math.max(0, count - shown.length),
        past: past.items.map(incidentLine),
        older,
      }
      return html(<IncidentsPage {...data} />)
    })
    .get('/incidents/:id', ({ params }) => incidentPage(params.id))
    .post(
      '/incidents/:id/acknowledge',
      async ({ params, request }) => {
        const { by = '', note = '' } = await readForm(request)
        if (by.trim() === '') throw new Problem('invalid_field', 'Say who looks after it.', 'by')
        await acknowledge(db, params.id, { by: by.trim().slice(0, 100), note: note.slice(0, 1_000) }, now())
        return redirect(`/incidents/${params.id}`)
      },
      written,
    )
    .get('/rules', () => rulesPage({}))
    .post(
      '/rules',
      async ({ request }) => {
        const values = await readForm(request)
        return answering(
          async () => {
            await addRule(db, checkRule(ruleOf(values)), now())
            return redirect('/rules')
          },
          (error, status) => rulesPage({ values, error }, status),
        )
      },
      written,
    )
    .post(
      '/rules/:id/toggle',
      async ({ params }) => {
        const { isEnabled } = await getRule(db, params.id)
        await changeRule(db, params.id, { isEnabled: !isEnabled }, now())
        return redirect('/rules')
      },
      written,
    )
    .post(
      '/rules/:id/remove',
      async ({ params }) => {
        await removeRule(db, params.id, now())
        return redirect('/rules')
      },
      written,
    )
    .get('/silences', () => silencesPage({}))
    .post(
      '/silences',
      async ({ request }) => {
        const values = await readForm(request)
        return answering(
          async () => {
            await addSilence(db, silenceOf(values, now()), now())
            return redirect('/silences')
          },
          (error, status) => silencesPage({ values, error }, status),
        )
      },
      written,
    )
    .post(
      '/silences/:id/remove',
      async ({ params }) => {
        await removeSilence(db, params.id)
        return redirect('/silences')
      },
      written,
    )

  async function incidentPage(id: string): Promise<Response> {
    const incident = await getIncident(db, id)
    const [timeline, children, names] = await Promise.all([
      timelineOf(db, incident),
      listIncidents(db, { parent: incident.id, limit: CHILDREN_SHOWN }),
      streamNames(db, [incident.streamId]),
    ])
    const parent =
      incident.parentId === null ? null : await getIncident(db, incident.parentId).catch(() => null)
    const name = incident.streamId === null ? undefined : names.get(incident.streamId)
    const { since } = (incident.evidence ?? {}) as { since?: number }
    const data = {
      incident: incidentLine(incident),
      stream: name === undefined || incident.streamId === null ? null : { id: incident.streamId, name },
      host: incident.host,
      parent,
      children: children.items.map(incidentLine),
      moreChildren: children.next !== undefined,
      since: since === undefined ? undefined : new Date(since),
      timeline: timeline.map(timelineRow),
    }
    return html(<IncidentPage {...data} />)
  }

  async function rulesPage(form: FormState, status = 200): Promise<Response> {
    const list = await listRules(db)
    const names = await streamNames(
      db,
      list.map(({ streamId }) => streamId),
    )
    const rules = list.map((rule) => ({
      id: rule.id,
      name: rule.name,
      kind: rule.kind,
      scope: scopeOf(rule, names),
      params: JSON.stringify(rule.params),
      thresholds: `after ${rule.failureThreshold} looks, over after ${rule.successThreshold}`,
      isEnabled: rule.isEnabled,
    }))
    return html(<RulesPage rules={rules} kinds={RULE_KINDS} examples={EXAMPLES} form={form} />, { status })
  }

  async function silencesPage(form: FormState, status = 200): Promise<Response> {
    const list = await listSilences(db, now())
    const names = await streamNames(
      db,
      list.map(({ streamId }) => streamId),
    )
    const silences = list.map((silence) => {
      const window = silentAt(silence, now())
      return {
        id: silence.id,
        reason: silence.reason,
        scope: scopeOf(silence, names),
        when: whenOf(silence),
        active:
          window &&
          (Number.isFinite(window.to) ? `until ${readable(new Date(window.to))}` : 'until it is ended'),
      }
    })
    return html(<SilencesPage silences={silences} days={DAYS} form={form} />, { status })
  }
}

/** An incident as a line of a list. */
export function incidentLine(incident: IncidentRow): IncidentLine {
  const { id, title, detail, cause, affected, openedAt, acknowledgedBy, resolvedAt } = incident
  const state = stateOf(incident)
  return {
    id,
    title,
    detail,
    severity: severityOf(cause),
    state,
    affected,
    openedAt,
    acknowledgedBy,
    resolvedAt,
  }
}

const EVENTS: Record<TimelineItem['kind'], string> = {
  opened: 'Opened',
  worsened: 'Got worse',
  told: 'Told',
  reminded: 'Reminded',
  acknowledged: 'Acknowledged',
  resolved: 'Over',
  over: 'Told that it is over:',
}

function timelineRow({ at, kind, note, channel, delivery }: TimelineItem) {
  return {
    at,
    text: kind === 'told' && channel === null ? 'Told nobody' : EVENTS[kind],
    note,
    channel: channel && { href: `/channels/${channel.id}`, name: channel.name ?? 'a channel that is gone' },
    delivery: delivery && (delivery.status ?? 'no longer kept'),
  }
}

function scopeOf(
  { streamId, tag }: Pick<Silence, 'streamId' | 'tag'>,
  names: ReadonlyMap<string, string>,
): string {
  if (streamId !== null) return names.get(streamId) ?? 'a stream that is gone'
  return tag === null ? 'all streams' : `streams with the tag ${tag}`
}

function whenOf({ startsAt, endsAt, schedule }: Silence): string {
  if (schedule === null) return `${readable(startsAt)} to ${endsAt === null ? 'its end' : readable(endsAt)}`
  const { days, from, durationMinutes, timeZone } = schedule
  return `${days.join(', ')} from ${from} for ${durationMinutes} min (${timeZone})`
}

function readable(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function ruleOf({ name, kind, tag, params }: Record<string, string>): unknown {
  const text = params?.trim() || '{}'
  try {
    return { name, kind, params: JSON.parse(text), ...(tag && { tag }) }
  } catch {
    throw new Problem('invalid_field', `Parameters: "${text.slice(0, 100)}" isn't JSON.`, 'params')
  }
}

function silenceOf(values: Record<string, string>, now: number): Record<string, unknown> {
  const { reason, tag, from, timeZone } = values
  const durationMinutes = Number(values.durationMinutes)
  const scope = { reason, ...(tag && { tag }) }
  if (!from && !timeZone) {
    const end = new Date(now + durationMinutes * 60_000)
    if (Number.isNaN(end.getTime()))
      throw new Problem('invalid_field', 'For how many minutes?', 'durationMinutes')
    return { ...scope, endsAt: end.toISOString() }
  }
  const chosen = DAYS.filter((day) => values[day] === 'on')
  const days = chosen.length > 0 ? chosen : DAYS
  return { ...scope, schedule: { timeZone: timeZone ?? '', days, from: from ?? '', durationMinutes } }
}

/** Does what a form asks for; a mistake in it is shown with the form. */
async function answering(
  act: () => Promise<Response>,
  refused: (detail: string, status: number) => Promise<Response>,
): Promise<Response> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return refused(error.detail, error.status)
  }
}

function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { Location: to } })
}
