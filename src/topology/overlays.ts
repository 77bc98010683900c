import type { Call, Graph, Service } from '../core/graph.ts'
import { edgeKey } from './model.ts'

/** Maximum number of services and calls of one source; the rest isn't drawn. */
const MAX_SERVICES = 500
const MAX_CALLS = 2000

/** A source's additions to a reported service. */
export type Judged = Pick<Service, 'status' | 'reason' | 'href'>

/** A source's own services and calls, and its additions to other services, by ID. */
export interface Overlay extends Graph {
  judged?: ReadonlyMap<string, Judged>
}

/** A source's contribution as of an instant, in milliseconds since 1970, to the graph reported then. */
export type OverlayHistory = (instant: number, reported: Graph) => Promise<Overlay>

interface Source {
  judged: ReadonlyMap<string, Judged>
  services: ReadonlyMap<string, Service>
  calls: ReadonlyMap<string, Call>
}

/** Contributions of sources in addition to reports. They are drawn over reports with the same ID. */
export class Overlays {
  readonly #sources = new Map<string, Source>()
  readonly #histories = new Map<string, OverlayHistory>()

  /** Replaces a source's contribution. @returns everything that may have changed */
  put(
    name: string,
    { services, calls, judged = new Map() }: Overlay,
  ): { services: Set<string>; calls: Set<string> } {
    const before = this.#sources.get(name)
    const after: Source = {
      judged,
      services: new Map(services.slice(0, MAX_SERVICES).map((service) => [service.id, service])),
      calls: new Map(calls.slice(0, MAX_CALLS).map((call) => [edgeKey(call), call])),
    }
    this.#sources.set(name, after)
    return {
      services: new Set(
        [before, after].flatMap((each) => [...(each?.services.keys() ?? []), ...(each?.judged.keys() ?? [])]),
      ),
      calls: new Set([...(before?.calls.keys() ?? []), ...after.calls.keys()]),
    }
  }

  history(name: string, at: OverlayHistory): void {
    this.#histories.set(name, at)
  }

  service(id: string): Service | undefined {
    for (const { services } of this.#sources.values()) {
      const service = services.get(id)
      if (service !== undefined) return service
    }
    return undefined
  }

  /** A reported service with the additions of sources. */
  judge(service: Service): Service {
    return judgedBy(service, [...this.#sources.values()])
  }

  call(key: string): Call | undefined {
    for (const { calls } of this.#sources.values()) {
      const call = calls.get(key)
      if (call !== undefined) return call
    }
    return undefined
  }

  /** The reported graph with all sources drawn over it. */
  over(reported: Graph): Graph {
    return merged(
      reported,
      [...this.#sources.values()].map(({ services, calls, judged }) => ({
        services: [...services.values()],
        calls: [...calls.values()],
        judged,
      })),
    )
  }

  /** The same at an instant. */
  async overAt(reported: Graph, instant: number): Promise<Graph> {
    return merged(
      reported,
      await Promise.all([...this.#histories.values()].map((at) => at(instant, reported))),
    )
  }
}

/** The first source that names something is the one that draws it. */
function merged(reported: Graph, sources: readonly Overlay[]): Graph {
  if (sources.length === 0) return reported
  const services = new Map(reported.services.map((service) => [service.id, judgedBy(service, sources)]))
  const calls = new Map(reported.calls.map((call) => [edgeKey(call), call]))
  for (const source of sources.toReversed()) {
    for (const service of source.services) services.set(service.id, service)
    for (const call of source.calls) calls.set(edgeKey(call), call)
  }
  return { services: [...services.values()], calls: [...calls.values()] }
}

function judgedBy(service: Service, sources: readonly Pick<Overlay, 'judged'>[]): Service {
  return Object.assign({}, service, ...sources.map(({ judged }) => judged?.get(service.id)))
}
