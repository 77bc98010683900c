import { isDeepStrictEqual } from 'node:util'
import type { Call, Graph, Service } from '../core/graph.ts'
import { DAY_MS } from '../core/time.ts'
import { type Foldable, Folded, REST_ID, toFold } from './stored/folding.ts'
import { Tallies } from './stored/tallies.ts'

/** More than a picture can show; services beyond it are folded into one node, which isn't counted. */
export const MAX_SERVICES = 500
export const MAX_CALLS = 2000
/** Services and calls without a report for this long are removed. */
export const FORGOTTEN_AFTER_MS = DAY_MS
/** The color of a service until it reports one. */
export const FIRST_COLOR = 'white'
/** Reports within this time count as one. */
const AGAIN_AFTER_MS = 1_000

export interface Ends {
  from: string
  to: string
}

interface Node extends Foldable {
  service: Service
}

export interface Edge extends Foldable {
  call: Call
  /** Time of the first report, in milliseconds since 1970. */
  firstAt: number
  tallies: Tallies
}

/** The outcome of a call. */
export interface ReportedOutcome {
  status: number
  hasFailed: boolean
  durationMs?: number
}

/** Called with services and calls that appeared, changed or were removed. */
export interface ModelEvents {
  service(id: string): void
  call(key: string): void
}

/** The folded services and calls, without the edges of the node that stands for them. */
export interface Dropped {
  services: string[]
  calls: Ends[]
}

/** Names never contain a line end. */
export function edgeKey({ from, to }: Ends): string {
  return `${from}\n${to}`
}

/** The reported services and calls, in memory. The model may exceed its bounds until it is folded. */
export class Model {
  readonly #services = new Map<string, Node>()
  readonly #calls = new Map<string, Edge>()
  readonly #folded = new Folded()
  /** Whether the node for the folded services may be out of date. */
  #restTurned = false
  readonly #events: ModelEvents

  constructor(events: ModelEvents) {
    this.#events = events
  }

