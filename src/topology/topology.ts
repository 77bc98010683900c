import type { Call, Graph, Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Database } from '../storage/storage.ts'
import { type GraphChange, GraphChanges } from './changes.ts'
import type { Declaration } from './declared/declaration.ts'
import { type Declared, DeclaredGraph } from './declared/declared.ts'
import { type FeedSubscription, TopologyFeed } from './feed.ts'
import { Model, type ReportedOutcome } from './model.ts'
import { type Overlay, type OverlayHistory, Overlays } from './overlays.ts'
import { type ReportedKind, requireColor, requireId, requireName, requireUrl } from './rules.ts'
import { History } from './stored/history.ts'
import {
  type CallTimeline,
  callTimelineOf,
  graphAt,
  requireReplayable,
  type TimelineSpan,
  withNodes,
} from './stored/replay.ts'
import { minuteOf } from './stored/tallies.ts'

export { MAX_CALLS, MAX_SERVICES } from './model.ts'

/** Carries `graph` (the whole graph, first or after a `gap`) and `change` (the changes since the last message). */
export const TOPOLOGY_TOPIC = 'topology'
/**
 * Sends an unnamed `update` for every activation, and when shape or colors changed otherwise: the protocol of the
 * program that this topology started from.
 */
export const SEED_TOPIC = 'seed-events'

const FIRST_ERROR_STATUS = 400
/** How often recent numbers are updated and changes are stored, in milliseconds. */
const TICK_MS = 5_000

/** A program's report about a service. Fields that are left out stay as they are. */
export interface ServiceReport {
  id: string
  name?: string
  url?: string
  kind?: ReportedKind
  group?: string
}

/** A program's report about a call. Without a status it only declares the edge; with one it is counted. */
export interface CallReport {
  from: string
  to: string
  status?: number
  durationMs?: number
}

export interface TopologyReport {
  services?: readonly ServiceReport[]
  calls?: readonly CallReport[]
}

/** The whole graph, as sent to clients. */
export interface Snapshot {
  /** The SSE ID of the last change in it; 0 for a past graph. */
  version: number
  /** Its time, ISO 8601; omitted for the current graph. */
  at?: string
  /** `node` is the service's ID in the Mermaid source. */
  services: readonly (Service & { node: string })[]
  calls: readonly Call[]
}

export interface TopologyOptions {
  hub: Hub
  /** Where it is stored. Without one it lasts as long as the process, and has no past. */
  db?: Database
  /** ID of this run of the process, among all that store calls. */
  writer?: string
  /** The time in milliseconds since 1970. */
  now?: () => number
  /** Called when it can't be stored. */
  warn?(message: string): void
}

/** The live graph of services and calls, in memory, with the feed for subscribers. */
export class Topology {
  readonly #hub: Hub
  readonly #now: () => number
  readonly #db: Database | undefined
  readonly #writer: string
  readonly #feed: TopologyFeed
  readonly #changes: GraphChanges
  readonly #model: Model
  readonly #declared: DeclaredGraph
  readonly #overlays = new Overlays()
  readonly #history: History | undefined
  readonly #timer: Timer

