import type { Graph } from '../../core/graph.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import { OWN_PREFIX } from '../rules.ts'
import type { Host } from './hosts.ts'
import { type Counted, edge, node, type Part, plural, STREAMS_ID, type Window, WORST_FIRST } from './part.ts'

/** Hosts drawn by themselves: those in trouble, then the busiest; all others are one node. */
export const MAX_HOSTS = 200
/** A host that is drawn gives way to one that is as many times as busy: the picture would change with every look. */
const STAYS_FACTOR = 2
/** Verdicts that a host is drawn for, however little it does. */
const IN_TROUBLE: ReadonlySet<Verdict> = new Set(['dead', 'stalled', 'backing-off'])
const REST = 'rest'
const WORDS: Partial<Record<Verdict, string>> = { 'backing-off': 'backing off' }
/** Second levels that countries give names below, as in `co.uk`. */
const SECOND_LEVEL = /^(ac|co|com|edu|go|gob|gov|gv|ltd|ne|net|nom|or|org)$/

/** Ids of the nodes that were drawn the last time. */
export type Drawn = ReadonlySet<string>

/** The hosts as nodes, and what goes from Weir's streams to each. */
export function hostParts(hosts: readonly Host[], window: Window, drawn: Drawn): Graph {
  const sorted = hosts.toSorted((a, b) => rank(a, drawn) - rank(b, drawn) || (a.host < b.host ? -1 : 1))
  const parts = sorted.slice(0, MAX_HOSTS).map((host) => [host, partOf(host)] as const)
  const others = sorted.slice(MAX_HOSTS)
  const all = others.length === 0 ? parts : [...parts, restOf(others)]
  return {
    services: all.map(([, part]) => node(part)),
    calls: all.map(([host, { id }]) =>
      edge(STREAMS_ID, OWN_PREFIX + id, host, { window, bornAt: host.bornAt }),
    ),
  }
}

/** Below 0 for one in trouble; the smaller, the sooner it is drawn. */
function rank({ host, worst, calls }: Host, drawn: Drawn): number {
  const busy = calls * (drawn.has(OWN_PREFIX + idOf(host)) ? STAYS_FACTOR : 1)
  return (IN_TROUBLE.has(worst) ? -1 : 0) + 1 / (2 + busy)
}

function partOf(host: Host): Part {
  return {
    id: idOf(host.host),
    name: host.host,
    kind: 'host',
    group: host.tag ?? domainOf(host.host),
    verdict: host.worst,
    reason: reasonOf(host),
    since: host.since,
    href: `/streams?host=${encodeURIComponent(host.host)}`,
  }
}

function idOf(host: string): string {
  return `host:${host}`
}

/** The rest as one: it is as bad as the worst of them. */
function restOf(hosts: readonly Host[]): readonly [Counted & { bornAt: number }, Part] {
  const sum = (of: (host: Host) => number) => hosts.reduce((total, host) => total + of(host), 0)
  const worst = WORST_FIRST.find((verdict) => hosts.some((host) => host.worst === verdict)) ?? 'live'
  const bad = hosts.filter((host) => host.worst === worst).length
  const counted = {
    calls: sum(({ calls }) => calls),
    errors: sum(({ errors }) => errors),
    bornAt: Math.min(...hosts.map(({ bornAt }) => bornAt)),
  }
  const part: Part = {
    id: REST,
    name: `and ${plural(hosts.length, 'more host')}`,
    kind: 'rest',
    verdict: worst,
    reason: `${plural(
      sum(({ streams }) => streams),
      'stream',
    )}; ${plural(bad, 'host')} with one that is ${word(worst)}.`,
    since: Math.max(...hosts.map(({ since }) => since)),
    href: '/streams',
  }
  return [counted, part]
}

/** Such as `2 of 14 streams are stalled: No answer for 3 min.` */
function reasonOf({ byVerdict, worst, streams, reason }: Host): string {
  const bad = byVerdict[worst] ?? 0
  if (worst === 'live')
    return streams === 1 ? 'Its stream is live.' : `All ${plural(streams, 'stream')} are live.`
  const which = `${bad.toLocaleString('en')} of ${plural(streams, 'stream')}`
  const fact = `${which} ${bad === 1 ? 'is' : 'are'} ${word(worst)}`
  return reason === undefined ? `${fact}.` : `${fact}: ${reason}`
}

function word(verdict: Verdict): string {
  return WORDS[verdict] ?? verdict
}

/**
 * What a host is registered under, roughly: its last two labels, or three below a second level such as `co.uk`; an address
 * is its own. Only groups are made of it: a list of all suffixes would be long, and old soon.
 */
export function domainOf(host: string): string {
  const name = host.replace(/:\d+$/, '')
  const labels = name.split('.')
  if (name.startsWith('[') || labels.length < 3 || /^\d+$/.test(labels.at(-1) ?? '')) return name
  const isBelow = labels.at(-1)?.length === 2 && SECOND_LEVEL.test(labels.at(-2) ?? '')
  return labels.slice(isBelow ? -3 : -2).join('.')
}
