import { jest } from 'bun:test'

/** Turns after which everything has happened that waits for no time: far more than a chain of promises has links. */
const TURNS = 500

/** Lets everything happen that waits for no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve()
}

/** With fake timers: the given time goes by, and what waits for it happens. */
export async function elapse(ms: number): Promise<void> {
  await settle()
  jest.advanceTimersByTime(ms)
  await settle()
}
