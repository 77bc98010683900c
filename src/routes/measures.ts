import { Elysia } from 'elysia'
import { changeRate, STEPS_MS, type Step, streamRank } from '../core/measures.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { hourOfWeek, lastChange, type Span, stepsOf, sumsOf } from '../streams/measures.ts'
import type { Streams } from '../streams/streams.ts'
import { dateOf, oneOf, query } from './input.ts'

const DAY_MS = STEPS_MS.day
/** What is measured when nothing is said: the last 24 hours, by the hour. */
const DEFAULT_SPAN_MS = DAY_MS
const DEFAULT_STEP: Step = 'hour'
const STEPS = Object.keys(STEPS_MS) as Step[]

/** How large a stream's responses are, and how often they change. */
export function measureRoutes({ db, streams }: { db: Database; streams: Streams }) {
  return new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/streams/:id/size',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        const span = spanOf(request)
        const [total, steps] = await Promise.all([sumsOf(db, id, span.from, span.to), stepsOf(db, id, span)])
        const size = ({
          entries,
          wireBytes,
          bodyBytes,
          patchBytes,
        }: (typeof steps)[number] | typeof total) => ({
          entries,
          wireBytes,
          bodyBytes,
          patchBytes,
        })
        return { ...span, total: size(total), steps: steps.map((step) => ({ at: step.at, ...size(step) })) }
      },
      { detail: docs('Bytes of every partial response', SIZE) },
    )
    .get(
      '/api/streams/:id/change',
      async ({ params, request }) => {
        const { id } = await streams.get(params.id)
        const span = spanOf(request)
        const now = new Date()
        const [total, lastDay, steps, lastChangedAt, profile] = await Promise.all([
          sumsOf(db, id, span.from, span.to),
          sumsOf(db, id, new Date(now.getTime() - DAY_MS), now),
          stepsOf(db, id, span),
          lastChange(db, id),
          hourOfWeek(db, id),
        ])
        return {
          ...span,
          compared: total.compared,
          changed: total.changed,
          changeRate: changeRate(total),
          streamRank: streamRank(lastDay),
          lastChangedAt: lastChangedAt ?? null,
          steps: steps.map((step) => ({
            at: step.at,
            compared: step.compared,
            changed: step.changed,
            changeRate: changeRate(step),
          })),
          hourOfWeek: profile.map((hour) => ({ ...hour, changeRate: changeRate(hour) })),
        }
      },
      { detail: docs('Whether and how often it changed', CHANGE) },
    )
}

const SIZE =
  '`wireBytes` as received, before decompression; `bodyBytes` after; `patchBytes` of the changes as RFC 6902 ' +
  'patches, or of the snapshot where that was smaller. No change, no patch, 0 bytes.'
const CHANGE =
  '`changeRate` = changed / compared. `streamRank` = 100 × changeRate over the last 24 h, with the number of ' +
  'samples behind it. `hourOfWeek` counts from Monday 00:00 UTC (0) to Sunday 23:00 (167).'

function spanOf(request: Request): Span {
  const { from, to, step } = query(request, 'from', 'to', 'step')
  const end = dateOf('to', to) ?? new Date()
  const start = dateOf('from', from) ?? new Date(end.getTime() - DEFAULT_SPAN_MS)
  if (start >= end) throw new Problem('invalid_field', 'from must be before to.', 'from')
  return { from: start, to: end, step: oneOf('step', step, STEPS) ?? DEFAULT_STEP }
}

function docs(summary: string, description: string) {
  const parameter = (name: string) => ({ name, in: 'query' as const, schema: { type: 'string' as const } })
  return { summary, description, parameters: ['from', 'to', 'step'].map(parameter) }
}
