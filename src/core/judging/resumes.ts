/** Breaks after which the upstream was asked to resume, by what came next. */
export interface Resumes {
  /** It was shown that nothing is missing: by events that were sent again, or by IDs that count on. */
  proven: number
  /** IDs were missing. */
  missed: number
  /** Nothing shows whether events are missing. */
  unproven: number
  /** The same, and the stream's owner declares that the upstream resumes. */
  trusted: number
}

/** The counters, with those that aren't stored: one that never counted is left out by earlier versions. */
export function resumesOf(stored: Partial<Resumes> | undefined): Resumes {
  return { proven: 0, missed: 0, unproven: 0, trusted: 0, ...stored }
}

/** Whether an upstream resumes, in words; `undefined` before anything is known. */
export function resumesText(
  isDeclared: boolean,
  { proven, missed, unproven, trusted }: Resumes,
): string | undefined {
  const gaps = missed + unproven
  if (isDeclared) {
    if (missed > 0) return `declared by you, but ${leftGaps(missed)}`
    return trusted > 0 ? `declared by you, trusted ${times(trusted)}` : 'declared by you'
  }
  if (missed > 0) return proven > 0 ? `not always, ${leftGaps(gaps)}` : `no, ${leftGaps(gaps)}`
  if (proven > 0) return `yes, seen ${times(proven)}${unproven > 0 ? `; ${leftGaps(unproven)}` : ''}`
  return unproven > 0 ? `unknown, ${leftGaps(unproven)}` : undefined
}

function leftGaps(breaks: number): string {
  return breaks === 1 ? '1 break left a gap' : `${breaks.toLocaleString('en')} breaks left gaps`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count.toLocaleString('en')} times`
}
