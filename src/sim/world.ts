import { setTimeout as delay } from 'node:timers/promises'

/** The outside world of the simulation, which tests replace. */
export interface SimWorld {
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Waits.
   * @throws AbortError as soon as `signal` aborts.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Prints a line to the terminal. */
  log(line: string): void
}

export const realWorld: SimWorld = {
  fetch: (url, init) => fetch(url, init),
  now: Date.now,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  log: (line) => console.log(line),
}

/** Runs an endless procedure until `closing` aborts; an error before that is a bug, and is rethrown. */
export async function untilClosed(closing: AbortSignal, procedure: () => Promise<unknown>): Promise<void> {
  try {
    await procedure()
  } catch (error) {
    if (!closing.aborted) throw error
  }
}
