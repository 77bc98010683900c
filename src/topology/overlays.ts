import type { Call, Graph, Service } from '../core/graph.ts'
import { edgeKey } from './model.ts'

/** Of one source; what is beyond them isn't drawn. */
const MAX_SERVICES = 500
const MAX_CALLS = 2000

/** What a source has to say of a service that reported itself. */
export type Judged = Pick<Service, 'verdict' | 'reason' | 'href'>

/** What a source contributes, and what it has to say of services that aren't its own, by their ids. */
export interface Overlay extends Graph {
  judged?: ReadonlyMap<string, Judged>
}

/** What a source would have contributed at an instant, in milliseconds since 1970, to what was reported then. */
export type OverlayHistory = (instant: number, reported: Graph) => Promise<Overlay>

interface Source {
  judged: ReadonlyMap<string, Judged>
  services: ReadonlyMap<string, Service>
  calls: ReadonlyMap<string, Call>
}

/** What sources contribute beside what programs report. It is drawn over what is reported under the same id. */
export class Overlays {
  readonly #sources = new Map<string, Source>()
  readonly #histories = new Map<string, OverlayHistory>()

  /** Replaces what a source contributed. @returns all that may have changed by it */
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

  /** A service that reported itself, with what sources have to say of it. */
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
