import { kindOfType, OTHERWISE } from '../../core/sets/stream-kinds.ts'
import { isFields, type JsonObject } from '../fields.ts'
import { type ForeignFormat, type ForeignLine, leftOut, requestTo, textOf } from './format.ts'

/** Headers that describe one request of one browser, not what it asks for. */
const NOT_SENT =
  /^(:.*|host|connection|content-(length|type|encoding)|accept-encoding|te|trailer|transfer-encoding|upgrade|keep-alive|proxy-.*|if-.*|range|sec-.*|priority|upgrade-insecure-requests|dnt|pragma|cache-control|last-event-id|expect)$/i
const JSON_TYPE = /^(application|text)\/([\w.-]+\+)?json\b|^application\/(x-)?ndjson\b/i

/** What a browser recorded. @see http://www.softwareishard.com/blog/har-12-spec/ */
export const HAR: ForeignFormat = {
  label: 'HAR',
  is: (value): value is JsonObject =>
    isFields(value) && isFields(value.log) && Array.isArray(value.log.entries),
  *linesOf({ log }, { cookies = false }) {
    const seen = new Map<string, number>()
    for (const [index, entry] of ((log as JsonObject).entries as unknown[]).entries()) {
      yield lineOf(entry, index + 1, { seen, cookies })
    }
  },
}

interface Context {
  /** The entries that became streams, by their URL. */
  seen: Map<string, number>
  cookies: boolean
}

function lineOf(entry: unknown, line: number, { seen, cookies }: Context): ForeignLine {
  const { request, response } = isFields(entry) ? entry : {}
  if (!isFields(request) || !isFields(response)) return leftOut({}, 'It has no request or no response.')
  const url = textOf(request.url).split('#', 1)[0] ?? ''
  const method = textOf(request.method).toUpperCase()
  if (method !== 'GET') return leftOut({ url }, `${method || 'No method'}: only GET requests are followed.`)
  const type = typeOf(response)
  const kind = kindOfType(type) ?? (JSON_TYPE.test(type) ? OTHERWISE : undefined)
  if (kind === undefined)
    return leftOut({ url }, `The response is ${type || 'of no type'}, not JSON or an event stream.`)
  const status = Number(response.status)
  if (status !== 304 && (status < 200 || status > 299)) {
    return leftOut({ url }, `The response has status ${textOf(response.status) || 'none'}.`)
  }
  const same = seen.get(url)
  if (same !== undefined) return leftOut({ url }, `The same URL as entry ${same}.`)
  seen.set(url, line)
  return { value: { kind, ...requestTo(url, sentHeaders(request, cookies)) } }
}

function typeOf({ content }: JsonObject): string {
  return isFields(content) ? textOf(content.mimeType).trim() : ''
}

function sentHeaders({ headers }: JsonObject, cookies: boolean): [string, string][] {
  return (Array.isArray(headers) ? headers : [])
    .filter(isFields)
    .map(({ name, value }): [string, string] => [textOf(name), textOf(value)])
    .filter(([name]) => !NOT_SENT.test(name) && (cookies || name.toLowerCase() !== 'cookie'))
}
