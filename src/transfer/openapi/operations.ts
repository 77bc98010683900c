import { Problem } from '../../errors.ts'
import { type Fields, hasHeader, isFields, textOf } from '../fields.ts'
import type { Line } from '../lines.ts'
import { encode, type Parameter, parameterOf, type Sent, writeParameter } from './parameters.ts'
import { Refs } from './refs.ts'
import { keysInQuery, lacking } from './security.ts'
import { serverUrls } from './servers.ts'

/** What the caller adds to a document, which doesn't say everything. */
export interface OpenApiOptions {
  /** Where the API is: instead of the document's servers, or where they are relative, what they are relative to. */
  server?: string
  /** Sent with every operation. */
  headers: Readonly<Record<string, string>>
  /** Values of parameters and server variables, by name; before what the document says. */
  params: ReadonlyMap<string, string>
}

/** What an operation needs and nobody has said. */
export interface Lack {
  /** The parameter, header or option. */
  field: string
  /** What it is and how to say it. */
  detail: string
}

/** What a registration allows. */
const MAX_NAME_CHARS = 200
const MAX_TAG_CHARS = 64
const MAX_TAGS = 20
/** Of a name, where its server is added to it. */
const MAX_SHORT_NAME_CHARS = 120
/** Of all that an operation lacks, in words. */
const MAX_DETAIL_CHARS = 1_000

/** Whether a value is an OpenAPI document, or its predecessor. */
export function isOpenApi(value: unknown): value is Fields {
  return isFields(value) && ('openapi' in value || 'swagger' in value)
}

/**
 * The GET operations of an OpenAPI document as registrations: one for each address of a server.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 * @throws Problem `bad_request` for what is no OpenAPI 3 document
 */
export function operationsOf(document: unknown, options: OpenApiOptions): Line[] {
  if (!isFields(document) || !/^3\./.test(textOf(document.openapi))) {
    const detail = 'Expected an OpenAPI document of version 3.'
    const hint = isOpenApi(document) ? ' Convert older ones first, for example with swagger2openapi.' : ''
    throw new Problem('bad_request', detail + hint)
  }
  const refs = new Refs(document)
  const paths = isFields(document.paths) ? Object.entries(document.paths) : []
  const found = paths.flatMap(([path, item]) => {
    if (!path.startsWith('/')) return []
    try {
      return streamsAt({ document, refs, options }, path, refs.resolve(item))
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem
      return [{ value: { url: path }, problem }]
    }
  })
  return found.map((each, index) => ({ line: index + 1, ...each }))
}

interface Context {
  document: Fields
  refs: Refs
  options: OpenApiOptions
}

function streamsAt(context: Context, path: string, item: Fields | undefined): Omit<Line, 'line'>[] {
  const operation = context.refs.resolve(item?.get)
  if (item === undefined || operation === undefined) return []
  const { document, refs, options } = context
  const parameters = [...parametersOf(refs, item, operation), ...keysInQuery(context, operation)]
  const filled = fill(context, path, parameters)
  const servers = serverUrls(operation.servers ?? item.servers ?? document.servers, options)
  const secrets = lacking(context, operation)
  const lacks = [...filled.lacks, ...servers.lacks, ...secrets]
  const name = nameOf(operation, path)
  const url = (server: string) => server.replace(/\/$/, '') + filled.path
  if (lacks.length > 0) {
    return [{ value: { url: url(servers.urls[0] ?? ''), name }, problem: problemOf(lacks) }]
  }
  const tags = tagsOf(operation)
  const said = {
    ...kindOf(refs, operation),
    ...(tags.length > 0 && { tags }),
    ...(Object.keys(filled.headers).length > 0 && { headers: filled.headers }),
  }
  return servers.urls.map((server) => {
    const isOne = servers.urls.length === 1
    const own = isOne ? name : `${name.slice(0, MAX_SHORT_NAME_CHARS)} (${new URL(server).host})`
    return { value: { url: url(server), name: own.slice(0, MAX_NAME_CHARS), ...said } }
  })
}

