// Shared by the topology page's parts: the graph as the server sends it, and the page's elements. A script loads nothing
// from outside its folder, but types are gone when it runs.
import type * as core from '../../../src/core/graph.ts'

export type { Call, RecentCalls, ServiceKind } from '../../../src/core/graph.ts'

export interface DrawnService extends core.Service {
  /** Its ID in the Mermaid source: letters, digits and `_`. */
  node: string
}

export interface DrawnGraph {
  services: DrawnService[]
  calls: core.Call[]
}

/** A call with this status or above failed. */
export const FIRST_ERROR_STATUS = 400

/** An element that the page has from the start. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`No #${id} on this page.`)
  return element as Kind
}
