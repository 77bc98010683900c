import { accessOf } from '../../auth/access.ts'
import { codesOf, patternOf, problemResponses } from './problems.ts'
import type { ApiDocument, ApiOperation, ApiParameter, ApiSchema } from './types.ts'

type Paths = Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>

const INFO =
  'Register an API, start and stop its stream, and ask for its status, logs, size and change. Errors are problem ' +
  'details (RFC 9457) with a `code` and, where one is to blame, the `field`. Instants are ISO 8601. Where Weir has a ' +
  'token, send that or an API key as Bearer token, or as the password of Basic.'

/** The parts of the API, in the order in which people meet them. */
const TAGS = [
  { name: 'Streams', description: 'Registering APIs, following them, and reading what they said' },
  { name: 'Measures', description: 'How large responses are, how often they change, what streaming saves' },
  { name: 'Documents', description: 'What an API said at any moment, and what changed between two' },
  { name: 'Proxy', description: 'Any JSON API as a stream' },
  { name: 'Topology', description: 'Services and their calls: reported, drawn, and told to fail' },
  { name: 'Channels', description: 'Where notifications go, and what was sent' },
  { name: 'Incidents', description: 'What is wrong, by which rules, and when nobody is told' },
  { name: 'Archive', description: 'What of the log lies on S3' },
  { name: 'Access', description: 'Who gets in, and who did what' },
  { name: 'Operation', description: 'Weir itself' },
]

const SECURITY = {
  token: { type: 'http', scheme: 'bearer', description: 'WEIR_TOKEN, or an API key' },
  password: { type: 'http', scheme: 'basic', description: 'Any user; WEIR_TOKEN or an API key as password' },
}

/** The whole document from what the routes say of themselves: with all parameters, problems, and named schemas once. */
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
  const { 'x-parameters': own = [], 'x-problems': _, ...operation } = given
  const parameters = [...(operation.parameters ?? []), ...own].map(named)
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

/** What a key must at least be allowed, as a role; a Weir without a token asks for nothing. */
function securityOf(path: string, method: string): ApiOperation['security'] {
  const access = accessOf(method.toUpperCase(), patternOf(path))
  return access === 'open' ? [] : [{}, { token: [access ?? 'admin'] }, { password: [access ?? 'admin'] }]
}

/** A parameter of a path is an id everywhere but where it says something else. */
function named(parameter: ApiParameter): ApiParameter {
  const isId = parameter.in === 'path' && parameter.name === 'id' && parameter.description === undefined
  return isId ? { ...parameter, description: 'Its id' } : parameter
}

/** Puts schemas with a name where all can refer to them. */
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
