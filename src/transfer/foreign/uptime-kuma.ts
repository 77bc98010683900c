import { isFields, type JsonObject } from '../fields.ts'
import {
  basicAuth,
  type ForeignFormat,
  type ForeignLine,
  headerPairs,
  leftOut,
  METHODS,
  nameFrom,
  requestTo,
  tagsFrom,
  textOf,
} from './format.ts'

/** Monitors that request a URL and look at the answer. */
const REQUESTING = new Set(['http', 'json-query', 'keyword'])

/** The backup of Uptime Kuma 1. @see https://github.com/louislam/uptime-kuma/wiki */
export const UPTIME_KUMA: ForeignFormat = {
  label: 'Uptime Kuma backup',
  is: (value): value is JsonObject => isFields(value) && Array.isArray(value.monitorList),
  *linesOf({ monitorList }) {
    for (const monitor of monitorList as unknown[]) yield lineOf(isFields(monitor) ? monitor : {})
  },
}

function lineOf(monitor: JsonObject): ForeignLine {
  const { type, url, active, interval, upsideDown, authMethod } = monitor
  const named = { url: textOf(url), ...nameFrom(monitor.name) }
  const method = textOf(monitor.method).toUpperCase() || 'GET'
  if (!REQUESTING.has(textOf(type)))
    return leftOut(named, `A monitor of type ${textOf(type) || 'none'} requests no URL.`)
  if (!METHODS.has(method)) return leftOut(named, `Method ${method}: Weir sends GET, POST or PUT.`)
  if (upsideDown === true || upsideDown === 1)
    return leftOut(named, 'It is upside down: it is up while its URL fails.')
  if (isOtherAuth(authMethod)) {
    return leftOut(named, `Authentication ${textOf(authMethod)} can't be converted.`)
  }
  const body = method === 'GET' ? '' : textOf(monitor.body)
  return {
    value: {
      ...named,
      method,
      ...requestTo(named.url, headersOf(monitor)),
      ...(body !== '' && { body }),
      ...(typeof interval === 'number' && { intervalMs: Math.round(interval * 1_000) }),
      ...tagsFrom(tagNames(monitor)),
      ...((active === false || active === 0) && { start: false }),
    },
  }
}

function isOtherAuth(method: unknown): boolean {
  return method !== null && method !== undefined && method !== '' && method !== 'basic'
}

function headersOf(monitor: JsonObject): [string, string][] {
  const { headers, authMethod, basic_auth_user: user, basic_auth_pass: password } = monitor
  const isBasic = authMethod === 'basic' || textOf(user) !== ''
  return [...(isBasic ? [basicAuth(user, password)] : []), ...headerPairs(headers)]
}

function tagNames({ tags }: JsonObject): unknown[] {
  return (Array.isArray(tags) ? tags : []).map((tag) => (isFields(tag) ? tag.name : undefined))
}
