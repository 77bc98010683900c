import { kindOfType, OTHERWISE, STREAM_KIND, type StreamKind } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import { MAX_URL_CHARS } from '../../streams/registry/registration.ts'
import { Budget, MAX_HEADER_CHARS, many, TooLarge } from '../bounds.ts'
import { hasHeader, isFields, type JsonObject, valueText } from '../fields.ts'
import type { ImportLine } from '../lines.ts'
import {
  encode,
  type OpenApiParameter,
  parameterOf,
  type RequestParts,
  suggested,
  writeParameter,
} from './parameters.ts'
import { Refs } from './refs.ts'
import { keysInQuery, lacking } from './security.ts'
import { serverUrls } from './servers.ts'
import { isSwagger2, parameterFrom, producedBy, withServers } from './swagger2.ts'

/** What the caller adds to a document, which may be incomplete. */
export interface OpenApiOptions {
  /** The address of the API: replaces the document's servers, or resolves relative ones. */
  server?: string
  /** Sent with every operation. */
  headers: Readonly<Record<string, string>>
  /** Values of parameters and server variables by name; they take precedence over the document's. */
  params: ReadonlyMap<string, string>
}

/** A missing requirement of an operation. */
export interface Lack {
  /** The parameter, header or option. */
  field: string
  /** Description, and how to set it. */
  detail: string
}

/** Limits of a registration. */
const MAX_NAME_CHARS = 200
const MAX_TAG_CHARS = 64
const MAX_TAGS = 20
/** How much of a long name or list of tags is read to fill those limits. */
const MAX_NAME_LOOKED_AT_CHARS = 1_000
const MAX_TAGS_LOOKED_AT = 100
/** Parameters of one operation, including those of its path. */
const MAX_PARAMETERS = 200
/** Missing things reported for one operation. */
const MAX_LACKS = 20
const MAX_FIELD_CHARS = 200
/** Length of a name to which its server is added. */
const MAX_SHORT_NAME_CHARS = 120
/** Length of the message about everything that is missing. */
const MAX_DETAIL_CHARS = 1_000

/** Whether a value is an OpenAPI or Swagger document. */
export function isOpenApi(value: unknown): value is JsonObject {
  return isFields(value) && ('openapi' in value || 'swagger' in value)
}

/**
 * The GET operations of an OpenAPI document as registrations, created on demand: one per server address; undefined
 * for a path without any.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 * @throws Problem `bad_request` for anything but OpenAPI 3 or Swagger 2; `too_large` if its parts expand too much
 */
export function* operationsOf(given: unknown, options: OpenApiOptions): Generator<ImportLine | undefined> {
  if (!isSwagger2(given) && (!isFields(given) || !/^3\./.test(valueText(given.openapi)))) {
    throw new Problem('bad_request', 'Expected an OpenAPI document of version 3, or Swagger 2.0.')
  }
  const document = isSwagger2(given) ? withServers(given) : given
  const context = { document, refs: new Refs(document, new Budget()), options }
  let line = 0
  for (const [path, item] of isFields(document.paths) ? Object.entries(document.paths) : []) {
    const found = path.startsWith('/') ? streamsAtPath(context, path, item) : []
    for (const each of found) yield { line: ++line, ...each }
    if (found.length === 0) yield undefined
  }
}

interface Context {
  document: JsonObject
  refs: Refs
  options: OpenApiOptions
}

/** A problem with one path doesn't affect the others. */
function streamsAtPath(context: Context, path: string, item: unknown): Omit<ImportLine, 'line'>[] {
  try {
    return streamsAt(context, path, context.refs.resolve(item))
  } catch (problem) {
    if (!(problem instanceof Problem) || problem instanceof TooLarge) throw problem
    return [{ value: { url: path.slice(0, MAX_URL_CHARS) }, problem }]
  }
}

