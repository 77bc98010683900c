/** The data of a `gap` in a log. What there is depends on its reason. */
type Gap = Readonly<Record<string, unknown>>

/** Why something may be missing from a log, and the sentence that says so. */
export const GAP_REASON = {
  no_last_event_id: (gap) =>
    `Events may be missing${between(gap)}: the connection broke, and there was no event ID to resume from.`,
  resume_unproven: (gap) =>
    `Events may be missing${between(gap)}: the connection broke, and the upstream didn't show that it sent all of them.`,
  missing_ids: ({ count, firstId, lastId }) =>
    count === 1
      ? `1 event is missing: ID ${firstId}.`
      : `${many(count)} events are missing: IDs ${firstId} to ${lastId}.`,
  not_polled: (gap) => `Not polled${between(gap)}.`,
  buffer_full: (gap) =>
    `Dropped ${gap.count === 1 ? '1 entry' : `${many(gap.count)} entries`}${between(gap)}, because the database couldn't keep up.`,
  not_storable: ({ kind }) => `The database rejected 1 entry${typeof kind === 'string' ? ` (${kind})` : ''}.`,
} as const satisfies Record<string, (gap: Gap) => string>

export type GapReason = keyof typeof GAP_REASON

/** Why a subscriber doesn't get entries of a log, and the sentence that says so. */
export const SKIP_REASON = {
  unknown_id: ({ from, to }) => `Entry ${from} isn't in the log. Continuing after entry ${to}.`,
  too_many: ({ from, to }) => `Skipped entries ${from} to ${to}: too many were missed to send them all.`,
  not_kept: ({ from, to }) =>
    from === to ? `Entry ${from} is no longer stored.` : `Entries ${from} to ${to} are no longer stored.`,
} as const satisfies Record<string, (gap: Gap) => string>

export type SkipReason = keyof typeof SKIP_REASON
export const SKIP_REASONS = Object.keys(SKIP_REASON) as SkipReason[]

/** What a `gap` in a log says to people; `undefined` for data that isn't one. */
export function gapSentence(data: unknown): string | undefined {
  return sentence(GAP_REASON, data)
}

/** What a `gap` sent to a subscriber of a log says to people; `undefined` for data that isn't one. */
export function skipSentence(data: unknown): string | undefined {
  return sentence(SKIP_REASON, data)
}

function sentence(
  reasons: Readonly<Record<string, (gap: Gap) => string>>,
  data: unknown,
): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const gap = data as Gap
  const isKnown = typeof gap.reason === 'string' && Object.hasOwn(reasons, gap.reason)
  return isKnown ? reasons[gap.reason as string]?.(gap) : undefined
}

function many(count: unknown): string {
  return typeof count === 'number' ? count.toLocaleString('en') : 'Some'
}

/** From when to when, in UTC: to the minute, or to the second within one, and with dates unless it is one day. */
function between({ from, to }: Gap): string {
  const [start, end] = [instant(from), instant(to)]
  if (start === undefined || end === undefined) return ''
  const isOneDay = start.slice(0, DATE_CHARS) === end.slice(0, DATE_CHARS)
  const isOneMinute = start.slice(0, MINUTE_CHARS) === end.slice(0, MINUTE_CHARS)
  const shown = (at: string) =>
    at.slice(isOneDay ? DATE_CHARS + 1 : 0, isOneMinute ? undefined : MINUTE_CHARS)
  return ` from ${shown(start)} to ${shown(end)} UTC`
}

const DATE_CHARS = '2026-11-30'.length
const MINUTE_CHARS = '2026-11-30 09:23'.length

/** `2026-11-30 09:23:05`, in UTC. */
function instant(value: unknown): string | undefined {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) return undefined
  return new Date(value).toISOString().slice(0, 19).replace('T', ' ')
}
