import { span } from '../core/judging/status.ts'
import type { Cause } from './causes.ts'

/** What an incident says about its time. */
export interface Timed {
  cause: string
  openedAt: Date
  resolvedAt: Date | null
  /** May hold when the trouble began and ended as `since` and `until`, milliseconds since the epoch. */
  evidence: unknown
}

/** How long an incident lasted, as every page, answer and message tells it. Times in milliseconds since the epoch. */
export interface Period {
  /** The first failure, not the opening: several evaluations may pass until then. */
  since: number
  /** Omitted while it is open. */
  until?: number
  durationMs: number
  /** What the time was spent as. */
  word: string
}

/** Causes that count from the first failure; what a rule finds counts from the opening. */
const WORDS: Partial<Record<Cause, string>> = {
  stalled: 'Down',
  dead: 'Down',
  host: 'Down',
  egress: 'Down',
  degraded: 'Degraded',
  flapping: 'Flapping',
}

/** Whether the stream, host or network was unavailable. */
export function isOutage(cause: string): boolean {
  return WORDS[cause as Cause] === 'Down'
}

export function periodOf({ cause, openedAt, resolvedAt, evidence }: Timed, now: number): Period {
  const opened = openedAt.getTime()
  const word = WORDS[cause as Cause]
  const stored = (word === undefined ? {} : (evidence ?? {})) as { since?: number; until?: number }
  const resolved = resolvedAt?.getTime()
  const end = resolved ?? Math.max(now, opened)
  const since = Math.min(stored.since ?? opened, opened, end)
  const until =
    resolved === undefined ? undefined : Math.max(since, Math.min(stored.until ?? resolved, resolved))
  return { since, until, durationMs: (until ?? end) - since, word: word ?? 'Lasted' }
}

/** A period as text, such as `Down 13 min`. */
export function periodText({ word, durationMs }: Period): string {
  return `${word} ${span(durationMs)}`
}

/** The same for answers. */
export function periodJson(incident: Timed, now: number) {
  const { since, until, durationMs } = periodOf(incident, now)
  return {
    since: new Date(since).toISOString(),
    until: until === undefined ? null : new Date(until).toISOString(),
    durationMs,
  }
}
