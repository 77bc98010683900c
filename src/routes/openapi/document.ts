import { accessOf } from '../../auth/access.ts'
import type { Paths } from './operations.ts'
import { codesOf, patternOf, problemResponses } from './problems.ts'
import type { ApiDocument, ApiOperation, ApiParameter, ApiSchema } from './types.ts'

const INFO =
  'Register APIs, start and stop their streams, and query status, logs, size and change. Errors are problem details ' +
  '(RFC 9457) with a `code` and, for invalid input, a `field`. Timestamps are ISO 8601; those you send name their zone. If Weir has a token, send it or ' +
  'an API key as a Bearer token or as the Basic password.'

/** The sections of the API, in reading order. */
const TAGS = [
  { name: 'Streams', description: 'Register APIs, follow them, and read their logs' },
  { name: 'Measures', description: 'Response sizes, change rates, and savings from streaming' },
  { name: 'Documents', description: 'Documents at any point in time, and the changes between them' },
  { name: 'Proxy', description: 'Any JSON API as an event stream' },
  { name: 'Topology', description: 'Services and the calls between them, and fault injection' },
  { name: 'Channels', description: 'Notification channels and deliveries' },
  { name: 'Incidents', description: 'Incidents, alert rules, and silences' },
  { name: 'Archive', description: 'Log archive on S3' },
  { name: 'Access', description: 'API keys and the audit log' },
  { name: 'Operation', description: 'Health, metrics, settings, and backups' },
]

const SECURITY = {
  token: { type: 'http', scheme: 'bearer', description: 'WEIR_TOKEN or an API key' },
  password: {
    type: 'http',
    scheme: 'basic',
    description: 'Any user name, with WEIR_TOKEN or an API key as the password',
  },
}

/** The complete document from the routes' own descriptions, with all parameters and problems; named schemas once. */
export function completeDocument(paths: Paths, version: string): ApiDocument {
  const schemas: Record<string, ApiSchema> = {}
  const completed = Object.entries(paths).map(([path, methods]) => [
    path.replace(/\*$/, '{url}'),
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [method, complete(path, method, operation)]),
    ),
  ])
  return {
    openapi: '3.1.1',
    info: { title: 'Weir', version, description: INFO },
    security: [{}, { token: [] }, { password: [] }],
    tags: TAGS,
    paths: gather(Object.fromEntries(completed), schemas) as ApiDocument['paths'],
    components: { schemas: inOrder(schemas), securitySchemes: SECURITY },
  }
}

function complete(path: string, method: string, given: ApiOperation): ApiOperation {
  const { 'x-problems': _, ...operation } = given
  const parameters = (operation.parameters ?? []).map(named)
  const codes = codesOf(path, method, { ...given, parameters })
  const hasDefault = operation.responses?.default !== undefined
  return {
    ...operation,
    operationId: operation.operationId.replace('*', ''),
    ...(parameters.length > 0 && { parameters }),
    security: securityOf(path, method),
    responses: { ...operation.responses, ...problemResponses(codes, hasDefault) },
  }
}

/** The minimum scope of a key, as a role; a Weir without a token needs no authentication. */
function securityOf(path: string, method: string): ApiOperation['security'] {
  const access = accessOf(method.toUpperCase(), patternOf(path))
  return access === 'open' || access === 'token'
    ? []
    : [{}, { token: [access ?? 'admin'] }, { password: [access ?? 'admin'] }]
}

/** A path parameter is an ID unless described otherwise. */
function named(parameter: ApiParameter): ApiParameter {
  const isId = parameter.in === 'path' && parameter.name === 'id' && parameter.description === undefined
  return isId ? { ...parameter, description: 'ID' } : parameter
}

/** Moves named schemas to `components`. */
function gather(value: unknown, schemas: Record<string, ApiSchema>): unknown {
  if (Array.isArray(value)) return value.map((each) => gather(each, schemas))
  if (typeof value !== 'object' || value === null) return value
  const { $id, ...rest } = value as ApiSchema
  const gathered = Object.fromEntries(
    Object.entries(modern(rest)).map(([key, each]) => [
      key,
      key === 'example' ? each : gather(each, schemas),
    ]),
  )
  if ($id === undefined) return gathered
  schemas[$id] = gathered
  return { $ref: `#/components/schemas/${$id}` }
}

/** TypeBox writes choices as unions of constants, and tuples as drafts before 2020-12 had them. */
function modern(schema: ApiSchema): ApiSchema {
  const { anyOf, items, additionalItems: _, ...rest } = schema
  const isChoice = anyOf?.length && anyOf.every((each) => typeof each.const === 'string')
  if (isChoice) return { ...rest, type: 'string', enum: anyOf.map((each) => each.const) }
  return Array.isArray(items) ? { ...rest, prefixItems: items } : schema
}

function inOrder(schemas: Record<string, ApiSchema>): Record<string, ApiSchema> {
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)))
}
