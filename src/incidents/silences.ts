import { Type } from '@sinclair/typebox'
import { asc, eq, gte, isNull, or } from 'drizzle-orm'
import { silences } from '../../drizzle/schema.ts'
import {
  DAYS,
  isTimeZone,
  MAX_WINDOW_MINUTES,
  type Schedule,
  type WindowAt,
  windowAfter,
  windowAt,
} from '../core/judging/schedule.ts'
import { DAY_MS, instantProblem, parseInstant } from '../core/time.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import { checked } from '../schema.ts'
import type { Database } from '../storage/storage.ts'
import { type Changes, requireStream } from './rules.ts'

/** A time without notifications. */
export type Silence = Omit<typeof silences.$inferSelect, 'schedule'> & { schedule: Schedule | null }

/** Active and upcoming ones; more would make every evaluation slow. */
const MAX_SILENCES = 500
/** Longest one-off silence, in milliseconds: a stream that should never notify needs no channel. */
const MAX_ONCE_MS = 366 * DAY_MS

const time = Type.String({ maxLength: 40, description: 'ISO 8601' })
const strict = { additionalProperties: false }
export const ScheduleSchema = Type.Object(
  {
    timeZone: Type.String({ maxLength: 64, description: 'IANA name, such as Europe/Berlin' }),
    days: Type.Array(Type.Union(DAYS.map((day) => Type.Literal(day))), { minItems: 1, maxItems: 7 }),
    from: Type.String({
      pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
      description: 'HH:MM in that time zone',
    }),
    durationMinutes: Type.Integer({ minimum: 1, maximum: MAX_WINDOW_MINUTES }),
  },
  strict,
)
const optional = {
  streamId: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
}

/** The body of `POST /api/silences`. */
export const SilenceSchema = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: 500 }),
    ...optional,
    startsAt: Type.Optional(time),
    endsAt: Type.Optional(time),
    schedule: Type.Optional(ScheduleSchema),
  },
  strict,
)

/** Checks a silence. @throws Problem `invalid_field`, naming the field */
export function checkSilence(value: unknown, now: number): Omit<Silence, 'id' | 'createdAt'> {
  const { reason, streamId, tag, startsAt, endsAt, schedule } = checked(SilenceSchema, value)
  if (streamId !== undefined && tag !== undefined)
    throw invalid('Give either `streamId` or `tag`, not both.', 'tag')
  if (schedule !== undefined && !isTimeZone(schedule.timeZone)) {
    throw invalid(
      `Unknown time zone "${schedule.timeZone}". Use an IANA name such as Europe/Berlin.`,
      'schedule',
    )
  }
  const from = dateIn('startsAt', startsAt) ?? new Date(now)
  const to = dateIn('endsAt', endsAt) ?? null
  if (to === null && schedule === undefined) throw invalid('Set an end time or a schedule.', 'endsAt')
  if (to !== null && to <= from) throw invalid('The end must be after the start.', 'endsAt')
  if (to !== null && schedule === undefined && to.getTime() - from.getTime() > MAX_ONCE_MS) {
    throw invalid("A silence can't last longer than a year.", 'endsAt')
  }
  const scope = { streamId: streamId ?? null, tag: tag ?? null }
  return { reason, ...scope, startsAt: from, endsAt: to, schedule: schedule ?? null }
}

/** Active and upcoming silences, and past ones too with `past`; newest last, up to 500. */
export async function listSilences(db: Database, now: number, past = false): Promise<Silence[]> {
  const current = or(isNull(silences.endsAt), gte(silences.endsAt, new Date(now)))
  const rows = await db
    .select()
    .from(silences)
    .where(past ? undefined : current)
    .orderBy(asc(silences.id))
    .limit(MAX_SILENCES)
  return rows as Silence[]
}

/** @throws Problem `not_found` */
export async function getSilence(db: Database, id: string): Promise<Silence> {
  const [silence] = isUuid(id) ? await db.select().from(silences).where(eq(silences.id, id)) : []
  if (silence === undefined) throw new Problem('not_found', `No silence has the ID ${id.slice(0, 64)}.`)
  return silence as Silence
}

