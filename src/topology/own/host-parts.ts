import type { Graph } from '../../core/graph.ts'
import { isInTrouble, STATUS, WORST_FIRST } from '../../core/sets/statuses.ts'
import { OWN_PREFIX } from '../rules.ts'
import type { Host } from './hosts.ts'
import { type CallWindow, type Counted, edge, type Part, partNode, plural, STREAMS_ID } from './part.ts'

/** Hosts drawn individually: those in trouble, then the busiest; all others are one node. */
export const MAX_HOSTS = 200
/** A drawn host gives way only to one this many times as busy; otherwise the picture would change constantly. */
const STAYS_FACTOR = 2
const REST = 'rest'
/** Second-level domains under which names are registered, as in `co.uk`. */
const SECOND_LEVEL = /^(ac|co|com|edu|go|gob|gov|gv|ltd|ne|net|nom|or|org)$/

/** IDs of the nodes drawn last time. */
export type Drawn = ReadonlySet<string>

/** The hosts as nodes, with the calls from Weir's streams to each. */
export function hostParts(hosts: readonly Host[], window: CallWindow, drawn: Drawn): Graph {
  const sorted = hosts.toSorted((a, b) => rank(a, drawn) - rank(b, drawn) || (a.host < b.host ? -1 : 1))
  const parts = sorted.slice(0, MAX_HOSTS).map((host) => [host, partOf(host)] as const)
  const others = sorted.slice(MAX_HOSTS)
  const all = others.length === 0 ? parts : [...parts, restOf(others)]
  return {
    services: all.map(([, part]) => partNode(part)),
    calls: all.map(([host, { id }]) =>
      edge(STREAMS_ID, OWN_PREFIX + id, host, { window, bornAt: host.bornAt }),
    ),
  }
}

/** Sort key: below 0 for a host in trouble, which is drawn even when idle; smaller ones are drawn first. */
function rank({ host, worst, calls }: Host, drawn: Drawn): number {
  const busy = calls * (drawn.has(OWN_PREFIX + idOf(host)) ? STAYS_FACTOR : 1)
  return (isInTrouble(worst) ? -1 : 0) + 1 / (2 + busy)
}

function partOf(host: Host): Part {
  return {
    id: idOf(host.host),
    name: host.host,
    kind: 'host',
    group: host.tag ?? domainOf(host.host),
    status: host.worst,
    reason: reasonOf(host),
    since: host.since,
    href: `/streams?host=${encodeURIComponent(host.host)}`,
  }
}

function idOf(host: string): string {
  return `host:${host}`
}

/** All other hosts as one node, with their worst status. */
function restOf(hosts: readonly Host[]): readonly [Counted & { bornAt: number }, Part] {
  const sum = (of: (host: Host) => number) => hosts.reduce((total, host) => total + of(host), 0)
  const worst = WORST_FIRST.find((status) => hosts.some((host) => host.worst === status)) ?? 'live'
  const bad = hosts.filter((host) => host.worst === worst).length
  const counted = {
    calls: sum(({ calls }) => calls),
    errors: sum(({ errors }) => errors),
    bornAt: Math.min(...hosts.map(({ bornAt }) => bornAt)),
  }
  const part: Part = {
    id: REST,
    name: plural(hosts.length, 'more host'),
    kind: 'rest',
    status: worst,
    reason: `${plural(
      sum(({ streams }) => streams),
      'stream',
    )}; ${plural(bad, 'host')} with one that is ${STATUS[worst].label}.`,
    since: Math.max(...hosts.map(({ since }) => since)),
    href: '/streams',
  }
  return [counted, part]
}

/** Such as `2 of 14 streams are stalled: No answer for 3 min.` */
function reasonOf({ byStatus, worst, streams, reason }: Host): string {
  const bad = byStatus[worst] ?? 0
  if (worst === 'live')
    return streams === 1 ? 'Its stream is live.' : `All ${plural(streams, 'stream')} are live.`
  const which = `${bad.toLocaleString('en')} of ${plural(streams, 'stream')}`
  const fact = `${which} ${bad === 1 ? 'is' : 'are'} ${STATUS[worst].label}`
  return reason === undefined ? `${fact}.` : `${fact}: ${reason}`
}

/**
 * The registered domain of a host, roughly: its last two labels, or three below a second-level domain such as `co.uk`; an
 * address stands for itself. Only used for groups: a full list of public suffixes would be long and soon outdated.
 */
export function domainOf(host: string): string {
  const name = host.replace(/:\d+$/, '')
  const labels = name.split('.')
  if (name.startsWith('[') || labels.length < 3 || /^\d+$/.test(labels.at(-1) ?? '')) return name
  const isBelow = labels.at(-1)?.length === 2 && SECOND_LEVEL.test(labels.at(-2) ?? '')
  return labels.slice(isBelow ? -3 : -2).join('.')
}
