import { textColorOn } from './color.ts'
import type { Status } from './sets/statuses.ts'

/** What a node is: a program that takes calls, a data store, or a part of Weir itself. */
export type ServiceKind =
  | 'service'
  | 'database'
  | 'queue'
  /** A host whose APIs Weir follows. */
  | 'host'
  /** Parts of Weir. */
  | 'streams'
  | 'proxy'
  | 'subscribers'
  | 'channel'
  | 'archive'
  /** Everything that isn't drawn on its own. */
  | 'rest'

/** A node of the topology. */
export interface Service {
  /** Its name in calls and reports. */
  id: string
  /** Its label. Default: its ID. */
  name: string
  kind: ServiceKind
  /** Drawn together: a tag, a host, a namespace. */
  group?: string
  /** Where it takes requests: http or https, without credentials. */
  url?: string
  /** Its state as a color that `parseColor` gave. */
  color: string
  /** Its status, if it has one, and the reason in a sentence. */
  status?: Status
  reason?: string
  /** Path of its page in the console. */
  href?: string
  /** When it last reported itself or a color, ISO 8601. */
  reportedAt: string
}

/** A directed edge: `from` calls `to`. An edge that was only declared has a count of 0 and no last outcome. */
export interface Call {
  from: string
  to: string
  /** Calls with a known outcome. */
  count: number
  /** How many of them had a status of 400 or above. */
  errors: number
  lastStatus?: number
  lastDurationMs?: number
  /** When the last of them was reported, ISO 8601. */
  calledAt?: string
  /** The last minutes; omitted if the edge was idle. */
  recent?: RecentCalls
  /** Set if somebody declared that it exists. */
  isDeclared?: true
}

/** Recent calls along one edge. */
export interface RecentCalls {
  /** Calls per minute. */
  rate: number
  /** Share of them that failed, 0 to 1. */
  errorShare: number
  /** Median and 95th percentile of their duration, in milliseconds; omitted if not measured. */
  p50Ms?: number
  p95Ms?: number
}

export interface Graph {
  services: readonly Service[]
  calls: readonly Call[]
}

/** IDs that Mermaid accepts unchanged. */
const PLAIN_ID = /^[A-Za-z]\w*$/
/** Words that Mermaid's flowchart lexer doesn't accept as an ID, case-sensitive: `V` is an ID, `v` is an arrow. */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'accDescr accTitle call class classDef click default direction end flowchart graph href interpolate ' +
    'linkStyle style subgraph v'
  ).split(' '),
)

/**
 * The graph as a Mermaid flowchart. Whatever the names contain, it has one line per call, one line per service and
 * two class definitions per service, and nothing else.
 */
export function mermaidText({ services, calls }: Graph): string {
  return [
    'flowchart LR',
    ...calls.map(({ from, to }) => `    ${nodeId(from)} --> ${nodeId(to)}`),
    ...services.map(({ id, name }) => `    ${nodeId(id)}["${label(name)}"]:::custom_${nodeId(id)}`),
    ...services.map(({ id, color }) => classDefs(`custom_${nodeId(id)}`, color)),
  ].join('\n')
}

/**
 * The Mermaid ID of a service: its own ID if Mermaid and its layout accept it (`constructor` makes dagre throw),
 * otherwise `_` and the ID with every character except letters and digits as `_<hex>_`. Two services never share one.
 */
export function nodeId(id: string): string {
  if (PLAIN_ID.test(id) && !KEYWORDS.has(id) && !(id in Object.prototype)) return id
  return `_${id.replace(/[^A-Za-z0-9]/gu, (char) => `_${char.codePointAt(0)?.toString(16)}_`)}`
}

/** The service that `nodeId` gave this Mermaid ID; any other Mermaid ID is the service's own. */
export function idOfNode(node: string): string {
  if (!node.startsWith('_')) return node
  const id = node.slice(1).replace(/_([0-9a-f]{1,6})_/g, (written, hex) => {
    const code = Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : written
  })
  return nodeId(id) === node ? id : node
}

/**
 * Writes everything except letters, digits and `_` as Mermaid's decimal entities, because even the space in
 * `direction TB` has a meaning for its lexer. Mermaid represents entities as `ﬂ°…¶ß` internally; a name that contains
 * that is split by a zero-width character.
 */
function label(name: string): string {
  return name
    .replace(/\uFB02(?=\u00B0)|\u00B6(?=\u00DF)/g, '$&\u2060')
    .replace(/\W/gu, (char) => `#${char.codePointAt(0)};`)
}

/** Mermaid combines all definitions of a class. */
function classDefs(name: string, fill: string): string {
  return `classDef ${name} fill:${fill},stroke:#333,stroke-width:2;\nclassDef ${name} color:${textColorOn(fill)};`
}
