import type { Call, Graph, Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Database } from '../storage/storage.ts'
import { type Change, Changes } from './changes.ts'
import { Feed, type FeedSubscription } from './feed.ts'
import { Model, type Outcome } from './model.ts'
import { type Overlay, type OverlayHistory, Overlays } from './overlays.ts'
import { type ReportedKind, requireColour, requireId, requireName, requireUrl } from './rules.ts'
import { History } from './stored/history.ts'
import {
  graphAt,
  requireReplayable,
  type Timeline,
  type TimelineSpan,
  timelineOf,
  withNodes,
} from './stored/replay.ts'
import { minuteOf } from './stored/tallies.ts'

export { MAX_CALLS, MAX_SERVICES } from './model.ts'

/** Carries `graph` (the whole, first or after a `gap`) and `change` (what changed since the last). */
export const TOPOLOGY_TOPIC = 'topology'
/** Says `update`, unnamed, when shape or colours changed: the protocol of the program this topology grew from. */
export const SEED_TOPIC = 'seed-events'

const FIRST_ERROR_STATUS = 400
/** How often recent numbers are brought up to date, and what changed is stored, in milliseconds. */
const TICK_MS = 5_000

/** What a program says about a service. Whatever is left out stays as it is. */
export interface ServiceReport {
  id: string
  name?: string
  url?: string
  kind?: ReportedKind
  group?: string
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
  /** The SSE id of the last change it holds; 0 for one of the past. */
  version: number
  /** When it was like this, ISO 8601; left out for one of now. */
  at?: string
  /** `node` is the service's id in the Mermaid text. */
  services: readonly (Service & { node: string })[]
  calls: readonly Call[]
}

export interface TopologyOptions {
  hub: Hub
  /** Where it is stored. Without one it lasts as long as the process, and can't be looked at as it was. */
  db?: Database
  /** This process in this life, among all that store calls. */
  writer?: string
  /** The time in milliseconds since 1970. */
  now?: () => number
  /** Told when it can't be stored. */
  warn?(message: string): void
}

/** The live graph of services and calls, in memory, with what subscribers need to follow it. */
export class Topology {
  readonly #hub: Hub
  readonly #now: () => number
  readonly #db: Database | undefined
  readonly #writer: string
  readonly #feed: Feed
  readonly #changes: Changes
  readonly #model: Model
  readonly #overlays = new Overlays()
  readonly #history: History | undefined
  readonly #timer: Timer

