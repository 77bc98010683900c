// What the topology page's parts share: the graph as the server sends it, and the page's own elements.

export interface Service {
  id: string
  name: string
  url?: string
  colour: string
  /** Its id in the Mermaid text. */
  node: string
}

export interface Call {
  from: string
  to: string
  count: number
  errors: number
  lastStatus?: number
  lastDurationMs?: number
  calledAt?: string
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
