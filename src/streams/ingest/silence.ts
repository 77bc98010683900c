import type { Evidence } from '../../core/judging/verdict.ts'

/** A rhythm is believed once it was watched for this long, in milliseconds: bursts say nothing about the pauses. */
const LEARN_MS = 300_000
/** Silence is allowed for this many times the longest wait … */
const RHYTHM_FACTOR = 4
/** … but never less than this, in milliseconds: networks hiccup. */
const LEAST_MS = 5_000
/** No wait for a byte is longer, in milliseconds, whatever was learnt or how often it was silent before. */
const MOST_MS = 600_000
/** The longest wait fades over about this time, in milliseconds: nights are as long ago as yesterday. */
const FADE_MS = 86_400_000

/** Takes note of one more chunk of an event stream. */
export function learnRhythm(evidence: Evidence, nowMs: number): void {
  const waitMs = nowMs - (evidence.lastByteAt ?? nowMs)
  const { longestMs, since } = evidence.rhythm ?? { longestMs: 0, since: nowMs }
  evidence.rhythm = { longestMs: Math.max(waitMs, longestMs * (1 - Math.min(1, waitMs / FADE_MS))), since }
}

/**
 * How long a connection may be silent, in milliseconds: what the owner set, or a multiple of the stream's own rhythm,
 * or the default while there is none to go by. It doubles with every connection that fell silent before: a stream
 * that says nothing for minutes is asked less and less often whether it still lives.
 */
export function allowedSilence(
  evidence: Evidence,
  setMs: number | null,
  defaultMs: number,
  nowMs: number,
): number {
  if (setMs !== null) return setMs
  const { rhythm, silences = 0 } = evidence
  const learnt = rhythm !== undefined && nowMs - rhythm.since >= LEARN_MS
  const baseMs = learnt ? Math.max(LEAST_MS, RHYTHM_FACTOR * rhythm.longestMs) : defaultMs
  return Math.min(baseMs * 2 ** Math.min(silences, 10), MOST_MS)
}
