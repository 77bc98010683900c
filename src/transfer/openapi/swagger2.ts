import { isFields, type JsonObject, valueText } from '../fields.ts'

/** Styles of OpenAPI 3 that write a list as Swagger 2's `collectionFormat` does. */
const STYLES: Readonly<Record<string, { style?: string; explode: boolean }>> = {
  csv: { explode: false },
  ssv: { style: 'spaceDelimited', explode: false },
  tsv: { style: 'tabDelimited', explode: false },
  pipes: { style: 'pipeDelimited', explode: false },
  multi: { explode: true },
}

export function isSwagger2(value: unknown): value is JsonObject {
  return isFields(value) && /^2\./.test(valueText(value.swagger))
}

/**
 * A Swagger 2 document with its servers and security schemes where OpenAPI 3 has them. References still work: what they
 * point to stays in its place.
 * @see https://swagger.io/specification/v2/
 */
export function withServers(document: JsonObject): JsonObject {
  const { securityDefinitions } = document
  return {
    ...document,
    servers: serversOf(document),
    components: { securitySchemes: isFields(securityDefinitions) ? securityDefinitions : {} },
  }
}

/** A parameter, or undefined for a body or a form, which a GET request has none of. */
export function parameterFrom(parameter: JsonObject): JsonObject | undefined {
  const { in: place, collectionFormat, type, default: usual, enum: choices, items } = parameter
  if (place === 'body' || place === 'formData') return undefined
  const example = parameter['x-example'] ?? parameter.example
  return {
    ...parameter,
    ...(example !== undefined && { example }),
    schema: { type, default: usual, enum: choices, items },
    ...(type === 'array' && STYLES[valueText(collectionFormat ?? 'csv')]),
  }
}

/** Content types of an operation's answers. */
export function producedBy(document: JsonObject, { produces = document.produces }: JsonObject): string[] {
  return Array.isArray(produces) ? produces.slice(0, 100).map(valueText) : []
}

/** One server: the safest scheme; without a host, only a path. */
function serversOf({ schemes, host, basePath }: JsonObject): { url: string }[] {
  const path = typeof basePath === 'string' ? basePath : '/'
  if (typeof host !== 'string' || host === '') return [{ url: path }]
  const isPlain = Array.isArray(schemes) && schemes.includes('http') && !schemes.includes('https')
  return [{ url: `${isPlain ? 'http' : 'https'}://${host}${path.startsWith('/') ? path : `/${path}`}` }]
}
