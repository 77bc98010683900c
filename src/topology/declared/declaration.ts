import { Problem } from '../../errors.ts'
import { edgeKey } from '../model.ts'
import { type ReportedKind, requireId, requireName } from '../rules.ts'
import { readFlowchart } from './flowchart.ts'
import { readSimulation } from './simulation.ts'

/** What a declaration may draw: with as many reported, a picture still shows all. */
export const MAX_DECLARED_SERVICES = 200
export const MAX_DECLARED_CALLS = 1_000
/** Longest text of a declaration, in UTF-16 units. */
export const MAX_DECLARED_CHARS = 65_536

export interface DeclaredService {
  id: string
  /** Its label. Default: its ID. */
  name?: string
  kind?: ReportedKind
  group?: string
}

export interface DeclaredCall {
  from: string
  to: string
}

/** Services and calls that should exist, whether or not anything was reported of them. */
export interface DeclaredParts {
  services: readonly DeclaredService[]
  calls: readonly DeclaredCall[]
}

export interface Declaration extends DeclaredParts {
  /** What it was read from. */
  text: string
}

/**
 * Reads a declaration: a Mermaid flowchart, or the YAML of a simulated graph.
 * @throws Problem `invalid_field` about `text`, with the line
 */
export function readDeclaration(text: string): Declaration {
  if (text.length > MAX_DECLARED_CHARS) {
    const most = MAX_DECLARED_CHARS.toLocaleString('en')
    throw new Problem('invalid_field', `Expected at most ${most} characters.`, 'text')
  }
  const read = isFlowchart(text) ? readFlowchart : readSimulation
  return { text, ...checkParts(read(text)) }
}

/** Adds services that only calls name, and leaves out what is said twice. @throws Problem `invalid_field` about `text` */
function checkParts({ services, calls }: DeclaredParts): DeclaredParts {
  const named = new Map<string, DeclaredService>(services.map((service) => [service.id, service]))
  for (const { from, to } of calls) {
    for (const id of [from, to]) if (!named.has(id)) named.set(id, { id })
  }
  const distinct = new Map(calls.map((call) => [edgeKey(call), call]))
  if (named.size === 0) throw new Problem('invalid_field', 'It has no services.', 'text')
  atMost(named.size, MAX_DECLARED_SERVICES, 'services')
  atMost(distinct.size, MAX_DECLARED_CALLS, 'calls')
  for (const { id, name, group } of named.values()) {
    requireId(id, 'text')
    if (name !== undefined) requireName(name, 'text')
    if (group !== undefined) requireName(group, 'text')
  }
  return { services: [...named.values()], calls: [...distinct.values()] }
}

function atMost(count: number, most: number, what: string): void {
  if (count <= most) return
  throw new Problem('invalid_field', `It has ${count} ${what}; at most ${most} can be declared.`, 'text')
}

/** Mermaid's comments, settings and front matter may come first. */
function isFlowchart(text: string): boolean {
  const rest = text.replace(/^\s*---\r?\n[\s\S]*?\r?\n---[ \t]*\r?\n/, '')
  const first = rest.split(/[\r\n;]+/).find((line) => line.trim() !== '' && !line.trim().startsWith('%%'))
  return /^\s*(graph|flowchart)\b/.test(first ?? '')
}
