// Follows the live topology and keeps the graph as it is now.
import { edgeKey } from './edge-key.ts'
import type { Call, DrawnGraph, DrawnService } from './graph.ts'

const EVENTS = '/api/topology/events'
/** Wait before a stream that the server refused is opened again; EventSource itself reconnects after other errors. */
const RECREATE_MS = 3_000
/** Maximum number of changes that wait for a frame; beyond it, all are applied at once. */
const MAX_WAITING = 200
/** Without a connection for this long, the page shows that it is offline. */
const OFFLINE_AFTER_MS = 20_000

export type FeedState = 'live' | 'reconnecting' | 'offline'

/** Changes since the last one: whole services and calls. */
export interface GraphChange {
  services?: DrawnService[]
  calls?: Call[]
  removedServices?: string[]
  removedCalls?: [from: string, to: string][]
  /** Colors that were too short to be sent. */
  joinedColors?: number
}

export interface FeedListener {
  /** The whole graph was replaced. */
  graph(): void
  /** The graph changed; `called` are the calls that were just made. */
  change(change: GraphChange, called: Call[]): void
  connection(state: FeedState): void
}

/** The graph as it is now. Lives as long as the page does. */
export class Feed {
  readonly #services = new Map<string, DrawnService>()
  readonly #calls = new Map<string, Call>()
  readonly #listener: FeedListener
  /** Changes that wait until what they recolor was painted, so that no color is missed. */
  #waiting: GraphChange[] = []
  /** Services with a color that wasn't painted yet. */
  readonly #unpainted = new Set<string>()
  #source: EventSource | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #offline: ReturnType<typeof setTimeout> | undefined

  constructor(listener: FeedListener) {
    this.#listener = listener
    window.addEventListener('online', () => this.follow())
    window.addEventListener('offline', () => listener.connection('offline'))
    // A page restored from the back/forward cache is out of date, so it reconnects.
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.follow())
  }

  get graph(): DrawnGraph {
    return { services: [...this.#services.values()], calls: [...this.#calls.values()] }
  }

  /** Connects or reconnects, starting with the whole graph. */
  follow(): void {
    this.#source?.close()
    clearTimeout(this.#retry)
    const source = new EventSource(EVENTS)
    this.#source = source
    const on = <Data>(event: string, act: (data: Data) => void) =>
      source.addEventListener(event, ({ data }) => act(JSON.parse(data)))
    on<DrawnGraph>('graph', (graph) => this.#replace(graph))
    on<GraphChange>('change', (change) => this.#take(change))
    source.addEventListener('open', () => this.#connected())
    source.addEventListener('error', () => this.#lost(source))
  }

  #take(change: GraphChange): void {
    this.#waiting.push(change)
    this.#applyWaiting()
  }

  #applyWaiting(): void {
    const isLate = document.hidden || this.#waiting.length > MAX_WAITING
    while (this.#waiting[0] !== undefined && (isLate || !this.#hides(this.#waiting[0]))) {
      this.#apply(this.#waiting.shift() as GraphChange)
    }
  }

  /** Whether a change replaces a color that wasn't painted yet. */
  #hides({ services = [] }: GraphChange): boolean {
    return services.some(
      ({ id, color }) => this.#unpainted.has(id) && this.#services.get(id)?.color !== color,
    )
  }

  /** The first frame paints the color; only the one after it may paint another. */
  #recolored(id: string): void {
    this.#unpainted.add(id)
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        this.#unpainted.delete(id)
        this.#applyWaiting()
      }),
    )
  }

  #replace({ services, calls }: DrawnGraph): void {
    this.#waiting = []
    this.#services.clear()
    this.#calls.clear()
    for (const service of services) this.#services.set(service.id, service)
    for (const call of calls) this.#calls.set(edgeKey(call), call)
    this.#listener.graph()
  }

  #apply(change: GraphChange): void {
    for (const id of change.removedServices ?? []) this.#services.delete(id)
    for (const [from, to] of change.removedCalls ?? []) this.#calls.delete(edgeKey({ from, to }))
    for (const service of change.services ?? []) {
      if (this.#services.get(service.id)?.color !== service.color) this.#recolored(service.id)
      this.#services.set(service.id, service)
    }
    const called: Call[] = []
    for (const call of change.calls ?? []) {
      const key = edgeKey(call)
      if (call.count > (this.#calls.get(key)?.count ?? 0)) called.push(call)
      this.#calls.set(key, call)
    }
    this.#listener.change(change, called)
  }

  #connected(): void {
    clearTimeout(this.#offline)
    this.#offline = undefined
    this.#listener.connection('live')
  }

  #lost(source: EventSource): void {
    if (source !== this.#source) return
    if (source.readyState === EventSource.CLOSED) this.#retry = setTimeout(() => this.follow(), RECREATE_MS)
    if (this.#offline === undefined) {
      this.#listener.connection('reconnecting')
      this.#offline = setTimeout(() => this.#listener.connection('offline'), OFFLINE_AFTER_MS)
    }
  }
}
