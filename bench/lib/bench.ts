/** The options of a bench run. */
export interface Context {
  /** The form for CI: everything runs once, smaller and shorter, and the figures mean nothing. */
  short: boolean
  /** Duration of long benches; ignored by the short form. */
  minutes: number
  /** Seed for random choices. */
  seed: number
  /** Prints progress. */
  log(line: string): void
  /** Deferred calls run in reverse when the bench ends, however it ends. */
  scope: AsyncDisposableStack
}

export interface Table {
  columns: readonly string[]
  rows: readonly (readonly string[])[]
}

/** A goal and its result. */
export interface Goal {
  text: string
  /** The measured value with its unit. */
  measured: string
  reached: boolean
}

export interface Report {
  /** How it was measured, in a few sentences. */
  method: string
  tables: readonly Table[]
  goals: readonly Goal[]
  /** Missing peers, and what was left out. */
  notes: readonly string[]
}

export interface Bench {
  /** Why it misses its goals, and what was tried. */
  limits?: readonly string[]
  /** The question that it answers, in one line. */
  title: string
  run(context: Context): Promise<Report>
}

/** A peer that isn't on this machine: mentioned in the results rather than left out silently. */
export class PeerMissing extends Error {
  override readonly name = 'PeerMissing'
}
