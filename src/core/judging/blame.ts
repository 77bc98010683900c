import type { Evaluation } from './alarm.ts'

/** The state of the streams of one host, or of all: those that should run. */
export interface FailureTally {
  /** Those of them that are connecting or have no worker: their state is unknown. */
  total: number
  /** Failing. */
  failing: number
  /** Connected, or answered successfully. */
  up: number
}

/** A host's state; times in milliseconds since the epoch. */
export interface HostTally extends FailureTally {
  host: string
  /** When anything was last received from it. */
  lifeAt: number | undefined
  /** When the last of its failing streams began to fail. */
  failingAt?: number
  /** When so many of them had begun to fail that the host is to blame. */
  downAt?: number
}

/** If this many streams of a host, and at least half of them, fail together, the host is the cause. */
export const HOST_STREAMS = 3
export const HOST_SHARE = 0.5
/** If streams of this many hosts fail and none anywhere is up, Weir's own network is the cause. */
export const EGRESS_HOSTS = 3
/**
 * Recovered: at least this share is known to be up (after a restart of Weir, nothing fails, but nothing is known
 * either) …
 */
const BACK_SHARE = 0.9
/** … or it has been better for this many evaluations: the rest fail for other reasons. */
export const SETTLE_EVALUATIONS = 60
/** Data received from other hosts this long after a failure proves that Weir's network works, in milliseconds. */
const PROOF_MS = 10_000

/** Whether a shared problem is over. `better`: evaluations in a row that were no longer bad, but not yet good. */
export interface SharedEvaluation {
  evaluation: Evaluation
  better: number
}

/** Whether a host is to blame. */
export function evaluateHost(tally: FailureTally, wasOpen: boolean, better: number): SharedEvaluation {
  if (tally.total === 0) return { evaluation: 'none', better: 0 }
  const isBad = tally.failing >= HOST_STREAMS && tally.failing >= tally.total * HOST_SHARE
  return settle(isBad, tally, wasOpen, better)
}

/**
 * Whether Weir's own network is to blame.
 * @param isReachable the result of Weir's own check of other hosts; `undefined`: there is none, and the streams decide
 */
export function evaluateEgress(
  hosts: readonly HostTally[],
  isReachable: boolean | undefined,
  wasOpen: boolean,
  better: number,
): SharedEvaluation {
  const all = sumOf(hosts)
  const failingHosts = hosts.filter(({ failing }) => failing > 0).length
  const allFail = failingHosts >= EGRESS_HOSTS && all.up === 0 && all.failing >= all.total * HOST_SHARE
  return settle(isReachable === undefined ? allFail : !isReachable, all, wasOpen, better)
}

/** When at least half of the hosts had begun to fail; `undefined` if fewer do. */
export function egressDownAt(hosts: readonly HostTally[]): number | undefined {
  const failing = hosts.flatMap(({ failingAt }) => failingAt ?? []).sort((a, b) => a - b)
  return failing[Math.max(EGRESS_HOSTS, Math.ceil(hosts.length * HOST_SHARE)) - 1]
}

export function sumOf(hosts: readonly FailureTally[]): FailureTally {
  const sum = { total: 0, failing: 0, up: 0 }
  for (const { total, failing, up } of hosts) {
    sum.total += total
    sum.failing += failing
    sum.up += up
  }
  return sum
}

/** Whether another host sent data well after this one began to fail: then Weir's network works. */
export function isProvenElsewhere(hosts: readonly HostTally[], host: string, sinceMs: number): boolean {
  const others = hosts.filter((each) => each.host !== host)
  return others.length === 0 || others.some(({ lifeAt = 0 }) => lifeAt > sinceMs + PROOF_MS)
}

/** Streams that fail together recover one by one: it is one problem until nearly all are back, or for a while. */
function settle(
  isBad: boolean,
  { total, up }: FailureTally,
  wasOpen: boolean,
  better: number,
): SharedEvaluation {
  if (isBad) return { evaluation: 'bad', better: 0 }
  if (!wasOpen || up >= total * BACK_SHARE) return { evaluation: 'good', better: 0 }
  const looks = better + 1
  return { evaluation: looks > SETTLE_EVALUATIONS ? 'good' : 'unknown', better: looks }
}
