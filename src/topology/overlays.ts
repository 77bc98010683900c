import type { Call, Graph, Service } from '../core/graph.ts'
import { edgeKey } from './model.ts'

/** Of one source; what is beyond them isn't drawn. */
const MAX_SERVICES = 500
const MAX_CALLS = 2000

/** What a source would have contributed at an instant, in milliseconds since 1970. */
export type OverlayHistory = (instant: number) => Promise<Graph>

interface Source {
  services: ReadonlyMap<string, Service>
  calls: ReadonlyMap<string, Call>
}

/** What sources contribute beside what programs report. It is drawn over what is reported under the same id. */
export class Overlays {
  readonly #sources = new Map<string, Source>()
  readonly #histories = new Map<string, OverlayHistory>()

  /** Replaces what a source contributed. @returns all that may have changed by it */
  put(name: string, { services, calls }: Graph): { services: Set<string>; calls: Set<string> } {
    const before = this.#sources.get(name)
    const after = {
      services: new Map(services.slice(0, MAX_SERVICES).map((service) => [service.id, service])),
      calls: new Map(calls.slice(0, MAX_CALLS).map((call) => [edgeKey(call), call])),
    }
    this.#sources.set(name, after)
    return {
      services: new Set([...(before?.services.keys() ?? []), ...after.services.keys()]),
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
      [...this.#sources.values()].map(({ services, calls }) => ({
        services: [...services.values()],
        calls: [...calls.values()],
      })),
    )
  }

  /** The same at an instant. */
  async overAt(reported: Graph, instant: number): Promise<Graph> {
    return merged(reported, await Promise.all([...this.#histories.values()].map((at) => at(instant))))
  }
}

/** The first source that names something is the one that draws it. */
function merged(reported: Graph, sources: readonly Graph[]): Graph {
  if (sources.length === 0) return reported
  const services = new Map(reported.services.map((service) => [service.id, service]))
  const calls = new Map(reported.calls.map((call) => [edgeKey(call), call]))
  for (const source of sources.toReversed()) {
    for (const service of source.services) services.set(service.id, service)
    for (const call of source.calls) calls.set(edgeKey(call), call)
  }
  return { services: [...services.values()], calls: [...calls.values()] }
}
