/** What a trial of the disk is given. */
export interface Trial {
  seed: number
  /** Cuts, or kills. */
  times: number
  /** To see that the trial notices: the database acknowledges what isn't on disk. */
  withoutSync: boolean
  logFile: string | undefined
  tell(line: string): void
  /** Registers what must be undone, whatever happens; the last one is undone first. */
  undo(step: () => Promise<unknown>): void
}

export interface TrialResult {
  /** What doesn't hold; empty if everything does. */
  faults: string[]
  figures: Record<string, number | string>
}
