import { isFields, textOf } from '../fields.ts'
import type { Lack, OpenApiOptions } from './operations.ts'

/** Addresses that one operation's servers may have; with more, the caller has to choose. */
export const MAX_SERVER_URLS = 20

/** Every address of the servers, their variables filled with each value they may have. */
export function serverUrls(
  servers: unknown,
  { server: given, params }: OpenApiOptions,
): { urls: string[]; lacks: Lack[] } {
  const described = Array.isArray(servers) ? servers.filter(isServer) : []
  const listed = described.length > 0 ? described : [{ url: '/', variables: undefined }]
  const lacks: Lack[] = []
  const urls = new Set<string>()
  for (const { url, variables } of listed) {
    for (const filled of expanded(url, isFields(variables) ? variables : {}, params, lacks)) {
      urls.add(placed(filled, given))
    }
  }
  const relative = [...urls].find((url) => !/^https?:/i.test(url))
  if (lacks.length === 0 && relative !== undefined) {
    lacks.push({ field: 'server', detail: `the server of ${relative.slice(0, 100)} (?server=https://…)` })
  }
  if (urls.size > MAX_SERVER_URLS) {
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
  template: string,
  variables: Record<string, unknown>,
  params: OpenApiOptions['params'],
  lacks: Lack[],
): string[] {
  let urls = [template]
  for (const [whole, name = ''] of template.matchAll(/\{([^{}]+)\}/g)) {
    const values = valuesOf(name, variables[name], params)
    if (values.length === 0) {
      lacks.push({ field: name, detail: `server variable ${name} (?param=${name}=…)` })
      continue
    }
    urls = urls
      .flatMap((url) => values.map((value) => url.replaceAll(whole, () => value)))
      .slice(0, MAX_SERVER_URLS + 1)
  }
  return urls
}

function valuesOf(name: string, variable: unknown, params: OpenApiOptions['params']): string[] {
  const given = params.get(name)
  if (given !== undefined) return [given]
  if (!isFields(variable)) return []
  const choices = Array.isArray(variable.enum) ? variable.enum : []
  const first = variable.default === undefined ? [] : [variable.default]
  return [...new Set([...first, ...choices].map(textOf))].slice(0, MAX_SERVER_URLS + 1)
}

/** The address, with what the caller says about where it is. */
function placed(url: string, given: string | undefined): string {
  if (URL.canParse(url)) return given ?? new URL(url).href
  return URL.canParse(url, given) ? new URL(url, given).href : url
}