/** The parameters of an operation; its own come before those of its path. */
function parametersOf(refs: Refs, item: Fields, operation: Fields): Fields[] {
  const parameters = new Map<string, Fields>()
  for (const each of [item.parameters, operation.parameters].filter(Array.isArray).flat()) {
    const parameter = refs.resolve(each)
    if (parameter !== undefined) parameters.set(textOf([parameter.in, parameter.name]), parameter)
  }
  return [...parameters.values()]
}

/** The path with its query, and the headers, that the parameters make. */
function fill({ refs, options }: Context, template: string, declared: readonly Fields[]) {
  const lacks: Lack[] = []
  const sent: Sent = { path: new Map(), query: [], headers: {}, cookies: [] }
  for (const fields of declared) {
    const parameter = parameterOf(refs, fields)
    const given = options.params.get(parameter.name)
    if (!parameter.required && given === undefined) continue
    // A header that the caller sends anyway needs no other value.
    if (hasHeader(options.headers, headerOf(parameter))) continue
    const value = given ?? parameter.value
    if (value === undefined || textOf(value) === '') lacks.push(parameterLack(parameter.in, parameter.name))
    else writeParameter(sent, parameter, value)
  }
  const path = template.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const given = options.params.get(name)
    const value = sent.path.get(name) ?? (given && encode(given))
    if (value === undefined && !lacks.some(({ field }) => field === name)) {
      lacks.push(parameterLack('path', name))
    }
    return value ?? whole
  })
  const cookies = sent.cookies.length > 0 ? { Cookie: sent.cookies.join('; ') } : {}
  const headers = { ...sent.headers, ...cookies, ...options.headers }
  return { path: path + (sent.query.length > 0 ? `?${sent.query.join('&')}` : ''), headers, lacks }
}

/** The header that carries a parameter; empty for those of the path and query. */
function headerOf({ in: place, name }: Parameter): string {
  if (place === 'cookie') return 'Cookie'
  return place === 'header' ? name : ''
}

function parameterLack(place: string, name: string): Lack {
  return { field: name, detail: `${place} parameter ${name} (?param=${name}=…)` }
}

function problemOf(lacks: readonly Lack[]): Problem {
  const detail = `The document doesn't say: ${lacks.map((lack) => lack.detail).join('; ')}.`
  return new Problem('invalid_field', detail.slice(0, MAX_DETAIL_CHARS), lacks[0]?.field)
}

function nameOf(operation: Fields, path: string): string {
  const said = [operation.summary, operation.operationId].find(
    (each): each is string => typeof each === 'string' && each.trim() !== '',
  )
  return (said?.trim() ?? path).slice(0, MAX_NAME_CHARS)
}

function tagsOf({ tags }: Fields): string[] {
  const texts = Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : []
  const clean = texts.map((tag) =>
    tag
      .replace(/[,\s\x00-\x1f]+/g, ' ')
      .trim()
      .slice(0, MAX_TAG_CHARS),
  )
  return clean.filter((tag) => tag !== '').slice(0, MAX_TAGS)
}

/** What the responses say of the kind; left open where they say both or neither. */
function kindOf(refs: Refs, operation: Fields): { kind?: 'sse' | 'poll' } {
  const responses = refs.resolve(operation.responses) ?? {}
  const types = Object.entries(responses)
    .filter(([status]) => /^(2|default)/i.test(status))
    .flatMap(([, response]) => Object.keys(refs.resolve(refs.resolve(response)?.content) ?? {}))
  const streams = types.some((type) => /^text\/event-stream\b/i.test(type))
  const polls = types.some((type) => /^application\/(.+\+)?json\b/i.test(type))
  if (streams === polls) return {}
  return { kind: streams ? 'sse' : 'poll' }
}
