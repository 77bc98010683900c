import type { Look } from './alarm.ts'

/** How the streams of one host stand, or of all: those that should run. */
export interface Tally {
  /** Those that connect, or that no worker holds, among them: nothing is known of these. */
  total: number
  /** Not getting what they ask for. */
  failing: number
  /** Connected, or answered as they should be. */
  up: number
}

/** Of a host; times in milliseconds since the epoch. */
export interface HostTally extends Tally {
  host: string
  /** When anything of it was last heard. */
  lifeAt: number | undefined
  /** When the last of its failing streams began to fail. */
  failingAt?: number
}

/** As many streams of a host fail together, and at least half of all it has: then it is the host. */
export const HOST_STREAMS = 3
const HOST_SHARE = 0.5
/** Streams of as many hosts fail, and none anywhere is up: then it is Weir's own way out. */
export const EGRESS_HOSTS = 3
/** Back: this share is up, seen to be so; after a restart of Weir nothing fails, and nothing is known either … */
const BACK_SHARE = 0.9
/** … or it was better for this many looks, and those that are not have reasons of their own. */
export const SETTLE_LOOKS = 60
/** What was heard of other hosts this long after a failure proves that the way out works, in milliseconds. */
const PROOF_MS = 10_000

/** What was bad together is over. `better`: looks in a row that were no longer bad, though not yet good. */
export interface SharedLook {
  look: Look
  better: number
}

/** Whether a host is to blame. */
export function lookAtHost(tally: Tally, wasOpen: boolean, better: number): SharedLook {
  if (tally.total === 0) return { look: 'none', better: 0 }
  const isBad = tally.failing >= HOST_STREAMS && tally.failing >= tally.total * HOST_SHARE
  return settle(isBad, tally, wasOpen, better)
}

/**
 * Whether Weir's own way out is to blame.
 * @param isReachable what Weir's own test of other hosts says; `undefined`: there is none, and the streams are judged by
 */
export function lookAtEgress(
  hosts: readonly HostTally[],
  isReachable: boolean | undefined,
  wasOpen: boolean,
  better: number,
): SharedLook {
  const all = sumOf(hosts)
  const failingHosts = hosts.filter(({ failing }) => failing > 0).length
  const allFail = failingHosts >= EGRESS_HOSTS && all.up === 0 && all.failing >= all.total * HOST_SHARE
  return settle(isReachable === undefined ? allFail : !isReachable, all, wasOpen, better)
}

export function sumOf(hosts: readonly Tally[]): Tally {
  const sum = { total: 0, failing: 0, up: 0 }
  for (const { total, failing, up } of hosts) {
    sum.total += total
    sum.failing += failing
    sum.up += up
  }
  return sum
}

/** Whether another host was heard well after this one began to fail: then it isn't the way out. */
export function isProvenElsewhere(hosts: readonly HostTally[], host: string, sinceMs: number): boolean {
  const others = hosts.filter((each) => each.host !== host)
  return others.length === 0 || others.some(({ lifeAt = 0 }) => lifeAt > sinceMs + PROOF_MS)
}

/** What fails together comes back one by one: it is one problem until nearly all are back, or for a while. */
function settle(isBad: boolean, { total, up }: Tally, wasOpen: boolean, better: number): SharedLook {
  if (isBad) return { look: 'bad', better: 0 }
  if (!wasOpen || up >= total * BACK_SHARE) return { look: 'good', better: 0 }
  const looks = better + 1
  return { look: looks > SETTLE_LOOKS ? 'good' : 'unknown', better: looks }
}
