import type { Output } from './command.ts'

/** Between two pictures of a progress, in milliseconds. */
const STEP_MS = 200

/** Shows how far something is. */
export interface ProgressLine {
  (text: string): Promise<void>
  /** Takes the line away. */
  end(): Promise<void>
}

/** One line that is written over again and again, at a terminal; nothing elsewhere. */
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
