import type { Graph } from '../../core/graph.ts'
import { type Status, WORST_FIRST } from '../../core/sets/statuses.ts'
import type { Database } from '../../storage/storage.ts'
import { archiveParts } from './archive.ts'
import { channelParts } from './channels.ts'
import { type Drawn, hostParts } from './host-parts.ts'
import { type Host, hostsNow, hostsThen } from './hosts.ts'
import { type CallWindow, type Part, partNode, plural, windowOf, windowThen } from './part.ts'
import { proxyParts } from './proxy.ts'

export interface OwnPartsOptions {
  /** Whether there is a bucket to archive to. */
  hasArchive: boolean
  /** IDs of the drawn nodes: hosts among them stay unless others are far busier. */
  drawn?: Drawn
}

/**
 * Weir's own parts and their status now: its streams, the followed hosts, the proxy with its subscribers, the channels
 * and the archive. `count` and `errors` of calls cover the last minutes, as their rates do.
 * @param at now, in milliseconds since the epoch
 * @returns nothing if no stream runs
 */
export async function ownParts(db: Database, at: number, options: OwnPartsOptions): Promise<Graph> {
  const window = windowOf(at)
  return whole(db, window, await hostsNow(db, window), options)
}

/** The same for a past instant, as far as the data still exists. */
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
  window: CallWindow,
  hosts: readonly Host[],
  { hasArchive, drawn = new Set() }: OwnPartsOptions,
): Promise<Graph> {
  if (hosts.length === 0) return { services: [], calls: [] }
  const graphs = [
    { services: [partNode(streamsPart(hosts))], calls: [] },
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

/** Weir itself is live while workers run its streams: a failing stream is shown at its host. */
function streamsPart(hosts: readonly Host[]): Part {
  const unheld = hosts.reduce((sum, host) => sum + host.unheld, 0)
  const status: Status = unheld > 0 ? 'stalled' : 'live'
  const waiting = `${plural(unheld, 'stream is', 'streams are')} waiting for a worker. `
  return {
    id: 'streams',
    name: 'Weir streams',
    kind: 'streams',
    group: 'Weir',
    status,
    reason: `${unheld > 0 ? waiting : ''}${tally(hosts)}`,
    since: Math.max(...hosts.map(({ since }) => since)),
    href: '/streams',
  }
}

/** Such as `14 streams on 3 hosts: 12 live, 2 stalled.` */
function tally(hosts: readonly Host[]): string {
  const sum = (of: (host: Host) => number) => hosts.reduce((total, host) => total + of(host), 0)
  const counts = WORST_FIRST.toReversed().flatMap((status) => {
    const count = sum(({ byStatus }) => byStatus[status] ?? 0)
    return count === 0 ? [] : [`${count.toLocaleString('en')} ${status}`]
  })
  const streams = sum((host) => host.streams)
  return `${plural(streams, 'stream')} on ${plural(hosts.length, 'host')}: ${counts.join(', ')}.`
}
