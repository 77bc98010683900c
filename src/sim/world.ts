import { setTimeout as delay } from 'node:timers/promises'

/** What the simulation takes from outside itself, so that a test can hold it. */
export interface World {
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Milliseconds since the epoch. */
  now(): number
  /** Waits. @throws AbortError as soon as `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Tells the person at the terminal, one line without its line end. */
  log(line: string): void
}

export const realWorld: World = {
  fetch: (url, init) => fetch(url, init),
  now: Date.now,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  log: (line) => console.log(line),
}

/** Runs an endless procedure until `closing` aborts; what it throws before that is a bug and goes on up. */
export async function untilClosed(closing: AbortSignal, procedure: () => Promise<unknown>): Promise<void> {
  try {
    await procedure()
  } catch (error) {
    if (!closing.aborted) throw error
  }
}
