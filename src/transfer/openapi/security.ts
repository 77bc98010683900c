import { hasHeader, isFields, type JsonObject } from '../fields.ts'
import type { Lack, OpenApiOptions } from './operations.ts'
import type { Refs } from './refs.ts'

/** Alternatives of an operation that are considered, and schemes of each. */
const MAX_ALTERNATIVES = 50
const MAX_SCHEMES = 20

interface Context {
  document: JsonObject
  refs: Refs
  options: OpenApiOptions
}

/** The missing secrets of an operation; empty if one of its alternatives is satisfied. */
export function lacking(context: Context, operation: JsonObject): Lack[] {
  const required = operation.security ?? context.document.security
  return Array.isArray(required)
    ? context.refs.once(required, 'lacking', () => lackingOf(context, required))
    : []
}

function lackingOf(context: Context, required: readonly unknown[]): Lack[] {
  const alternatives = alternativesOf(context, required)
  if (alternatives.length === 0) return []
  const lacks = alternatives.map((names) => names.flatMap((name) => lackOf(context, name) ?? []))
  if (lacks.some((each) => each.length === 0)) return []
  const [first] = lacks.flat()
  const detail = lacks.map((each) => each.map((lack) => lack.detail).join(' and ')).join(', or ')
  return [{ field: first?.field ?? 'security', detail: `the required secret: ${detail}` }]
}

/** The query parameters with keys that the caller has set for an operation. */
export function keysInQuery(context: Context, operation: JsonObject): JsonObject[] {
  const required = operation.security ?? context.document.security
  return Array.isArray(required) ? context.refs.once(required, 'keys', () => keysOf(context, required)) : []
}

/** The scheme names of each alternative. */
function alternativesOf({ refs }: Context, required: readonly unknown[]): string[][] {
  const alternatives = required.slice(0, MAX_ALTERNATIVES).filter(isFields)
  return alternatives.map((schemes) => {
    const names = Object.keys(schemes)
    refs.budget.step(names.length)
    return names.slice(0, MAX_SCHEMES)
  })
}

function keysOf(context: Context, required: readonly unknown[]): JsonObject[] {
  return [...new Set(alternativesOf(context, required).flat())]
    .map((name) => schemeOf(context, name))
    .filter(({ type, in: place }) => type === 'apiKey' && place === 'query')
    .filter(({ name }) => context.options.params.has(nameIn(context, name)))
    .map(({ name }) => ({ name, in: 'query', required: true }))
}

function lackOf(context: Context, name: string): Lack | undefined {
  const { headers, params } = context.options
  const scheme = schemeOf(context, name)
  const { type, in: place } = scheme
  if (type === 'mutualTLS')
    return { field: name, detail: `a client certificate (${name}), which can't be sent` }
  if (type === 'apiKey' && place === 'query') {
    const parameter = nameIn(context, scheme.name)
    if (params.has(parameter)) return undefined
    return { field: parameter, detail: `query parameter ${parameter} (${name}; ?param=${parameter}=…)` }
  }
  const header =
    type === 'apiKey' ? (place === 'cookie' ? 'Cookie' : nameIn(context, scheme.name)) : 'Authorization'
  if (hasHeader(headers, header)) return undefined
  return { field: `headers.${header}`, detail: `header ${header} (${name}; ?header=${header}: …)` }
}

function nameIn({ refs }: Context, name: unknown): string {
  return refs.text(name, 'The name of a security scheme')
}

function schemeOf({ document, refs }: Context, name: string): JsonObject {
  const schemes = refs.resolve(refs.resolve(document.components)?.securitySchemes) ?? {}
  return refs.resolve(schemes[name]) ?? {}
}
