// What the topology page's parts share: the graph as the server sends it, and the page's own elements.

/** What a node is; `src/core/graph.ts` says what each means. */
export type ServiceKind =
  | 'service'
  | 'database'
  | 'queue'
  | 'host'
  | 'streams'
  | 'proxy'
  | 'subscribers'
  | 'channel'
  | 'archive'
  | 'rest'

export type Verdict = 'live' | 'quiet' | 'stalled' | 'backing-off' | 'dead' | 'stopped'

export interface Service {
  id: string
  name: string
  kind: ServiceKind
  /** What it is drawn with: a tag, a host, a namespace. */
  group?: string
  url?: string
  colour: string
  verdict?: Verdict
  /** The sentence that says why. */
  reason?: string
  /** Where the console says more of it, as a path. */
  href?: string
  /** ISO 8601. */
  reportedAt: string
  /** Its id in the Mermaid text: letters, digits and `_`. */
  node: string
}

export interface Call {
  from: string
  to: string
  count: number
  errors: number
  lastStatus?: number
  lastDurationMs?: number
  /** ISO 8601. */
  calledAt?: string
  /** Of the last minutes; left out for an edge that has been idle for as long. */
  recent?: RecentCalls
}

export interface RecentCalls {
  /** Calls per minute. */
  rate: number
  /** 0 to 1. */
  errorShare: number
  p50Ms?: number
  p95Ms?: number
}

export interface Graph {
  services: Service[]
  calls: Call[]
}

/** A call that ended with this status or above has failed. */
export const FIRST_ERROR_STATUS = 400

/** An element that the page has from the start. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`There is no #${id} on this page.`)
  return element as Kind
}
