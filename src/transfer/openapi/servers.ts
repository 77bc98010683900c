import { Problem } from '../../errors.ts'
import { MAX_URL_CHARS } from '../../streams/registry/registration.ts'
import { many } from '../bounds.ts'
import { isFields } from '../fields.ts'
import type { Lack, OpenApiOptions } from './operations.ts'
import type { Refs } from './refs.ts'

/** Addresses that one operation's servers may have; with more, the caller has to choose. */
export const MAX_SERVER_URLS = 20
/** Servers that are looked at: they may be the same. */
const MAX_SERVERS = 100
const MAX_SERVER_CHARS = 2_048
const MAX_VARIABLES = 20

interface Servers {
  urls: string[]
  lacks: Lack[]
}

/** Every address of the servers, their variables filled with each value they may have. */
export function serverUrls(refs: Refs, servers: unknown, options: OpenApiOptions): Servers {
  if (!Array.isArray(servers)) return urlsOf(refs, [], options)
  return refs.once(servers, 'servers', () => urlsOf(refs, servers, options))
}

function urlsOf(refs: Refs, servers: readonly unknown[], options: OpenApiOptions): Servers {
  const described = servers.slice(0, MAX_SERVERS).filter(isServer)
  const listed = described.length > 0 ? described : [{ url: '/', variables: undefined }]
  const lacks: Lack[] = []
  const urls = new Set<string>()
  for (const server of listed) {
    for (const filled of expanded(refs, server, options.params, lacks))
      urls.add(placed(filled, options.server))
    if (urls.size > MAX_SERVER_URLS) break
  }
  const relative = [...urls].find((url) => !/^https?:/i.test(url))
  if (lacks.length === 0 && relative !== undefined) {
    lacks.push({ field: 'server', detail: `the server of ${relative.slice(0, 100)} (?server=https://…)` })
  }
  if (urls.size > MAX_SERVER_URLS || servers.length > MAX_SERVERS) {
    const detail = `which of more than ${MAX_SERVER_URLS} servers (?server=https://…)`
    lacks.push({ field: 'server', detail })
  }
  return { urls: [...urls], lacks }
}

function isServer(value: unknown): value is { url: string; variables: unknown } {
  return isFields(value) && typeof value.url === 'string'
}

/** An address for each combination of its variables' values, and no more than are needed to see that it is too many. */
function expanded(
  refs: Refs,
  { url: template, variables }: { url: string; variables: unknown },
  params: OpenApiOptions['params'],
  lacks: Lack[],
): string[] {
  const names = [...template.slice(0, MAX_SERVER_CHARS).matchAll(/\{([^{}]+)\}/g)]
  if (template.length > MAX_SERVER_CHARS || names.length > MAX_VARIABLES) {
    const detail = `a server with at most ${MAX_SERVER_CHARS} characters and ${MAX_VARIABLES} variables (?server=https://…)`
    lacks.push({ field: 'server', detail })
    return []
  }
  let urls = [template]
  for (const [whole, name = ''] of names) {
    const values = valuesOf(refs, name, isFields(variables) ? variables[name] : undefined, params)
    if (values.length === 0) lacks.push({ field: name, detail: `server variable ${name} (?param=${name}=…)` })
    else urls = combined(refs, urls, whole, values)
  }
  return urls
}

function combined(refs: Refs, urls: readonly string[], whole: string, values: readonly string[]): string[] {
  const made: string[] = []
  for (const url of urls) {
    for (const value of values) {
      if (made.length > MAX_SERVER_URLS) return made
      const filled = url.replaceAll(whole, () => value)
      refs.budget.text(filled.length)
      if (filled.length > MAX_URL_CHARS) throw tooLong()
      made.push(filled)
    }
  }
  return made
}

function tooLong(): Problem {
  const detail = `The address of a server has more than ${many(MAX_URL_CHARS)} characters. Say ?server=https://…`
  return new Problem('too_large', detail, 'server')
}

function valuesOf(refs: Refs, name: string, variable: unknown, params: OpenApiOptions['params']): string[] {
  const given = params.get(name)
  if (given !== undefined) return [given]
  if (!isFields(variable)) return []
  const choices = Array.isArray(variable.enum) ? variable.enum.slice(0, MAX_SERVER_URLS + 1) : []
  const first = variable.default === undefined ? [] : [variable.default]
  const texts = [...first, ...choices].map((value) => refs.text(value, `Server variable ${name}`))
  return [...new Set(texts)].slice(0, MAX_SERVER_URLS + 1)
}

/** The address, with what the caller says about where it is. */
function placed(url: string, given: string | undefined): string {
  if (URL.canParse(url)) return given ?? new URL(url).href
  return URL.canParse(url, given) ? new URL(url, given).href : url
}
