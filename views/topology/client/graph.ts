// Shared by the topology page's parts: the graph as the server sends it, and the page's elements.
import type { Status } from '../../../src/core/sets/statuses.ts'

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

export interface Service {
  id: string
  name: string
  kind: ServiceKind
  /** The group that it is drawn in: a tag, a host, a namespace. */
  group?: string
  url?: string
  color: string
  status?: Status
  /** The reason, as a sentence. */
  reason?: string
  /** Path of its page in the console. */
  href?: string
  /** ISO 8601. */
  reportedAt: string
  /** Its ID in the Mermaid source: letters, digits and `_`. */
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
  /** The last minutes; left out for an idle edge. */
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

/** A call with this status or above failed. */
export const FIRST_ERROR_STATUS = 400

/** An element that the page has from the start. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`No #${id} on this page.`)
  return element as Kind
}
