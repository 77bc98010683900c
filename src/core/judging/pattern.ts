import { RE2JS, RE2JSException } from 're2js'

/** A regular expression in RE2 syntax. Matching takes time proportional to pattern × text, whatever the pattern. */
export interface Pattern {
  /** Whether it matches somewhere in the text; only the first {@link MAX_MATCHED_CHARS} count. */
  test(text: string): boolean
}

/** In UTF-16 units. */
export const MAX_PATTERN_CHARS = 200
export const MAX_MATCHED_CHARS = 10_000
/**
 * Instructions of a compiled pattern. RE2 unrolls `{n,m}`, so a short pattern can be a large program; without it, no pattern of
 * {@link MAX_PATTERN_CHARS} has more than 340.
 */
const MAX_PROGRAM = 500

/** An invalid pattern; the message says why. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

/**
 * @see https://github.com/google/re2/wiki/Syntax
 * @throws PatternError
 */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_CHARS) throw new PatternError(`It exceeds ${MAX_PATTERN_CHARS} characters.`)
  const compiled = compile(source)
  if (compiled.programSize() > MAX_PROGRAM)
    throw new PatternError('It repeats too much: use smaller numbers in {n,m}.')
  return { test: (text) => compiled.test(text.slice(0, MAX_MATCHED_CHARS)) }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = error.message.replace('error parsing regexp: ', '')
    throw new PatternError(`RE2 reports: ${reason}.`)
  }
}
