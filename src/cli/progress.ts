import type { Output } from './command.ts'

/** Minimum time between updates, in milliseconds. */
const STEP_MS = 200

/** Shows progress. */
export interface ProgressLine {
  (text: string): Promise<void>
  /** Clears the line. */
  end(): Promise<void>
}

/** A line that is overwritten in place on a terminal; nothing elsewhere. */
export function progressLine(err: Output, now: () => number): ProgressLine {
  let shownAt = Number.NEGATIVE_INFINITY
  const show = async (text: string) => {
    if (err.columns === undefined || now() - shownAt < STEP_MS) return
    shownAt = now()
    await err.write(`\r\u001b[K${text.slice(0, err.columns - 1)}`)
  }
  const end = async () => {
    if (Number.isFinite(shownAt)) await err.write('\r\u001b[K')
  }
  return Object.assign(show, { end })
}
