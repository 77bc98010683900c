import { Elysia } from 'elysia'
import {
  type FormState,
  RulesPage,
  SilenceItem,
  type SilenceRow,
  SilencesPage,
  SilencesPanel,
} from '../../../views/incidents/rules.tsx'
import { DAYS } from '../../core/judging/schedule.ts'
import { Problem } from '../../errors.ts'
import { streamNames } from '../../incidents/read.ts'
import { checkRule, RULE_KINDS } from '../../incidents/rule-input.ts'
import { addRule, changeRule, getRule, listRules, type Rule, removeRule } from '../../incidents/rules.ts'
import { addSilence, listSilences, removeSilence, type Silence, silentAt } from '../../incidents/silences.ts'
import { html } from '../http/html.ts'
import { readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LivePart } from '../live/live-views.tsx'
import type { IncidentRoutesDeps } from './incidents.ts'

const EXAMPLES: Record<Rule['kind'], string> = {
  errorRate: '{"above": 0.2, "windowMs": 600000}',
  changed: '{"everyMs": 300000}',
  unchanged: '{"forMs": 3600000}',
  changeRate: '{"min": 0.01, "max": 0.5} or {} to learn',
  size: '{"max": 100000} or {} to learn',
  condition: '{"pointer": "/status", "op": "notEquals", "value": "ok"}',
}

/** The pages about by which rules something is wrong, and when nobody is told. */
export function rulePages({ db, now, pages }: IncidentRoutesDeps & { pages: LivePages }) {
  const written = { parse: 'none' } as const
  return new Elysia({ detail: { hide: true } })
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
    .get('/silences/live', ({ request, server }) => {
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['silences'], read: silencesParts })
    })
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
    return html(<SilencesPage silences={await silenceRows()} days={DAYS} form={form} />, { status })
  }

  async function silencesParts(): Promise<LivePart[]> {
    const list = await silenceRows()
    const rows = list.map(
      (silence) => [`silence-${silence.id}`, String(<SilenceItem {...silence} />)] as const,
    )
    return [{ id: 'silences', html: String(<SilencesPanel silences={list} />), rows }]
  }

  async function silenceRows(): Promise<SilenceRow[]> {
    const list = await listSilences(db, now())
    const names = await streamNames(
      db,
      list.map(({ streamId }) => streamId),
    )
    return list.map((silence) => {
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
