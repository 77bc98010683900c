import { Elysia } from 'elysia'
import {
  RulesPage,
  SilenceItem,
  type SilenceRow,
  SilencesPage,
  SilencesPanel,
  type SimpleFormState,
} from '../../../views/incidents/rules.tsx'
import { DAYS } from '../../core/judging/schedule.ts'
import { utcMinute } from '../../core/units.ts'
import { Problem } from '../../errors.ts'
import { streamNames } from '../../incidents/read.ts'
import { checkRule } from '../../incidents/rule-input.ts'
import { eachRuleKind, RULE_KINDS } from '../../incidents/rule-kinds.ts'
import { addRule, changeRule, getRule, listRules, removeRule } from '../../incidents/rules.ts'
import { addSilence, listSilences, removeSilence, type Silence, silentAt } from '../../incidents/silences.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LivePart } from '../live/live-views.tsx'
import type { IncidentRoutesDeps } from './incidents.ts'

const EXAMPLES = eachRuleKind(({ example }) => example)

/** The rule and silence pages. */
export function rulePages(deps: IncidentRoutesDeps & { pages: LivePages }) {
  const { db, now, pages } = deps
  return new Elysia({ detail: { hide: true } })
    .get('/rules', ({ request }) => rulesPage(request, {}))
    .post('/rules', async ({ request }) => {
      const values = await readForm(request)
      return answering(
        async () => {
          await addRule(deps, checkRule(ruleOf(values)), now())
          return redirect('/rules')
        },
        (error, status) => rulesPage(request, { values, error }, status),
      )
    })
    .post('/rules/:id/toggle', async ({ params }) => {
      const { isEnabled } = await getRule(db, params.id)
      await changeRule(deps, params.id, { isEnabled: !isEnabled }, now())
      return redirect('/rules')
    })
    .post('/rules/:id/remove', async ({ params }) => {
      await removeRule(deps, params.id, now())
      return redirect('/rules')
    })
    .get('/silences', ({ request }) => silencesPage(request, {}))
    .get('/silences/live', ({ request, server }) => {
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['silences'], read: silencesParts })
    })
    .post('/silences', async ({ request }) => {
      const values = await readForm(request)
      return answering(
        async () => {
          await addSilence(deps, silenceOf(values, now()), now())
          return redirect('/silences')
        },
        (error, status) => silencesPage(request, { values, error }, status),
      )
    })
    .post('/silences/:id/remove', async ({ params }) => {
      await removeSilence(deps, params.id)
      return redirect('/silences')
    })

  async function rulesPage(request: Request, form: SimpleFormState, status = 200): Promise<Response> {
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
      thresholds: `opens after ${evaluations(rule.failureThreshold)}, resolves after ${evaluations(rule.successThreshold)}`,
      isEnabled: rule.isEnabled,
    }))
    return html(
      <RulesPage
        reader={readerOf(request)}
        rules={rules}
        kinds={RULE_KINDS}
        examples={EXAMPLES}
        form={form}
      />,
      { status },
    )
  }

  async function silencesPage(request: Request, form: SimpleFormState, status = 200): Promise<Response> {
    return html(
      <SilencesPage reader={readerOf(request)} silences={await silenceRows()} days={DAYS} form={form} />,
      { status },
    )
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
          (Number.isFinite(window.to) ? `until ${readable(new Date(window.to))}` : 'until you end it'),
      }
    })
  }
}

function scopeOf(
  { streamId, tag }: Pick<Silence, 'streamId' | 'tag'>,
  names: ReadonlyMap<string, string>,
): string {
  if (streamId !== null) return names.get(streamId) ?? 'a deleted stream'
  return tag === null ? 'all streams' : `streams tagged ${tag}`
}

function whenOf({ startsAt, endsAt, schedule }: Silence): string {
  if (schedule === null)
    return endsAt === null ? `from ${readable(startsAt)}` : `${readable(startsAt)} to ${readable(endsAt)}`
  const { days, from, durationMinutes, timeZone } = schedule
  return `${days.join(', ')} from ${from} for ${durationMinutes} min (${timeZone})`
}

function evaluations(count: number): string {
  return count === 1 ? '1 evaluation' : `${count} evaluations`
}

function readable(at: Date): string {
  return `${utcMinute(at)} UTC`
}

function ruleOf({ name, kind, tag, params }: Record<string, string>): unknown {
  const text = params?.trim() || '{}'
  try {
    return { name, kind, params: JSON.parse(text), ...(tag && { tag }) }
  } catch {
    throw new Problem('invalid_field', `Parameters aren't valid JSON: "${text.slice(0, 100)}".`, 'params')
  }
}

function silenceOf(values: Record<string, string>, now: number): Record<string, unknown> {
  const { reason, tag, from, timeZone } = values
  const durationMinutes = Number(values.durationMinutes)
  const scope = { reason, ...(tag && { tag }) }
  if (!from && !timeZone) {
    const end = new Date(now + durationMinutes * 60_000)
    if (Number.isNaN(end.getTime()))
      throw new Problem('invalid_field', 'Enter a duration in minutes.', 'durationMinutes')
    return { ...scope, endsAt: end.toISOString() }
  }
  const chosen = DAYS.filter((day) => values[day] === 'on')
  const days = chosen.length > 0 ? chosen : DAYS
  return { ...scope, schedule: { timeZone: timeZone ?? '', days, from: from ?? '', durationMinutes } }
}

/** Processes a form; an error is shown next to it. */
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