function streamsAt(context: Context, path: string, item: JsonObject | undefined): Omit<ImportLine, 'line'>[] {
  const operation = context.refs.resolve(item?.get)
  if (item === undefined || operation === undefined) return []
  const { document, refs, options } = context
  const parameters = [...parametersOf(context, item, operation), ...keysInQuery(context, operation)]
  const filled = fill(context, path, parameters)
  const servers = serverUrls(refs, operation.servers ?? item.servers ?? document.servers, options)
  const secrets = lacking(context, operation)
  const lacks = [...filled.lacks, ...servers.lacks, ...secrets]
  const name = nameOf(operation, path)
  const url = (server: string) => server.replace(/\/$/, '') + filled.path
  if (lacks.length > 0) {
    return [{ value: { url: url(servers.urls[0] ?? ''), name }, problem: problemOf(lacks) }]
  }
  const tags = tagsOf(operation)
  const said = {
    ...kindOf(context, operation),
    ...(tags.length > 0 && { tags }),
    ...(Object.keys(filled.headers).length > 0 && { headers: filled.headers }),
  }
  return servers.urls.map((server) => {
    const isOne = servers.urls.length === 1
    const own = isOne ? name : `${name.slice(0, MAX_SHORT_NAME_CHARS)} (${hostIn(server)})`
    refs.budget.text(server.length + filled.path.length + filled.headerChars)
    return { value: { url: url(server), name: own.slice(0, MAX_NAME_CHARS), ...said } }
  })
}

/** A server's host; of an address that isn't a URL, all of it. */
function hostIn(server: string): string {
  return URL.canParse(server) ? new URL(server).host : server
}

/** The parameters of an operation; its own take precedence over those of its path. */
function parametersOf({ refs, document }: Context, item: JsonObject, operation: JsonObject): JsonObject[] {
  const lists = [item.parameters, operation.parameters].filter(Array.isArray)
  if (lists.reduce((sum, list) => sum + list.length, 0) > MAX_PARAMETERS) {
    throw new Problem('too_large', `The operation has more than ${MAX_PARAMETERS} parameters.`, 'parameters')
  }
  const parameters = new Map<string, JsonObject>()
  for (const each of lists.flat()) {
    const found = refs.resolve(each)
    const parameter = found && isSwagger2(document) ? parameterFrom(found) : found
    if (parameter === undefined) continue
    const key = [parameter.in, parameter.name].map((part) => refs.text(part, 'The name of a parameter'))
    parameters.set(valueText(key), parameter)
  }
  return [...parameters.values()]
}

/** The path with its query, and the headers, filled in with the parameters. */
function fill({ refs, options }: Context, template: string, declared: readonly JsonObject[]) {
  const lacks: Lack[] = []
  const sent: RequestParts = { path: new Map(), query: [], headers: {}, cookies: [] }
  const room = new Room(refs.budget, template)
  for (const fields of declared) {
    const parameter = parameterOf(refs, fields)
    const given = options.params.get(parameter.name)
    if (!parameter.required && given === undefined) continue
    // A header that the caller sends anyway needs no other value.
    if (hasHeader(options.headers, headerOf(parameter))) continue
    const value = given ?? suggested(refs, fields)
    if (!refs.fits(value)) throw tooLong('value', parameter.name)
    if (value !== undefined && valueText(value) !== '') {
      room.take(parameter, writeParameter(sent, parameter, value))
    } else if (lacks.length < MAX_LACKS) lacks.push(parameterLack(parameter.in, parameter.name))
  }
  const path = template.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const given = options.params.get(name)
    const value = sent.path.get(name) ?? (given && encode(given))
    if (value !== undefined) room.take({ in: 'path', name }, value.length)
    else if (lacks.length < MAX_LACKS && !lacks.some(({ field }) => field === name)) {
      lacks.push(parameterLack('path', name))
    }
    return value ?? whole
  })
  const cookies = sent.cookies.length > 0 ? { Cookie: sent.cookies.join('; ') } : {}
  const headers = { ...sent.headers, ...cookies, ...options.headers }
  const query = sent.query.length > 0 ? `?${sent.query.join('&')}` : ''
  return { path: path + query, headers, headerChars: room.headerChars + charsOf(options.headers), lacks }
}

/** How much of an operation's limits its URL and headers use. */
class Room {
  readonly #budget: Budget
  #urlChars: number
  headerChars = 0

  /** @throws Problem `too_large` if the path alone is too long */
  constructor(budget: Budget, template: string) {
    this.#budget = budget
    this.#urlChars = template.length
    if (template.length > MAX_URL_CHARS) throw tooLong('path', template)
  }

