/** What a mistake breaks, where every one must be seen. Others are `rule`s. */
export const GUARDS = [
  'fence',
  'lock',
  'redaction',
  'scope',
  'bound',
  'timer',
  'unit',
  'wiring',
  'rule',
] as const

export type Guard = (typeof GUARDS)[number]

/** A single mistake of a kind that people make, which the tests near the code should see. */
export interface Mistake {
  /** Unique; what is wrong, in a few words. */
  name: string
  guard: Guard
  /** Path from the top of the repository. */
  file: string
  /** Occurs exactly once in the file. */
  find: string
  replace: string
  /** What a user would suffer from it. */
  hurts: string
  /** Test files that should see it, the nearest first. */
  tests: readonly string[]
}