  constructor({ hub, db, now = Date.now, writer = crypto.randomUUID(), warn = () => {} }: TopologyOptions) {
    this.#hub = hub
    this.#now = now
    this.#db = db
    this.#writer = writer
    this.#declared = new DeclaredGraph(db)
    this.#feed = new TopologyFeed({
      hub,
      topic: TOPOLOGY_TOPIC,
      startedAt: now(),
      snapshot: () => this.snapshot(),
    })
    this.#changes = new GraphChanges({
      service: (id) => this.service(id),
      call: (key) => this.#overlays.call(key) ?? this.#declared.call(key, this.#model.edge(key)?.call),
      now,
      publish: (change, isDiagram) => this.#publish(change, isDiagram),
    })
    this.#model = new Model(this.#changes)
    if (db !== undefined) this.#history = new History({ db, model: this.#model, writer, now, warn })
    this.#timer = setInterval(() => void this.tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Loads what is stored. */
  async load(): Promise<void> {
    await this.#history?.load()
    await this.#declared.read()
    this.#model.refresh(this.#now())
  }

  /** The current graph, in the order of the reports; additions of overlays come last. */
  graph(): Graph {
    return this.#overlays.over(this.reported())
  }

  /** What programs reported and people declared. */
  reported(): Graph {
    return this.#declared.under(this.#model.graph())
  }

  /** What people declared. */
  get declared(): Declared | undefined {
    return this.#declared.current
  }

  /** Replaces what is declared, and stores it; undefined removes it. */
  async declare(declaration: Declaration | undefined): Promise<void> {
    const { services, calls } = await this.#declared.put(declaration, this.#now())
    this.#turn(services, calls)
  }

  snapshot(): Snapshot {
    // Publishes pending changes first: the version must cover everything in the graph.
    this.#changes.flush()
    return { version: this.#feed.version, ...withNodes(this.graph()) }
  }

  /**
   * The graph as of an instant of the last 24 hours, in milliseconds since 1970, to the minute.
   * @throws Problem `invalid_field` about `at` for any other, `unavailable` if nothing is stored.
   */
  async at(instant: number): Promise<Snapshot> {
    const now = this.#now()
    requireReplayable(instant, now, 'at')
    const reported = await graphAt(await this.#stored(), instant, now)
    const graph = await this.#overlays.overAt(this.#declared.under(reported), instant)
    return { version: 0, at: new Date(instant).toISOString(), ...withNodes(graph) }
  }

  /** The number of calls in a span of the last 24 hours. @throws as `at` does, about `from` or `to` */
  async timeline(span: TimelineSpan): Promise<CallTimeline> {
    return callTimelineOf(await this.#stored(), span, this.#now())
  }

  service(id: string): Service | undefined {
    const reported = this.#declared.service(id, this.#model.service(id))
    return this.#overlays.service(id) ?? (reported && this.#overlays.judge(reported))
  }

  /**
   * Sets a service's color; an unknown service is created.
   * @throws Problem `invalid_field` about `item` or `color`.
   */
  color(item: string, color: string): Service {
    requireId(item, 'item')
    const said = { color: requireColor(color, 'color') }
    this.#changes.beforeColor(item)
    const service = this.#model.put(item, said, this.#now())
    this.#history?.ledger.service(item, this.#now(), said)
    this.#fold()
    this.#tellDiagram()
    this.#changes.told(item)
    return service
  }

  /**
   * Applies a program's report, all of it or nothing. Services that are only named by calls are created. Services beyond
   * the bounds are folded into one node.
   * @throws Problem `invalid_field` about an ID, a name, a group or a URL.
   */
  report({ services = [], calls = [] }: TopologyReport): void {
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

  /** Replaces a source's contribution and publishes the differences. It isn't stored. */
  overlay(source: string, contributed: Overlay): void {
    const { services, calls } = this.#overlays.put(source, contributed)
    this.#turn(services, calls)
  }

  /** Makes `at` include a source's past contribution. */
  overlayHistory(source: string, at: OverlayHistory): void {
    this.#overlays.history(source, at)
  }

  /** Responds with the live changes, after the missed ones or, at first, the whole graph. */
  subscribe(subscription: FeedSubscription): Response {
    this.#changes.flush()
    return this.#feed.subscribe(subscription)
  }

  /** Runs every few seconds: updates recent numbers, removes what is old, and stores what is new. */
  async tick(): Promise<void> {
    const now = this.#now()
    this.#model.expire(now)
    this.#model.refresh(now)
    await this.#history?.sync()
    await this.#readDeclared()
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
    const outcome: ReportedOutcome = { status, hasFailed: status >= FIRST_ERROR_STATUS, durationMs }
    const minute = minuteOf(now)
    const tally = edge.tallies.of(minute, this.#writer)
    tally.add(outcome.hasFailed, durationMs)
    this.#model.count(edge, outcome, now)
    ledger?.call(report, now, outcome)
    ledger?.count(report, minute, tally, outcome.hasFailed)
  }

  /** What other processes declared; while the database is away, the declaration stays as it is. */
  async #readDeclared(): Promise<void> {
    const changed = await this.#declared.read().catch(() => undefined)
    if (changed !== undefined) this.#turn(changed.services, changed.calls)
  }

  #turn(services: Iterable<string>, calls: Iterable<string>): void {
    for (const id of services) this.#changes.service(id)
    for (const key of calls) this.#changes.call(key)
  }

  #fold(): void {
    const dropped = this.#model.fold(this.#now())
    if (dropped.services.length + dropped.calls.length > 0) this.#history?.ledger.drop(dropped)
  }

  async #stored(): Promise<Database> {
    if (this.#db === undefined)
      throw new Problem('unavailable', 'Topology history is not available in this process.')
    await this.#history?.sync()
    return this.#db
  }

  #publish(change: GraphChange, isDiagram: boolean): number {
    const services = change.services && withNodes({ services: change.services, calls: [] }).services
    const bytes = this.#feed.publish('change', (version) => ({ version, ...change, services }))
    if (isDiagram) this.#tellDiagram()
    return bytes
  }

  #tellDiagram(): void {
    this.#hub.publish(SEED_TOPIC, { data: 'update' })
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
