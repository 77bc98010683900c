import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian keeps libraries of an architecture. */
const LIBRARIES = '/usr/lib'
const NAME = 'faketime/libfaketime.so.1'

/** The library that shows a process another time; undefined where it isn't installed. */
export const LIBFAKETIME = findLibrary()

/**
 * The clock of a process and its children. The real one runs beside it: timers and `performance.now` show no jump, as on
 * a machine whose clock is set.
 * @see https://github.com/wolfcw/libfaketime
 */
export class Clock {
  readonly #file: string

  constructor(directory: string, name: string) {
    this.#file = join(directory, `clock-${name}`)
    this.set(0)
  }

  /** What makes a process read this clock. */
  get environment(): Record<string, string> {
    if (LIBFAKETIME === undefined) return {}
    return {
      LD_PRELOAD: LIBFAKETIME,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_CACHE_DURATION: '1',
    }
  }

  /** Sets it ahead of the real time, or behind, in milliseconds: processes notice within a second. */
  set(aheadMs: number): void {
    writeFileSync(`${this.#file}.next`, `${aheadMs < 0 ? '-' : '+'}${Math.abs(aheadMs) / 1_000}\n`)
    renameSync(`${this.#file}.next`, this.#file)
  }
}

function findLibrary(): string | undefined {
  if (!existsSync(LIBRARIES)) return undefined
  return readdirSync(LIBRARIES)
    .map((name) => join(LIBRARIES, name, NAME))
    .find((path) => existsSync(path))
}
