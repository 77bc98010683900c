import { Problem } from '../../errors.ts'
import type { DeclaredCall, DeclaredParts, DeclaredService } from './declaration.ts'

/**
 * Reads the services and calls of a graph file of the simulation; everything else in it is left out.
 * @throws Problem `invalid_field` about `text`
 */
export function readSimulation(text: string): DeclaredParts {
  const { services } = fieldsOf(parsed(text))
  if (!Array.isArray(services)) throw wrong('Expected a Mermaid flowchart, or YAML with a list of services.')
  const calls: DeclaredCall[] = []
  const declared = services.map((value, at): DeclaredService => {
    const { name, group, calls: steps = [] } = fieldsOf(value)
    if (typeof name !== 'string') throw wrong(`services[${at}].name: expected a text.`)
    for (const to of targetsOf(steps)) calls.push({ from: name, to })
    return { id: name, ...(typeof group === 'string' && { group }) }
  })
  return { services: declared, calls }
}

/** The services that steps call: names, `{service}`, or several of them in `{parallel}`. */
function targetsOf(steps: unknown): string[] {
  if (!Array.isArray(steps)) return []
  const together = steps.flatMap((step) => {
    const { parallel } = fieldsOf(step)
    return Array.isArray(parallel) ? parallel : [step]
  })
  return together.flatMap((step) => {
    const target = typeof step === 'string' ? step : fieldsOf(step).service
    return typeof target === 'string' ? [target] : []
  })
}

function parsed(text: string): unknown {
  try {
    return Bun.YAML.parse(text)
  } catch (error) {
    throw wrong(`Expected a Mermaid flowchart or YAML: ${error instanceof Error ? error.message : error}`)
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function wrong(sentence: string): Problem {
  return new Problem('invalid_field', sentence, 'text')
}
