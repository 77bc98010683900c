import { textColourOn } from './colour.ts'
import type { Verdict } from './judging/verdict.ts'

/** What a node is: a program that takes calls, something that it keeps data in, or a part of Weir itself. */
export type ServiceKind =
  | 'service'
  | 'database'
  | 'queue'
  /** A host whose APIs Weir follows. */
  | 'host'
  /** What Weir is made of. */
  | 'streams'
  | 'proxy'
  | 'subscribers'
  | 'channel'
  | 'archive'
  /** All that there was no room for. */
  | 'rest'

/** A node of the topology. */
export interface Service {
  /** What calls and reports name it by. */
  id: string
  /** What people read. Default: its id. */
  name: string
  kind: ServiceKind
  /** What it is drawn with: a tag, a host, a namespace. */
  group?: string
  /** Where it takes requests: http or https, without credentials. */
  url?: string
  /** Its state as a colour that `parseColour` gave. */
  colour: string
  /** What is known of its state, where something judges it, and the sentence that says why. */
  verdict?: Verdict
  reason?: string
  /** Where the console says more of it, as a path. */
  href?: string
  /** When it last reported itself or a colour, ISO 8601. */
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
  /** Of the last minutes; left out for an edge that has been idle for as long. */
  recent?: RecentCalls
}

/** How calls along one edge went of late. */
export interface RecentCalls {
  /** Calls per minute. */
  rate: number
  /** Part of them that failed, 0 to 1. */
  errorShare: number
  /** Median and 95th percentile of what they took, in milliseconds; left out where nobody measured. */
  p50Ms?: number
  p95Ms?: number
}

export interface Graph {
  services: readonly Service[]
  calls: readonly Call[]
}

/** Ids that Mermaid takes as they are. */
const PLAIN_ID = /^[A-Za-z]\w*$/
/** Words that Mermaid's flowchart lexer doesn't read as an id, in just this case: `V` is an id, `v` is an arrow. */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'accDescr accTitle call class classDef click default direction end flowchart graph href interpolate ' +
    'linkStyle style subgraph v'
  ).split(' '),
)

/**
 * The graph as a Mermaid flowchart. Whatever the names hold, it has a line a call, a line a service and two
 * class definitions a service, and nothing else.
 */
export function mermaidText({ services, calls }: Graph): string {
  return [
    'flowchart LR',
    ...calls.map(({ from, to }) => `    ${nodeId(from)} --> ${nodeId(to)}`),
    ...services.map(({ id, name }) => `    ${nodeId(id)}["${label(name)}"]:::custom_${nodeId(id)}`),
    ...services.map(({ id, colour }) => classDefs(`custom_${nodeId(id)}`, colour)),
  ].join('\n')
}

/**
 * The Mermaid id of a service: the service's own id where Mermaid and its layout take it (`constructor` makes
 * dagre throw), otherwise `_` and the id with every
 * character but letters and digits as `_<hex>_`. Two services never share one.
 */
export function nodeId(id: string): string {
  if (PLAIN_ID.test(id) && !KEYWORDS.has(id) && !(id in Object.prototype)) return id
  return `_${id.replace(/[^A-Za-z0-9]/gu, (char) => `_${char.codePointAt(0)?.toString(16)}_`)}`
}

/**
 * All but letters, digits and `_` as Mermaid's decimal entities: even the space of `direction TB` means something
 * to its lexer. It spells entities `ﬂ°…¶ß` inside: a name that does is parted by a character without width.
 */
function label(name: string): string {
  return name
    .replace(/\uFB02(?=\u00B0)|\u00B6(?=\u00DF)/g, '$&\u2060')
    .replace(/\W/gu, (char) => `#${char.codePointAt(0)};`)
}

/** Mermaid adds up the definitions of a class. */
function classDefs(name: string, fill: string): string {
  return `classDef ${name} fill:${fill},stroke:#333,stroke-width:2;\nclassDef ${name} color:${textColourOn(fill)};`
}