  /** @throws Problem `too_large` */
  take({ in: place, name }: Pick<OpenApiParameter, 'in' | 'name'>, chars: number): void {
    this.#budget.text(chars)
    if (place === 'path' || place === 'query') this.#urlChars += chars
    else this.headerChars += chars
    if (this.#urlChars > MAX_URL_CHARS) throw tooLong('URL', name)
    if (this.headerChars > MAX_HEADER_CHARS) throw tooLong('headers', name)
  }
}

function tooLong(what: 'path' | 'URL' | 'headers' | 'value', name: string): Problem {
  const field = name.slice(0, MAX_FIELD_CHARS)
  const most = `more than ${many(what === 'headers' ? MAX_HEADER_CHARS : MAX_URL_CHARS)} characters`
  const say = `Set a shorter value with ?param=${field}=…`
  if (what === 'path') return new Problem('too_large', `The path has ${most}.`, 'url')
  if (what === 'value') return new Problem('too_large', `The value of ${field} has ${most}. ${say}`, field)
  return new Problem('too_large', `With ${field}, the ${what} would have ${most}. ${say}`, field)
}

function charsOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}

/** The header that carries a parameter; empty for those of the path and query. */
function headerOf({ in: place, name }: OpenApiParameter): string {
  if (place === 'cookie') return 'Cookie'
  return place === 'header' ? name : ''
}

function parameterLack(place: string, name: string): Lack {
  return { field: name, detail: `${place} parameter ${name} (?param=${name}=…)` }
}

function problemOf(lacks: readonly Lack[]): Problem {
  const detail = `The document doesn't provide: ${lacks.map((lack) => lack.detail).join('; ')}.`
  const field = lacks[0]?.field.slice(0, MAX_FIELD_CHARS)
  return new Problem('invalid_field', detail.slice(0, MAX_DETAIL_CHARS), field)
}

function nameOf(operation: JsonObject, path: string): string {
  const said = [operation.summary, operation.operationId]
    .map((each) => (typeof each === 'string' ? each.slice(0, MAX_NAME_LOOKED_AT_CHARS).trim() : ''))
    .find((each) => each !== '')
  return (said ?? path).slice(0, MAX_NAME_CHARS)
}

function tagsOf({ tags }: JsonObject): string[] {
  const some = Array.isArray(tags) ? tags.slice(0, MAX_TAGS_LOOKED_AT) : []
  const texts = some.filter((tag): tag is string => typeof tag === 'string')
  const clean = texts.map((tag) =>
    tag
      .slice(0, MAX_NAME_LOOKED_AT_CHARS)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it takes out
      .replace(/[,\s\x00-\x1f]+/g, ' ')
      .trim()
      .slice(0, MAX_TAG_CHARS),
  )
  return clean.filter((tag) => tag !== '').slice(0, MAX_TAGS)
}

/** The kind according to the responses; left open if they allow both or neither. */
function kindOf({ refs, document }: Context, operation: JsonObject): { kind?: StreamKind } {
  const responses = refs.resolve(operation.responses) ?? {}
  return refs.once(responses, 'kind', () => {
    const types = isSwagger2(document)
      ? producedBy(document, operation)
      : Object.entries(responses)
          .filter(([status]) => /^(2|default)/i.test(status))
          .flatMap(([, response]) => typesOf(refs, response))
    const [streamed] = types.flatMap((type) => endlessKindOf(type) ?? [])
    const polls = types.some((type) => /^application\/(.+\+)?json\b/i.test(type))
    if ((streamed !== undefined) === polls) return {}
    return { kind: streamed ?? OTHERWISE }
  })
}

/** The kind that a content type alone identifies: JSON lines may also be a file. */
function endlessKindOf(type: string): StreamKind | undefined {
  const kind = kindOfType(type)
  return kind !== undefined && STREAM_KIND[kind].mayEnd ? undefined : kind
}

function typesOf(refs: Refs, response: unknown): string[] {
  const types = Object.keys(refs.resolve(refs.resolve(response)?.content) ?? {})
  refs.budget.step(types.length)
  return types
}
