import { type Fields, hasHeader, isFields, textOf } from '../fields.ts'
import type { Lack, OpenApiOptions } from './operations.ts'
import type { Refs } from './refs.ts'

interface Context {
  document: Fields
  refs: Refs
  options: OpenApiOptions
}

/** The secrets that an operation needs and the caller hasn't given; empty when one of its alternatives is met. */
export function lacking(context: Context, operation: Fields): Lack[] {
  const required = operation.security ?? context.document.security
  const alternatives = Array.isArray(required) ? required.filter(isFields) : []
  if (alternatives.length === 0) return []
  const lacks = alternatives.map((schemes) =>
    Object.keys(schemes).flatMap((scheme) => lackOf(context, scheme) ?? []),
  )
  if (lacks.some((each) => each.length === 0)) return []
  const [first] = lacks.flat()
  const detail = lacks.map((each) => each.map((lack) => lack.detail).join(' and ')).join(', or ')
  return [{ field: first?.field ?? 'security', detail: `the secret it asks for: ${detail}` }]
}

/** The query parameters by which an operation takes its keys, of those that the caller gave. */
export function keysInQuery(context: Context, operation: Fields): Fields[] {
  const required = operation.security ?? context.document.security
  const names = Array.isArray(required) ? required.filter(isFields).flatMap(Object.keys) : []
  return [...new Set(names)]
    .map((name) => schemeOf(context, name))
    .filter(({ type, in: place }) => type === 'apiKey' && place === 'query')
    .filter(({ name }) => context.options.params.has(textOf(name)))
    .map(({ name }) => ({ name, in: 'query', required: true }))
}

function lackOf(context: Context, name: string): Lack | undefined {
  const { headers, params } = context.options
  const scheme = schemeOf(context, name)
  const { type, in: place } = scheme
  if (type === 'mutualTLS')
    return { field: name, detail: `a client certificate (${name}), which can't be sent` }
  if (type === 'apiKey' && place === 'query') {
    const parameter = textOf(scheme.name)
    if (params.has(parameter)) return undefined
    return { field: parameter, detail: `query parameter ${parameter} (${name}; ?param=${parameter}=…)` }
  }
  const header = type === 'apiKey' ? (place === 'cookie' ? 'Cookie' : textOf(scheme.name)) : 'Authorization'
  if (hasHeader(headers, header)) return undefined
  return { field: `headers.${header}`, detail: `header ${header} (${name}; ?header=${header}: …)` }
}

function schemeOf({ document, refs }: Context, name: string): Fields {
  const schemes = refs.resolve(refs.resolve(document.components)?.securitySchemes) ?? {}
  return refs.resolve(schemes[name]) ?? {}
}
