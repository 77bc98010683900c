import type { Graph } from '../../core/graph.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import { archiveParts } from './archive.ts'
import { channelParts } from './channels.ts'
import { type Drawn, hostParts } from './host-parts.ts'
import { type Host, hostsNow, hostsThen } from './hosts.ts'
import { node, type Part, plural, type Window, WORST_FIRST, windowOf, windowThen } from './part.ts'
import { proxyParts } from './proxy.ts'

export interface OwnPartsOptions {
  /** Whether there is a bucket to archive to. */
  hasArchive: boolean
  /** Ids of the nodes that are drawn: hosts among them stay unless others are far busier. */
  drawn?: Drawn
}

/**
 * What Weir is made of and how that is doing now: its streams, the hosts that they follow, the proxy with its subscribers,
 * the channels and the archive. `count` and `errors` of its calls are of the last minutes, as their rates are.
 * @param at now, in milliseconds since the epoch
 * @returns nothing where no stream runs
 */
export async function ownParts(db: Database, at: number, options: OwnPartsOptions): Promise<Graph> {
  const window = windowOf(at)
  return whole(db, window, await hostsNow(db, window), options)
}

/** The same of an instant that is over, as far as it is known of what is still there. */
export async function ownPartsThen(
  db: Database,
  at: number,
  now: number,
  options: OwnPartsOptions,
): Promise<Graph> {
  const window = windowThen(at, now)
  return whole(db, window, await hostsThen(db, window), options)
}

async function whole(
  db: Database,
  window: Window,
  hosts: readonly Host[],
  { hasArchive, drawn = new Set() }: OwnPartsOptions,
): Promise<Graph> {
  if (hosts.length === 0) return { services: [], calls: [] }
  const graphs = [
    { services: [node(streamsPart(hosts))], calls: [] },
    hostParts(hosts, window, drawn),
    await proxyParts(db, window),
    await channelParts(db, window),
    ...(hasArchive ? [await archiveParts(db, window)] : []),
  ]
  return {
    services: graphs.flatMap(({ services }) => services),
    calls: graphs.flatMap(({ calls }) => calls),
  }
}

/** Weir itself is well while it holds its streams: what is wrong with one stands on its host. */
function streamsPart(hosts: readonly Host[]): Part {
  const unheld = hosts.reduce((sum, host) => sum + host.unheld, 0)
  const verdict: Verdict = unheld > 0 ? 'stalled' : 'live'
  const waiting = `${plural(unheld, 'stream waits', 'streams wait')} for a worker. `
  return {
    id: 'streams',
    name: 'Weir streams',
    kind: 'streams',
    group: 'Weir',
    verdict,
    reason: `${unheld > 0 ? waiting : ''}${tally(hosts)}`,
    since: Math.max(...hosts.map(({ since }) => since)),
    href: '/streams',
  }
}

/** Such as `14 streams run on 3 hosts: 12 live, 2 stalled.` */
function tally(hosts: readonly Host[]): string {
  const sum = (of: (host: Host) => number) => hosts.reduce((total, host) => total + of(host), 0)
  const counts = WORST_FIRST.toReversed().flatMap((verdict) => {
    const count = sum(({ byVerdict }) => byVerdict[verdict] ?? 0)
    return count === 0 ? [] : [`${count.toLocaleString('en')} ${verdict}`]
  })
  const streams = sum((host) => host.streams)
  return `${plural(streams, 'stream runs', 'streams run')} on ${plural(hosts.length, 'host')}: ${counts.join(', ')}.`
}
