import { Problem } from '../errors.ts'

/** What a subscriber of the proxy receives. */
export const MODES = ['snapshot-patch', 'snapshot-only', 'event'] as const
/**
 * `snapshot-patch`: the document, then its changes as JSON Patch. `snapshot-only`: the document, and again with every
 * change. `event`: whole documents, from the next change on.
 */
export type Mode = (typeof MODES)[number]

/** A parsed request to the proxy. */
export interface ProxyRequest {
  /** The API's URL with its query as written. */
  url: string
  intervalMs: number
  /** Sent to the API with every poll: only subscribers with the same headers share the response. */
  headers: Record<string, string>
  payloadPointer: string | undefined
  select: string | undefined
  ignorePaths: string[]
  arrayKeys: string[]
  mode: Mode
  /** Whether to compress the stream regardless of the request's headers. */
  compress: boolean
  /** The last event ID that the subscriber received: of the header, or of the query, where EventSource polyfills put it. */
  lastEventId: string | undefined
}

/** Default of Axway Streams, in milliseconds. */
const DEFAULT_INTERVAL_MS = 5_000
const PREFIX = '/proxy/'
/** The token that the SDK of Streamdata.io puts into every URL: Weir treats it as WEIR_TOKEN. */
const TOKEN = 'x-sd-token'
const HEADER = 'x-sd-header'

/** Weir's own query parameters that no API has, in lower case. */
const UNMISTAKABLE: ReadonlySet<string> = new Set([TOKEN, HEADER, 'x-sd-compress'])
/**
 * Its others, in lower case. An API may have parameters of the same name: within an encoded target, and beside a parameter
 * with the prefix, they are the target's.
 */
const AMBIGUOUS: ReadonlySet<string> = new Set([
  'intervalms',
  'mode',
  'payloadpointer',
  'ignorepaths',
  'arraykeys',
])
/** What EventSource polyfills that can't send headers add to the URL when they reconnect, in lower case. */
const RESUMING: ReadonlySet<string> = new Set(['lasteventid', 'evs_last_event_id'])
/** An ID of the proxy; other values of such a parameter are the target's. */
const OWN_EVENT_ID = /^[0-9a-f]{8}\.\d{1,15}$/
/** Makes a parameter Weir's own, whatever the target's are called. */
export const OWN_PREFIX = 'weir-'

/** Whether a path belongs to the proxy: `/proxy/<url>`, or the target's URL itself. */
export function isProxyPath(pathname: string): boolean {
  return pathname.startsWith(PREFIX) || /^\/https?:\/+[^/]/i.test(pathname)
}

/** The token in a proxy URL; browsers can't send a header with an EventSource. */
export function tokenOf(url: URL): string | undefined {
  return isProxyPath(url.pathname) ? (valuesOf(ownQuery(url), TOKEN).at(-1) ?? undefined) : undefined
}

/**
 * Parses a request to the proxy. Whether the target can be followed is checked when it is registered.
 * @throws Problem `invalid_field` for an invalid parameter of Weir's own
 */
export function readAsked({ url: requested, headers }: Pick<Request, 'url' | 'headers'>): ProxyRequest {
  const url = new URL(requested)
  const target = targetOf(url)
  const own = [...ownQuery(url), ...target.own]
  const one = (name: string) => valuesOf(own, name).at(-1)
  return {
    url: target.url,
    intervalMs: interval(one('intervalms')),
    headers: forwarded([...valuesOf(own, HEADER), ...sentHeaders(headers.get(HEADER))]),
    payloadPointer: one('payloadpointer'),
    // With its prefix only: many APIs have a parameter of this name.
    select: one('select'),
    ignorePaths: valuesOf(own, 'ignorepaths'),
    arrayKeys: valuesOf(own, 'arraykeys'),
    mode: modeOf(one('mode')),
    compress: /^(true|1|gzip)$/i.test(one('x-sd-compress') ?? ''),
    lastEventId: headers.get('last-event-id') ?? one('lasteventid') ?? one('evs_last_event_id'),
  }
}

type Pairs = [name: string, value: string][]

/**
 * The target's URL, its query as written, and Weir's parameters within an encoded target: those that SDKs of Streamdata.io
 * add before they encode it.
 */