  /** In the order of the reports. */
  graph(): Graph {
    return {
      services: [...this.#services.values()].map(({ service }) => service),
      calls: [...this.#calls.values()].map(({ call }) => call),
    }
  }

  service(id: string): Service | undefined {
    return this.#services.get(id)?.service
  }

  edge(key: string): Edge | undefined {
    return this.#calls.get(key)
  }

  /** Changes a service, or creates it. */
  put(id: string, change: Partial<Service>, now: number): Service {
    const known = this.#touch(id, now)
    const service = { ...known.service, ...change, reportedAt: isoOf(now) }
    const isNews = !isDeepStrictEqual({ ...service, reportedAt: '' }, { ...known.service, reportedAt: '' })
    known.service = service
    if (isNews) this.#events.service(id)
    return service
  }

  /** The edge, created with its ends if it isn't known yet. */
  connect(ends: Ends, now: number): Edge {
    for (const id of [ends.from, ends.to]) this.#touch(id, now)
    const key = edgeKey(ends)
    const known = this.#calls.get(key)
    if (known !== undefined) {
      hear(known, now)
      return known
    }
    const { from, to } = ends
    const call = { from, to, count: 0, errors: 0 }
    const edge: Edge = { call, firstAt: now, activeAt: now, seen: 0, tallies: new Tallies() }
    this.#calls.set(key, edge)
    this.#events.call(key)
    return edge
  }

  /** Counts a call, both for display and for folding: services with calls stay. */
  count(edge: Edge, { status, hasFailed, durationMs }: ReportedOutcome, now: number): void {
    const { from, to, count, errors, recent } = edge.call
    const call: Call = {
      from,
      to,
      count: count + 1,
      errors: errors + (hasFailed ? 1 : 0),
      lastStatus: status,
    }
    if (durationMs !== undefined) call.lastDurationMs = durationMs
    call.calledAt = isoOf(now)
    if (recent !== undefined) call.recent = recent
    this.#change(edge, call)
    for (const item of [edge, this.#services.get(from), this.#services.get(to)]) if (item) item.seen++
  }

  /** Folds the services beyond the bounds into one node. */
  fold(now: number): Dropped {
    const ids = new Set(this.#servicesToFold(now).map(({ service }) => service.id))
    const lost = ids.size === 0 ? [] : this.#edgesOf((id) => ids.has(id))
    for (const id of ids) {
      this.#folded.add(id, this.#services.get(id)?.activeAt ?? now)
      this.#removeService(id)
      this.#restTurned = true
    }
    for (const edge of lost) {
      const { from, to } = edge.call
      this.#move(edge, { from: ids.has(from) ? REST_ID : from, to: ids.has(to) ? REST_ID : to })
    }
    const calls = [...lost, ...this.#foldCalls(now)].map(({ call: { from, to } }) => ({ from, to }))
    if (this.#restTurned) this.#tellRest(now)
    return { services: [...ids], calls }
  }

  /** Removes services and calls without recent reports. */
  expire(now: number): void {
    const before = now - FORGOTTEN_AFTER_MS
    for (const [key, { activeAt }] of this.#calls) if (activeAt < before) this.#removeCall(key)
    for (const [id, { activeAt }] of this.#services) {
      if (activeAt < before && id !== REST_ID) this.#removeService(id)
    }
    this.#folded.forget(before)
    if (this.#services.has(REST_ID)) this.#tellRest(now)
  }

  /** Updates the recent numbers of edges. */
  refresh(now: number): void {
    for (const [key, edge] of this.#calls) {
      const { recent: before, ...call } = edge.call
      const recent = edge.tallies.recent(now, edge.firstAt)
      if (isDeepStrictEqual(before, recent)) continue
      edge.call = recent === undefined ? call : { ...call, recent }
      this.#events.call(key)
    }
  }

  /** Adds a service that another process, or an earlier run, recorded. */
  adoptService(service: Service, activeAt: number): void {
    const node = this.#touch(service.id, activeAt)
    if (isDeepStrictEqual(node.service, service)) return
    node.service = service
    this.#events.service(service.id)
  }

  /** Adds a call with its sums; the later of the two last calls wins. */
  adoptCall(call: Call, firstAt: number, activeAt: number): void {
    const edge = this.connect(call, activeAt)
    edge.firstAt = Math.min(edge.firstAt, firstAt)
    const { from, to, count, errors } = call
    const isLater = (call.calledAt ?? '') >= (edge.call.calledAt ?? '')
    const next: Call = { ...(isLater ? call : edge.call), from, to, count, errors }
    if (edge.call.recent !== undefined) next.recent = edge.call.recent
    if (!isDeepStrictEqual(next, edge.call)) this.#change(edge, next)
  }

  #touch(id: string, now: number): Node {
    const known = this.#services.get(id)
    if (known !== undefined) {
      hear(known, now)
      return known
    }
    const service: Service = { id, name: id, kind: 'service', color: FIRST_COLOR, reportedAt: isoOf(now) }
    const isBack = this.#folded.remove(id)
    if (isBack) this.#restTurned = true
    const node = { service, activeAt: now, seen: isBack ? 1 : 0 }
    this.#services.set(id, node)
    this.#events.service(id)
    return node
  }

  /** Calls that become the same edge of the folded node are merged; calls within that node are dropped. */
  #move(edge: Edge, ends: Ends): void {
    this.#removeCall(edgeKey(edge.call))
    if (ends.from === ends.to) return
    const key = edgeKey(ends)
    const known = this.#calls.get(key)
    if (known === undefined) {
      this.#calls.set(key, { ...edge, call: { ...edge.call, ...ends } })
    } else {
      const [older, newer] = known.activeAt < edge.activeAt ? [known, edge] : [edge, known]
      const count = known.call.count + edge.call.count
      const errors = known.call.errors + edge.call.errors
      known.call = { ...older.call, ...newer.call, ...ends, count, errors }
      known.activeAt = newer.activeAt
      known.tallies.merge(edge.tallies)
    }
    this.#events.call(key)
  }

  #servicesToFold(now: number): Node[] {
    if (this.#services.size <= MAX_SERVICES) return []
    return toFold(
      [...this.#services.values()].filter(({ service }) => service.id !== REST_ID),
      MAX_SERVICES,
      now,
    )
  }

  /** A call beyond the bounds, between services that stay, becomes a call to the folded node. */
  #foldCalls(now: number): Edge[] {
    const folded: Edge[] = []
    while (this.#calls.size > MAX_CALLS) {
      const rest = new Set(this.#edgesOf((id) => id === REST_ID))
      const movable = [...this.#calls.values()].filter((edge) => !rest.has(edge))
      const next = toFold(movable, Math.max(0, MAX_CALLS - rest.size), now)
      for (const edge of next) this.#move(edge, { from: edge.call.from, to: REST_ID })
      folded.push(...next)
      this.#restTurned = true
    }
    return folded
  }

  /** Adds the folded node with its first service, and removes it with the last. */
  #tellRest(now: number): void {
    this.#restTurned = false
    if (this.#folded.isEmpty && this.#edgesOf((id) => id === REST_ID).length === 0) {
      return void this.#removeService(REST_ID)
    }
    const service = this.#folded.service(isoOf(now))
    const isNews = service.name !== this.service(REST_ID)?.name
    this.#services.set(REST_ID, { service, activeAt: now, seen: 0 })
    if (isNews) this.#events.service(REST_ID)
  }

  #edgesOf(has: (id: string) => boolean): Edge[] {
    return [...this.#calls.values()].filter(({ call }) => has(call.from) || has(call.to))
  }

  #change(edge: Edge, call: Call): void {
    edge.call = call
    this.#events.call(edgeKey(call))
  }

  #removeService(id: string): void {
    if (this.#services.delete(id)) this.#events.service(id)
  }

  #removeCall(key: string): void {
    if (this.#calls.delete(key)) this.#events.call(key)
  }
}

function hear(item: Foldable, now: number): void {
  if (now - item.activeAt >= AGAIN_AFTER_MS) item.seen++
  item.activeAt = Math.max(item.activeAt, now)
}

function isoOf(time: number): string {
  return new Date(time).toISOString()
}
