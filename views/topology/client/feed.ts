// Follows the live topology and keeps the graph as it is now.
import type { Call, Graph, Service } from './graph.ts'

const EVENTS = '/api/topology/events'
/** After the server refused the stream for good; before that, EventSource reconnects by itself. */
const RECREATE_MS = 3_000
/** Not reached for as long, the page stops saying that it is about to be connected. */
const OFFLINE_AFTER_MS = 20_000

export type Connection = 'live' | 'reconnecting' | 'offline'

/** What is different since the last one: whole services and calls. */
export interface Change {
  services?: Service[]
  calls?: Call[]
  removedServices?: string[]
  removedCalls?: [from: string, to: string][]
}

export interface FeedListener {
  /** The graph is another one altogether. */
  graph(): void
  /** It changed; `called` are the calls that were just made. */
  change(change: Change, called: Call[]): void
  connection(state: Connection): void
}

/** The graph as it is now. Lives as long as the page does. */
export class Feed {
  readonly #services = new Map<string, Service>()
  readonly #calls = new Map<string, Call>()
  readonly #listener: FeedListener
  #source: EventSource | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #offline: ReturnType<typeof setTimeout> | undefined

  constructor(listener: FeedListener) {
    this.#listener = listener
    window.addEventListener('online', () => this.follow())
    window.addEventListener('offline', () => listener.connection('offline'))
    // A page that comes back from the browser's store shows what was: it asks for what is.
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.follow())
  }

  get graph(): Graph {
    return { services: [...this.#services.values()], calls: [...this.#calls.values()] }
  }

  /** Connects, anew if it was: then with the whole graph. */
  follow(): void {
    this.#source?.close()
    clearTimeout(this.#retry)
    const source = new EventSource(EVENTS)
    this.#source = source
    const on = <Data>(event: string, act: (data: Data) => void) =>
      source.addEventListener(event, ({ data }) => act(JSON.parse(data)))
    on<Graph>('graph', (graph) => this.#replace(graph))
    on<Change>('change', (change) => this.#apply(change))
    source.addEventListener('open', () => this.#connected())
    source.addEventListener('error', () => this.#lost(source))
  }

  #replace({ services, calls }: Graph): void {
    this.#services.clear()
    this.#calls.clear()
    for (const service of services) this.#services.set(service.id, service)
    for (const call of calls) this.#calls.set(edgeKey(call.from, call.to), call)
    this.#listener.graph()
  }

  #apply(change: Change): void {
    for (const id of change.removedServices ?? []) this.#services.delete(id)
    for (const [from, to] of change.removedCalls ?? []) this.#calls.delete(edgeKey(from, to))
    for (const service of change.services ?? []) this.#services.set(service.id, service)
    const called: Call[] = []
    for (const call of change.calls ?? []) {
      const key = edgeKey(call.from, call.to)
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

export function edgeKey(from: string, to: string): string {
  return `${from}\n${to}`
}
