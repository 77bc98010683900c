import { type Call, type Graph, nodeId, type Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import { Feed } from './feed.ts'
import { requireColour, requireName, requireUrl } from './rules.ts'

/** More than a picture can show. What would go past either is refused as a whole. */
export const MAX_SERVICES = 500
export const MAX_CALLS = 2000
/** Carries `graph` (the whole, when its shape changed), `service` (a colour) and `call` (one that was counted). */
export const TOPOLOGY_TOPIC = 'topology'
/** Says `update`, unnamed, at every change of shape or colour: the protocol of the program this topology grew from. */
export const SEED_TOPIC = 'seed-events'

/** What a service is drawn in until it reports a colour. */
const FIRST_COLOUR = 'white'
const FIRST_ERROR_STATUS = 400

/** What a program says about a service. A name or url that is left out stays as it is. */
export interface ServiceReport {
  id: string
  name?: string
  url?: string
}

/** What a program says about a call. Without a status it only declares the edge; with one it is counted. */
export interface CallReport {
  from: string
  to: string
  status?: number
  durationMs?: number
}

export interface Report {
  services?: readonly ServiceReport[]
  calls?: readonly CallReport[]
}

/** The whole graph as clients get it. */
export interface Snapshot {
  /** The SSE id of the last change it holds. */
  version: number
  /** `node` is the service's id in the Mermaid text. */
  services: readonly (Service & { node: string })[]
  calls: readonly Call[]
}

export interface TopologyOptions {
  hub: Hub
  /** The time in milliseconds since 1970. */
  now?: () => number
}

/** The live graph of services and calls, in memory, with what subscribers need to follow it. */
export class Topology {
  readonly #hub: Hub
  readonly #now: () => number
  readonly #feed: Feed
  readonly #services = new Map<string, Service>()
  readonly #calls = new Map<string, Call>()

  constructor({ hub, now = Date.now }: TopologyOptions) {
    this.#hub = hub
    this.#now = now
    this.#feed = new Feed({ hub, topic: TOPOLOGY_TOPIC, startedAt: now(), snapshot: () => this.snapshot() })
  }

  /** The graph as it is now, in the order it was reported in. */
  graph(): Graph {
    return { services: [...this.#services.values()], calls: [...this.#calls.values()] }
  }

  snapshot(): Snapshot {
    const { services, calls } = this.graph()
    const nodes = services.map((service) => ({ ...service, node: nodeId(service.id) }))
    return { version: this.#feed.version, services: nodes, calls }
  }

  service(id: string): Service | undefined {
    return this.#services.get(id)
  }

  /**
   * Gives a service a colour; one that isn't known yet is created.
   * @throws Problem `invalid_field` about `item` or `color`, `too_many` at `MAX_SERVICES`.
   */
  colour(item: string, colour: string): Service {
    requireName(item, 'item')
    const change = { colour: requireColour(colour, 'color') }
    const isNew = !this.#services.has(item)
    if (isNew) this.#requireRoom([{ id: item }], [])
    const service = this.#put(item, change)
    if (isNew) this.#publishShape()
    else {
      this.#feed.publish('service', { id: item, colour: service.colour, reportedAt: service.reportedAt })
      this.#publishUpdate()
    }
    return service
  }

  /**
   * Takes what a program says about services and calls; services that only calls name are created.
   * It takes all of it or, when it throws, nothing.
   * @throws Problem `invalid_field` about a name or url, `too_many` at `MAX_SERVICES` or `MAX_CALLS`.
   */
  report({ services = [], calls = [] }: Report): void {
    check(services, calls)
    this.#requireRoom(services, calls)

    const shape = [
      ...services.map((service) => this.#declareService(service)),
      ...calls.map((call) => this.#declareCall(call)),
    ]
    if (shape.includes('changed')) this.#publishShape()
    for (const call of calls) this.#count(call)
  }

  /** Answers a request with the live changes, after what it missed since `lastEventId` or, without one, the whole graph. */
  subscribe(signal: AbortSignal, lastEventId: string | null): Response {
    return this.#feed.subscribe(signal, lastEventId)
  }

  #requireRoom(services: readonly { id: string }[], calls: readonly CallReport[]): void {
    const ids = [...services.map(({ id }) => id), ...calls.flatMap(({ from, to }) => [from, to])]
    if (this.#services.size + newTo(this.#services, ids) > MAX_SERVICES) {
      throw new Problem('too_many', `The topology holds at most ${MAX_SERVICES} services.`)
    }
    if (this.#calls.size + newTo(this.#calls, calls.map(edgeKey)) > MAX_CALLS) {
      throw new Problem('too_many', `The topology holds at most ${MAX_CALLS} calls.`)
    }
  }

  #declareService({ id, name, url }: ServiceReport): 'changed' | 'same' {
    const known = this.#services.get(id)
    const change: Partial<Service> = {}
    if (name !== undefined) change.name = name
    if (url !== undefined) change.url = url
    const service = this.#put(id, change)
    return service.name === known?.name && service.url === known.url ? 'same' : 'changed'
  }

  #declareCall(call: CallReport): 'changed' | 'same' {
    const key = edgeKey(call)
    if (this.#calls.has(key)) return 'same'
    const { from, to } = call
    for (const id of [from, to]) if (!this.#services.has(id)) this.#put(id, {})
    this.#calls.set(key, { from, to, count: 0, errors: 0 })
    return 'changed'
  }

  #put(id: string, change: Partial<Service>): Service {
    const known = this.#services.get(id) ?? { id, name: id, kind: 'service', colour: FIRST_COLOUR }
    const service = { ...known, ...change, reportedAt: this.#time() }
    this.#services.set(id, service)
    return service
  }

  #count({ from, to, status, durationMs }: CallReport): void {
    const key = edgeKey({ from, to })
    const known = this.#calls.get(key)
    if (status === undefined || known === undefined) return
    const call: Call = {
      from,
      to,
      count: known.count + 1,
      errors: known.errors + (status >= FIRST_ERROR_STATUS ? 1 : 0),
      lastStatus: status,
      calledAt: this.#time(),
    }
    if (durationMs !== undefined) call.lastDurationMs = durationMs
    this.#calls.set(key, call)
    this.#feed.publish('call', call)
  }

  #publishShape(): void {
    // The snapshot tells the version that this very message gets.
    this.#feed.publish('graph', { ...this.snapshot(), version: this.#feed.version + 1 })
    this.#publishUpdate()
  }

  #publishUpdate(): void {
    this.#hub.publish(SEED_TOPIC, { data: 'update', position: this.#feed.version })
  }

  #time(): string {
    return new Date(this.#now()).toISOString()
  }
}

function check(services: readonly ServiceReport[], calls: readonly CallReport[]): void {
  for (const [at, { id, name, url }] of services.entries()) {
    requireName(id, `services[${at}].id`)
    if (name !== undefined) requireName(name, `services[${at}].name`)
    if (url !== undefined) requireUrl(url, `services[${at}].url`)
  }
  for (const [at, { from, to }] of calls.entries()) {
    requireName(from, `calls[${at}].from`)
    requireName(to, `calls[${at}].to`)
  }
}

function newTo(known: ReadonlyMap<string, unknown>, keys: readonly string[]): number {
  return new Set(keys.filter((key) => !known.has(key))).size
}

/** A line end is in no name. */
function edgeKey({ from, to }: { from: string; to: string }): string {
  return `${from}\n${to}`
}
