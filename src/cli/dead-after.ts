import { type Command, type Given, UsageError } from './command.ts'
import { durationMs } from './durations.ts'

/** Gives a stream the global setting again. */
const DEFAULT = 'default'

export const DEAD_AFTER_OPTIONS = {
  'dead-after': {
    value: 'DURATION',
    help: 'time since the first failure in a row after which it is dead, such as 5m (default: DEAD_AFTER_MS)',
  },
  'dead-after-failures': {
    value: 'COUNT',
    help: 'failures in a row, if that takes longer (default: DEAD_AFTER_FAILURES)',
  },
} satisfies Command['options']

/** When the stream is dead, as far as the options say. @throws UsageError */
export function deadAfter(given: Given): { deadAfterMs?: number | null; deadAfterFailures?: number | null } {
  const [time, failures] = [given.text('dead-after'), given.text('dead-after-failures')]
  return {
    ...(time !== undefined && { deadAfterMs: timeOf(time) }),
    ...(failures !== undefined && { deadAfterFailures: countOf(failures) }),
  }
}

function timeOf(text: string): number | null {
  if (text === DEFAULT) return null
  const ms = durationMs(text)
  if (ms === undefined)
    throw new UsageError([`--dead-after: expected a duration such as 5m, or ${DEFAULT}, got "${text}"`])
  return ms
}

function countOf(text: string): number | null {
  if (text === DEFAULT) return null
  if (!/^\d+$/.test(text))
    throw new UsageError([`--dead-after-failures: expected a whole number, or ${DEFAULT}, got "${text}"`])
  return Number(text)
}
