import type { Graph, Service } from '../../core/graph.ts'
import type { Judged, Overlay } from '../overlays.ts'

/**
 * A followed host and a service that reported itself at the same host are the same program: its node is the service,
 * with the host's status added. A host with several services stays a node.
 */
export function atServices({ services, calls }: Graph, reported: readonly Service[]): Overlay {
  const served = Map.groupBy(reported, ({ url }) => (url === undefined ? undefined : URL.parse(url)?.host))
  const sameAs = new Map<string, string>()
  const judged = new Map<string, Judged>()
  for (const { id, kind, name, status, reason, href } of services) {
    const [service, ...others] = kind === 'host' ? (served.get(name.toLowerCase()) ?? []) : []
    if (service === undefined || others.length > 0) continue
    sameAs.set(id, service.id)
    judged.set(service.id, { status, reason, href })
  }
  return {
    services: services.filter(({ id }) => !sameAs.has(id)),
    calls: calls.map((call) => ({ ...call, to: sameAs.get(call.to) ?? call.to })),
    judged,
  }
}
