import type { Evidence } from '../../../core/judging/status.ts'
import { DAY_MS } from '../../../core/time.ts'

/**
 * A rhythm counts once it was measured for this long, in milliseconds, because a burst doesn't reveal the usual
 * pauses.
 */
const LEARN_MS = 300_000
/** Silence is allowed for this many times the longest wait … */
const RHYTHM_FACTOR = 4
/** … but at least for this long, in milliseconds, because networks have brief outages. */
const LEAST_MS = 5_000
/** Longest allowed silence, in milliseconds, whatever was learned and however often the stream was silent before. */
const MOST_MS = 600_000
/** The longest wait decays over about this time, in milliseconds: long enough to include last night. */
const FADE_MS = DAY_MS

/**
 * Records one more chunk of an event stream.
 * @param waitMs how long nothing had arrived, in milliseconds
 */
export function learnRhythm(
  evidence: Evidence,
  nowMs: number,
  waitMs = nowMs - (evidence.lastByteAt ?? nowMs),
): void {
  const { longestMs, since } = evidence.rhythm ?? { longestMs: 0, since: nowMs }
  evidence.rhythm = { longestMs: Math.max(waitMs, longestMs * (1 - Math.min(1, waitMs / FADE_MS))), since }
}

/**
 * How long a connection may be silent, in milliseconds: the configured value, or a multiple of the stream's own rhythm,
 * or the default while there is no rhythm. It doubles with every connection that fell silent before: a stream without
 * data for minutes is reconnected less and less often.
 */
export function allowedSilence(
  evidence: Evidence,
  setMs: number | null,
  defaultMs: number,
  nowMs: number,
): number {
  if (setMs !== null) return setMs
  const { rhythm, silences = 0 } = evidence
  const learned = rhythm !== undefined && nowMs - rhythm.since >= LEARN_MS
  const baseMs = learned ? Math.max(LEAST_MS, RHYTHM_FACTOR * rhythm.longestMs) : defaultMs
  return Math.min(baseMs * 2 ** Math.min(silences, 10), MOST_MS)
}