/** @throws Problem `invalid_field`, `conflict` beyond 500 active and upcoming ones */
export async function addSilence({ db, bus }: Changes, input: unknown, now: number): Promise<Silence> {
  const checked = checkSilence(input, now)
  await requireStream(db, checked.streamId)
  if ((await listSilences(db, now)).length >= MAX_SILENCES) {
    throw new Problem('conflict', `The limit of ${MAX_SILENCES} silences is reached. End one first.`)
  }
  const values = { id: Bun.randomUUIDv7(), ...checked, createdAt: new Date(now) }
  await db.insert(silences).values(values)
  bus.publish({ type: 'silence.updated' })
  return values
}

/** Changes any part of a silence. @throws Problem `not_found`, `invalid_field` */
export async function changeSilence(
  { db, bus }: Changes,
  id: string,
  change: Record<string, unknown>,
  now: number,
): Promise<Silence> {
  const { reason, streamId, tag, startsAt, endsAt, schedule } = await getSilence(db, id)
  const before = {
    reason,
    streamId,
    tag,
    startsAt: startsAt.toISOString(),
    endsAt: endsAt?.toISOString(),
    schedule,
  }
  const merged = Object.entries({ ...before, ...change }).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  const checked = checkSilence(Object.fromEntries(merged), now)
  await requireStream(db, checked.streamId)
  await db.update(silences).set(checked).where(eq(silences.id, id))
  bus.publish({ type: 'silence.updated' })
  return getSilence(db, id)
}

/** @throws Problem `not_found` */
export async function removeSilence({ db, bus }: Changes, id: string): Promise<void> {
  await getSilence(db, id)
  await db.delete(silences).where(eq(silences.id, id))
  bus.publish({ type: 'silence.updated' })
}

/** The window that an instant falls in; `undefined` when the silence isn't active. */
export function silentAt({ startsAt, endsAt, schedule }: Silence, at: number): WindowAt | undefined {
  const [from, to] = [startsAt.getTime(), endsAt?.getTime() ?? Number.POSITIVE_INFINITY]
  if (at < from || at >= to) return undefined
  if (schedule === null) return { from, to }
  const window = windowAt(schedule, at)
  return window && { from: Math.max(window.from, from), to: Math.min(window.to, to) }
}

/** The next window, if the silence isn't active now. */
export function silentNext({ startsAt, endsAt, schedule }: Silence, at: number): WindowAt | undefined {
  const [from, to] = [startsAt.getTime(), endsAt?.getTime() ?? Number.POSITIVE_INFINITY]
  const window = schedule === null ? { from, to } : windowAfter(schedule, Math.max(at, from))
  return window !== undefined && window.from > at && window.from < to ? window : undefined
}

/** Whether a stream's notifications are silenced now; `undefined` stands for an incident shared by many streams. */
export type IsSilent = (stream: { id: string; tags: readonly string[] } | undefined) => boolean

/** Returns a check for whether a stream is silenced at an instant. */
export async function silencing(db: Database, now: number): Promise<IsSilent> {
  return isSilentBy(await listSilences(db, now), now)
}

/** The same by silences that were read before. */
export function isSilentBy(silences: readonly Silence[], at: number): IsSilent {
  const active = silences.filter((silence) => silentAt(silence, at) !== undefined)
  const ofAll = active.some(({ streamId, tag }) => streamId === null && tag === null)
  const ids = new Set(active.map(({ streamId }) => streamId))
  const tags = active.flatMap(({ tag }) => tag ?? [])
  return (stream) =>
    ofAll || (stream !== undefined && (ids.has(stream.id) || tags.some((tag) => stream.tags.includes(tag))))
}

function dateIn(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const date = parseInstant(text)
  if (date !== undefined) return date
  throw invalid(instantProblem(name, text), name)
}

function invalid(detail: string, field: string): Problem {
  return new Problem('invalid_field', detail, field)
}
