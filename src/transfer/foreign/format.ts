import { STREAM_FIELD } from '../../core/sets/stream-fields.ts'
import type { JsonObject } from '../fields.ts'
import type { ImportLine } from '../lines.ts'

/** What the caller adds to a file. */
export interface ForeignOptions {
  /** Sent with every request of a Postman collection; values take precedence over the file's. */
  headers: Readonly<Record<string, string>>
  /** Values of variables by name; they take precedence over the file's. */
  params: ReadonlyMap<string, string>
  /** Whether cookies that a browser recorded are sent. Default: false. */
  cookies?: boolean | undefined
}

/** A kind of file that another program writes, recognized by its content. */
export interface ForeignFormat {
  /** For people. */
  label: string
  is(value: unknown): value is JsonObject
  /** Its items, each a registration or the reason why there is none; undefined only to let others work. */
  linesOf(document: JsonObject, options: ForeignOptions): Generator<ForeignLine>
}

/** Methods that a stream may have. */
export const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT'])

export type ForeignLine = Omit<ImportLine, 'line'>

const MAX_NAME_CHARS = 200
/** How much of a long text is read to fill a limit. */
const MAX_READ_CHARS = 1_000
const { maxChars: MAX_TAG_CHARS, maxItems: MAX_TAGS } = STREAM_FIELD.tags

/** A request that becomes no stream, because it isn't one that Weir may or can follow. */
export function leftOut(value: { url?: string; name?: string }, reason: string): ForeignLine {
  const { url, ...rest } = value
  return { value: { ...(url !== undefined && { url: withoutCredentials(url) }), ...rest }, skipped: reason }
}

/** A URL to show. */
export function withoutCredentials(text: string): string {
  return text.replace(/^([a-z][a-z\d+.-]*:\/\/)[^/?#@]*@/i, '$1')
}

/** A name that fits, or nothing. */
export function nameFrom(value: unknown): { name?: string } {
  const name = typeof value === 'string' ? value.slice(0, MAX_READ_CHARS).trim().slice(0, MAX_NAME_CHARS) : ''
  return name === '' ? {} : { name }
}

/** Tags that fit, each once; what no tag may contain becomes a space. */
export function tagsFrom(values: readonly unknown[]): { tags?: string[] } {
  const texts = values
    .slice(0, MAX_READ_CHARS)
    .filter((value): value is string => typeof value === 'string')
    .map((text) =>
      text
        .slice(0, MAX_READ_CHARS)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it takes out
        .replace(/[,\s\x00-\x1f]+/g, ' ')
        .trim()
        .slice(0, MAX_TAG_CHARS),
    )
  const tags = [...new Set(texts.filter((text) => text !== ''))].slice(0, MAX_TAGS)
  return tags.length === 0 ? {} : { tags }
}

/** Members of a text separated by commas; those of a trailing one are none. */
export function commaSeparated(text: unknown): string[] {
  if (typeof text !== 'string') return []
  return text.split(',', MAX_READ_CHARS).flatMap((member) => member.trim() || [])
}

/** Headers without a name that is empty, each name once, whatever its case: the last one counts. */
export function headersFrom(pairs: readonly (readonly [name: string, value: string])[]): {
  headers?: Record<string, string>
} {
  const byName = new Map(pairs.map(([name, value]) => [name.trim().toLowerCase(), [name.trim(), value]]))
  byName.delete('')
  return byName.size === 0 ? {} : { headers: Object.fromEntries(byName.values()) }
}

/** The headers in a text of lines, or of a JSON object. */
export function headerPairs(value: unknown): [string, string][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value).map(([name, text]) => [name, String(text)])
  }
  if (typeof value !== 'string' || value.trim() === '') return []
  if (value.trim().startsWith('{')) return headerPairs(parsed(value))
  return value.split(/\r\n|\n|\r/).flatMap((line): [string, string][] => {
    const at = line.indexOf(':')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()]] : []
  })
}

/** A request's URL and headers. Credentials in the URL, which everybody would see, become a header. */
export function requestTo(
  text: string,
  pairs: readonly (readonly [name: string, value: string])[],
): { url: string; headers?: Record<string, string> } {
  const url = URL.parse(text)
  if (url === null || (url.username === '' && url.password === ''))
    return { url: text, ...headersFrom(pairs) }
  const auth = basicAuth(decoded(url.username), decoded(url.password))
  Object.assign(url, { username: '', password: '' })
  return { url: url.href, ...headersFrom([auth, ...pairs]) }
}

export function basicAuth(user: unknown, password: unknown): [string, string] {
  const credentials = Buffer.from(`${textOf(user)}:${textOf(password)}`).toString('base64')
  return ['Authorization', `Basic ${credentials}`]
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
