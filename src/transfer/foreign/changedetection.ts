import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { isFields, type JsonObject } from '../fields.ts'
import {
  commaSeparated,
  type ForeignFormat,
  type ForeignLine,
  headerPairs,
  leftOut,
  METHODS,
  nameFrom,
  requestTo,
  tagsFrom,
  textOf,
  withoutCredentials,
} from './format.ts'

const UNITS_MS: readonly (readonly [name: string, ms: number])[] = [
  ['weeks', 7 * DAY_MS],
  ['days', DAY_MS],
  ['hours', HOUR_MS],
  ['minutes', MINUTE_MS],
  ['seconds', SECOND_MS],
]

/** The `url-watches.json` of changedetection.io. @see https://github.com/dgtlmoon/changedetection.io */
export const CHANGEDETECTION: ForeignFormat = {
  label: 'changedetection.io',
  is: (value): value is JsonObject => isFields(value) && isFields(value.watching),
  *linesOf(document) {
    const names = tagTitles(document)
    const usual = intervalOf(fieldsIn(fieldsIn(document.settings).requests).time_between_check)
    for (const watch of Object.values(document.watching as JsonObject)) {
      yield lineOf(isFields(watch) ? watch : {}, names, usual)
    }
  },
}

function lineOf(watch: JsonObject, names: ReadonlyMap<string, string>, usual: Interval): ForeignLine {
  const named = { url: textOf(watch.url), ...nameFrom(watch.title) }
  const method = textOf(watch.method).toUpperCase() || 'GET'
  if (!METHODS.has(method)) return leftOut(named, `Method ${method}: Weir sends GET, POST or PUT.`)
  if (/\{[{%]/.test(named.url)) return leftOut(named, 'Its URL is a template.')
  if (Array.isArray(watch.browser_steps) && watch.browser_steps.some(isStep)) {
    return leftOut(named, 'It needs steps in a browser.')
  }
  const body = method === 'GET' ? '' : textOf(watch.body)
  const own = watch.time_between_check_use_default === true ? {} : intervalOf(watch.time_between_check)
  const value = {
    ...named,
    method,
    ...requestTo(named.url, headerPairs(watch.headers)),
    ...(body !== '' && { body }),
    ...usual,
    ...own,
    ...tagsFrom(tagsOf(watch, names)),
    ...(watch.paused === true && { start: false }),
  }
  try {
    return { value: { ...value, ...followed(filtersOf(watch)) } }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem
    return { value: { ...named, url: withoutCredentials(named.url) }, problem }
  }
}

/** The first step of every watch opens its page. */
function isStep(step: unknown): boolean {
  const operation = isFields(step) ? textOf(step.operation) : ''
  return operation !== '' && operation !== 'Choose one' && operation !== 'Goto site'
}

function filtersOf({ include_filters: many, css_filter: one }: JsonObject): string[] {
  const filters = Array.isArray(many) ? many.map(textOf) : [textOf(one)]
  return filters.flatMap((filter) => filter.trim() || [])
}

/** The part of the answer that filters leave: a part of a document, or of a page. */
function followed(filters: readonly string[]): JsonObject {
  const read = filters.map(filterOf)
  const [first] = read
  if (first === undefined) return {}
  if (read.some(({ language }) => language !== first.language)) {
    throw refuse('combines filters of several languages')
  }
  if (first.language === 'json') {
    if (read.length > 1) throw refuse('combines several JSONPath filters')
    return { payloadPointer: pointerOf(first.text) }
  }
  const joined = read.map(({ text }) => text).join(first.language === 'css' ? ', ' : ' | ')
  return { select: `${first.language}: ${joined}` }
}

interface Filter {
  language: 'css' | 'xpath' | 'json'
  text: string
}

function filterOf(filter: string): Filter {
  const [, prefix = '', rest = filter] = /^(xpath1?|jsonp?a?t?h?|jqr?a?w?|css):\s*(.*)$/s.exec(filter) ?? []
  if (prefix.startsWith('jq')) throw refuse('uses jq')
  if (prefix.startsWith('json')) return { language: 'json', text: rest }
  const isXPath = prefix.startsWith('xpath') || rest.startsWith('/')
  return { language: isXPath ? 'xpath' : 'css', text: rest }
}

/** A JSON Pointer for a JSONPath that names one value: `$.a.b[0]`. */
function pointerOf(path: string): string {
  const trimmed = path.trim()
  if (!/^\$?(\.?[\w-]+|\[\d+\]|\['[^'\]]+'\]|\["[^"\]]+"\])*$/.test(trimmed)) {
    throw refuse('is a JSONPath for several values')
  }
  const steps = trimmed.replace(/^\$/, '').matchAll(/\.?([\w-]+)|\[(\d+)\]|\[['"]([^'"]+)['"]\]/g)
  const names = [...steps].map(([, name, index, quoted]) => name ?? index ?? quoted ?? '')
  return names.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function refuse(what: string): Problem {
  return new Problem('invalid_field', `The watch's filter ${what}, which can't be converted.`, 'select')
}

interface Interval {
  intervalMs?: number
}

function intervalOf(parts: unknown): Interval {
  const given = fieldsIn(parts)
  const intervalMs = UNITS_MS.reduce((sum, [name, ms]) => sum + (Number(given[name]) || 0) * ms, 0)
  return intervalMs > 0 ? { intervalMs } : {}
}

/** Titles of tags by their ID. */
function tagTitles({ settings }: JsonObject): Map<string, string> {
  const tags = fieldsIn(fieldsIn(fieldsIn(settings).application).tags)
  return new Map(Object.entries(tags).map(([id, tag]) => [id, textOf(fieldsIn(tag).title)]))
}

/** Older versions have names in a text, with a comma after each. */
function tagsOf({ tags, tag }: JsonObject, names: ReadonlyMap<string, string>): string[] {
  const listed = Array.isArray(tags) ? tags.map((id) => names.get(textOf(id)) || textOf(id)) : []
  return [...listed, ...commaSeparated(tag)]
}

function fieldsIn(value: unknown): JsonObject {
  return isFields(value) ? value : {}
}
