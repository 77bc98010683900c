import type { Evidence, RetryUse } from '../../core/judging/status.ts'
import { DAY_MS } from '../../core/time.ts'

/**
 * Retries of all polls of one host in a day (UTC), in each process: attempts before the next scheduled poll. Without any
 * left, a failing poll waits for its schedule.
 */
export const RETRIES_PER_DAY = 1_000

/** Hosts that are remembered; beyond that, the one that was used longest ago is forgotten, with its retries. */
const MAX_HOSTS = 10_000

interface Host {
  /** Which day, counted from the epoch. */
  day: number
  /** Retries of that day, of all streams and of each. */
  total: number
  used: Map<string, number>
}

/** What a poll's request identifies it by. */
interface Poll {
  id: string
  url: string
}

/** Bounds how often failing polls are retried before their time, so that a host that is down isn't also hammered. */
export class RetryBudget {
  readonly #perDay: number
  readonly #hosts = new Map<string, Host>()

  constructor(perDay = RETRIES_PER_DAY) {
    this.#perDay = perDay
  }

  /** Counts retries of an earlier run of a stream, which a restart of the process would forget. */
  restore({ id, url }: Poll, use: RetryUse | undefined, nowMs: number): void {
    const host = this.#host(url, nowMs)
    if (use?.day !== host.day) return
    add(host, id, Math.max(0, use.count - (host.used.get(id) ?? 0)))
  }

  /**
   * Takes a retry of the host's budget, if there is one.
   * @returns how the budget stands; `isTaken` is false if there was none left
   */
  take({ id, url }: Poll, nowMs: number): RetryUse & { isTaken: boolean } {
    const host = this.#host(url, nowMs)
    const isTaken = host.total < this.#perDay
    if (isTaken) add(host, id, 1)
    const left = Math.max(0, this.#perDay - host.total)
    return { day: host.day, count: host.used.get(id) ?? 0, left, isTaken }
  }

  #host(url: string, nowMs: number): Host {
    const name = new URL(url).host
    const day = Math.floor(nowMs / DAY_MS)
    const known = this.#hosts.get(name)
    const host = known?.day === day ? known : { day, total: 0, used: new Map<string, number>() }
    this.#hosts.delete(name)
    this.#hosts.set(name, host)
    const [oldest] = this.#hosts.keys()
    if (this.#hosts.size > MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest)
    return host
  }
}

/** What a failing stream's host has left; `undefined` for one that doesn't fail, or that hasn't retried. */
export function retryBudgetOf({ failures, retries }: Pick<Evidence, 'failures' | 'retries'>) {
  if (failures === 0 || retries === undefined) return undefined
  return {
    left: retries.left,
    perDay: RETRIES_PER_DAY,
    resetsAt: new Date((retries.day + 1) * DAY_MS),
  }
}

function add(host: Host, id: string, count: number): void {
  host.total += count
  host.used.set(id, (host.used.get(id) ?? 0) + count)
}
