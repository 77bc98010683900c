/** What a bench is run with. */
export interface Context {
  /** The form that CI runs: everything happens once, smaller and shorter, and nothing is concluded from its figures. */
  short: boolean
  /** How long what has to go on for long goes on; the short form is shorter. */
  minutes: number
  /** Of whatever is random in the work. */
  seed: number
  /** Tells a person what is being done. */
  log(line: string): void
  /** What is deferred here is ended, in reverse, when the bench is over, however it ends. */
  scope: AsyncDisposableStack
}

export interface Table {
  columns: readonly string[]
  rows: readonly (readonly string[])[]
}

/** One thing to reach. */
export interface Goal {
  text: string
  /** What was measured, with its unit. */
  measured: string
  reached: boolean
}

export interface Report {
  /** How the work was done and measured, in a few sentences. */
  method: string
  tables: readonly Table[]
  goals: readonly Goal[]
  /** Which peers are missing, what was left out. */
  notes: readonly string[]
}

export interface Bench {
  /** What keeps it from what it is to reach, and what was tried. */
  limits?: readonly string[]
  /** In one line: the question that it answers. */
  title: string
  run(context: Context): Promise<Report>
}

/** A peer that isn't on this machine: told in the results, never left out in silence. */
export class PeerMissing extends Error {
  override readonly name = 'PeerMissing'
}