function targetOf({ href, pathname, search }: URL): { url: string; own: Pairs } {
  const path = pathname.startsWith(PREFIX) ? pathname.slice(PREFIX.length) : pathname.slice(1)
  const isOwn = owner(query(search))
  const theirs = query(search).filter((part) => !isOwn(part))
  // An empty query is a query, too, but `search` doesn't tell it from none.
  const isEmpty = search === '' && href.split('#', 1)[0]?.endsWith('?') === true
  if (/^https?:\//i.test(path)) return { url: schemed(path) + (isEmpty ? '?' : joined('?', theirs)), own: [] }
  const decoded = decode(path)
  if (!/^https?:\//i.test(decoded)) return { url: decoded + joined('?', theirs), own: [] }
  const [base = '', inner] = split(schemed(decoded), '?')
  const parts = inner === undefined ? [] : inner.split('&')
  const kept = parts.filter((part) => !isUnmistakable(part))
  const all = [...kept, ...theirs]
  const isBare = inner === '' && theirs.length === 0
  return { url: base + (isBare ? '?' : joined('?', all)), own: pairs(parts.filter(isUnmistakable)) }
}

/** Proxies in between tend to merge two slashes into one. */
function schemed(path: string): string {
  return path.replace(/^(https?):\/+/i, (_, scheme: string) => `${scheme.toLowerCase()}://`)
}

function query(search: string): string[] {
  return search.length > 1 ? search.slice(1).split('&') : []
}

function ownQuery({ search }: URL): Pairs {
  const parts = query(search)
  return pairs(parts.filter(owner(parts)))
}

/** Which parts of a query are Weir's own. */
function owner(parts: readonly string[]): (part: string) => boolean {
  const isPrefixed = (part: string) => nameOf(part).startsWith(OWN_PREFIX)
  const isExplicit = parts.some(isPrefixed)
  return (part) =>
    isPrefixed(part) ||
    isUnmistakable(part) ||
    isResuming(part) ||
    (!isExplicit && AMBIGUOUS.has(nameOf(part)))
}

function isResuming(part: string): boolean {
  return RESUMING.has(nameOf(part)) && OWN_EVENT_ID.test(decode(split(part, '=')[1] ?? ''))
}

function isUnmistakable(part: string): boolean {
  return UNMISTAKABLE.has(nameOf(part))
}

/** The name of a part of a query, in lower case. */
function nameOf(part: string): string {
  return decode(split(part, '=')[0] ?? '').toLowerCase()
}

function pairs(parts: readonly string[]): Pairs {
  return parts.map((part) => {
    const name = nameOf(part)
    const value = decode((split(part, '=')[1] ?? '').replaceAll('+', ' '))
    return [name.startsWith(OWN_PREFIX) ? name.slice(OWN_PREFIX.length) : name, value]
  })
}

function valuesOf(own: Pairs, name: string): string[] {
  return own.filter(([known, value]) => known === name && value !== '').map(([, value]) => value)
}

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function joined(before: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : before + parts.join('&')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function interval(text: string | undefined): number {
  if (text === undefined) return DEFAULT_INTERVAL_MS
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw invalid('intervalMs', 'intervalMs: expected a whole number of milliseconds.')
}

function modeOf(text: string | undefined): Mode {
  const mode = MODES.find((known) => known === (text ?? 'snapshot-patch'))
  if (mode === undefined) throw invalid('mode', `mode: expected ${MODES.join(' or ')}.`)
  return mode
}

/** Headers for the target that were sent as a header: one as it is, or several, each percent-encoded. */
function sentHeaders(value: string | null): string[] {
  if (value === null) return []
  return value.includes(':') ? [value] : value.split(',').map((each) => decode(each.trim()))
}

function forwarded(lines: readonly string[]): Record<string, string> {
  const headers: [string, string][] = lines.map((line) => {
    const [name = '', value] = split(line, ':')
    if (value === undefined) throw invalid('X-Sd-Header', 'X-Sd-Header: expected "Name: value".')
    return [name.trim().toLowerCase(), value.trim()]
  })
  return Object.fromEntries(headers)
}

function invalid(field: string, detail: string): Problem {
  return new Problem('invalid_field', detail, field)
}
