import { jest } from 'bun:test'

/** Turns after which everything has happened that waits for no time: far more than a chain of promises has links. */
const TURNS = 500

/** Lets everything happen that waits for no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve()
}

/**
 * With fake timers: the given time goes by, and what waits for it happens.
 * @param stepMs shorter if what happens sets timers in turn, which are due within that time
 */
export async function elapse(ms: number, stepMs = ms): Promise<void> {
  await settle()
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    jest.advanceTimersByTime(Math.min(stepMs, ms - passedMs))
    await settle()
  }
}