  constructor({ hub, db, now = Date.now, writer = crypto.randomUUID(), warn = () => {} }: TopologyOptions) {
    this.#hub = hub
    this.#now = now
    this.#db = db
    this.#writer = writer
    this.#feed = new Feed({ hub, topic: TOPOLOGY_TOPIC, startedAt: now(), snapshot: () => this.snapshot() })
    this.#changes = new Changes({
      service: (id) => this.service(id),
      call: (key) => this.#overlays.call(key) ?? this.#model.edge(key)?.call,
      publish: (change, isDiagram) => this.#publish(change, isDiagram),
    })
    this.#model = new Model(this.#changes)
    if (db !== undefined) this.#history = new History({ db, model: this.#model, writer, now, warn })
    this.#timer = setInterval(() => void this.tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Knows what was stored, from here on. */
  async load(): Promise<void> {
    await this.#history?.load()
    this.#model.refresh(this.#now())
  }

  /** The graph as it is now, in the order it was reported in; what overlays add comes last. */
  graph(): Graph {
    return this.#overlays.over(this.#model.graph())
  }

  /** Only what programs reported. */
  reported(): Graph {
    return this.#model.graph()
  }

  snapshot(): Snapshot {
    // Its version stands for all that it holds: nothing may come under a later one, and go unseen.
    this.#changes.flush()
    return { version: this.#feed.version, ...withNodes(this.graph()) }
  }

  /**
   * The graph as it was at an instant of the last 24 hours, in milliseconds since 1970, to the minute.
   * @throws Problem `invalid_field` about `at` for any other, `unavailable` where nothing is stored.
   */
  async at(instant: number): Promise<Snapshot> {
    const now = this.#now()
    requireReplayable(instant, now, 'at')
    const reported = await graphAt(await this.#stored(), instant, now)
    const graph = await this.#overlays.overAt(reported, instant)
    return { version: 0, at: new Date(instant).toISOString(), ...withNodes(graph) }
  }

  /** How many calls there were in a span of the last 24 hours. @throws as `at` does, about `from` or `to` */
  async timeline(span: TimelineSpan): Promise<Timeline> {
    return timelineOf(await this.#stored(), span, this.#now())
  }

  service(id: string): Service | undefined {
    const reported = this.#model.service(id)
    return this.#overlays.service(id) ?? (reported && this.#overlays.judge(reported))
  }

  /**
   * Gives a service a colour; one that isn't known yet is created.
   * @throws Problem `invalid_field` about `item` or `color`.
   */
  colour(item: string, colour: string): Service {
    requireId(item, 'item')
    const said = { colour: requireColour(colour, 'color') }
    const service = this.#model.put(item, said, this.#now())
    this.#history?.ledger.service(item, this.#now(), said)
    this.#fold()
    return service
  }

  /**
   * Takes what a program says about services and calls; services that only calls name are created. It takes all of it
   * or, when it throws, nothing. What there is no room for becomes part of one node that stands for all the rest.
   * @throws Problem `invalid_field` about an id, a name, a group or a url.
   */
  report({ services = [], calls = [] }: Report): void {
    check(services, calls)
    const now = this.#now()
    for (const { id, ...said } of services) {
      const change = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
      this.#model.put(id, change, now)
      this.#history?.ledger.service(id, now, change)
    }
    for (const call of calls) this.#take(call, now)
    this.#fold()
  }

  /** Replaces what a source contributed; what differs is published. It isn't stored. */
  overlay(source: string, contributed: Overlay): void {
    const { services, calls } = this.#overlays.put(source, contributed)
    for (const id of services) this.#changes.service(id)
    for (const key of calls) this.#changes.call(key)
  }

  /** Has `at` ask a source what it would have contributed then. */
  overlayHistory(source: string, at: OverlayHistory): void {
    this.#overlays.history(source, at)
  }

  /** Answers a request with the live changes, after what it missed or, at first, the whole graph. */
  subscribe(subscription: FeedSubscription): Response {
    this.#changes.flush()
    return this.#feed.subscribe(subscription)
  }

  /** What is done every few seconds: recent numbers go on, what is old goes, and what is new is stored. */
  async tick(): Promise<void> {
    const now = this.#now()
    this.#model.expire(now)
    this.#model.refresh(now)
    await this.#history?.sync()
  }

  /** Stores what isn't stored yet. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#changes.close()
    await this.#history?.close()
  }

  #take(report: CallReport, now: number): void {
    const { status, durationMs } = report
    const edge = this.#model.connect(report, now)
    const ledger = this.#history?.ledger
    for (const id of [report.from, report.to]) ledger?.service(id, now)
    if (status === undefined) return void ledger?.call(report, now)
    const outcome: Outcome = { status, hasFailed: status >= FIRST_ERROR_STATUS, durationMs }
    const minute = minuteOf(now)
    const tally = edge.tallies.of(minute, this.#writer)
    tally.add(outcome.hasFailed, durationMs)
    this.#model.count(edge, outcome, now)
    ledger?.call(report, now, outcome)
    ledger?.count(report, minute, tally, outcome.hasFailed)
  }

  #fold(): void {
    const dropped = this.#model.fold(this.#now())
    if (dropped.services.length + dropped.calls.length > 0) this.#history?.ledger.drop(dropped)
  }

  async #stored(): Promise<Database> {
    if (this.#db === undefined)
      throw new Problem('unavailable', 'The topology of the past is not stored here.')
    await this.#history?.sync()
    return this.#db
  }

  #publish(change: Change, isDiagram: boolean): number {
    const services = change.services && withNodes({ services: change.services, calls: [] }).services
    const bytes = this.#feed.publish('change', (version) => ({ version, ...change, services }))
    if (isDiagram) this.#hub.publish(SEED_TOPIC, { data: 'update', position: this.#feed.version })
    return bytes
  }
}

function check(services: readonly ServiceReport[], calls: readonly CallReport[]): void {
  for (const [at, { id, name, url, group }] of services.entries()) {
    requireId(id, `services[${at}].id`)
    if (name !== undefined) requireName(name, `services[${at}].name`)
    if (url !== undefined) requireUrl(url, `services[${at}].url`)
    if (group !== undefined) requireName(group, `services[${at}].group`)
  }
  for (const [at, { from, to }] of calls.entries()) {
    requireId(from, `calls[${at}].from`)
    requireId(to, `calls[${at}].to`)
  }
}
