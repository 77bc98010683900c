import { HIDDEN } from './hidden.ts'

/** Names of parameters whose values are credentials, whatever they look like. */
const SECRET_NAME =
  /key|token|secret|sig|auth|pass|pwd|session|credential|jwt|code|nonce|hash|hmac|user|login|mail|account|client|app.?id|(^|[^a-z])(id|sid)$/i
/** The only values that are shown besides: words, numbers and dates, short enough not to be keys. */
const PLAIN_VALUE =
  /^([a-z][a-z_-]{0,19}|[+-]?\d{1,8}(\.\d{1,8})?|\d{4}-\d\d-\d\d|[A-Za-z]{2}(-[A-Za-z]{2})?)$/
/** Shortest hidden value that is hidden elsewhere, too, in characters. */
const MIN_HIDDEN_CHARS = 4
/** Shortest path segment that may be a key, in characters. */
const MIN_SECRET_CHARS = 12

/** A URL as it may be published, and what was hidden in it. */
export interface PublicUrl {
  url: string
  hidden: readonly string[]
}

/**
 * A URL for readers who may not know its secrets: without credentials and fragment, and without whatever could be a key in
 * its query or path. Too much is hidden rather than too little.
 */
export function publicUrl(text: string): PublicUrl {
  const { protocol, host, pathname, search } = new URL(text)
  const hidden: string[] = []
  const hide = (value: string) => {
    hidden.push(value, decoded(value))
    return HIDDEN
  }
  const path = pathname
    .split('/')
    .map((segment) => (isKeyLike(decoded(segment)) ? hide(segment) : segment))
    .join('/')
  const query = search
    .slice(1)
    .split('&')
    .filter((part) => part !== '')
    .map((part) => publicParameter(part, hide))
    .join('&')
  return { url: `${protocol}//${host}${path}${query && '?'}${query}`, hidden: hidden.filter(Boolean) }
}

/** A text without what is hidden in a URL: a stream's name may be its URL. */
export function withoutHidden(text: string, hidden: readonly string[]): string {
  return hidden
    .filter(({ length }) => length >= MIN_HIDDEN_CHARS)
    .toSorted((a, b) => b.length - a.length)
    .reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
}

/** A parameter without a name may be a key by itself. */
function publicParameter(part: string, hide: (value: string) => string): string {
  const at = part.indexOf('=')
  if (at < 0) return PLAIN_VALUE.test(decoded(part)) ? part : hide(part)
  const [name, value] = [part.slice(0, at), part.slice(at + 1)]
  const shownName = isKeyLike(decoded(name)) ? hide(name) : name
  const isPlain = PLAIN_VALUE.test(decoded(value)) && !SECRET_NAME.test(decoded(name))
  return `${shownName}=${isPlain || value === '' ? value : hide(value)}`
}

/** Long, with digits and letters in one word, or in mixed case: not a word of people. */
function isKeyLike(text: string): boolean {
  const words = text.split(/[.~,;:@+ ]/)
  return words.some((word) => {
    if (word.length < MIN_SECRET_CHARS) return false
    const digits = word.replace(/\D/g, '').length
    const isMixed = /[a-z][A-Z]|[A-Z][a-z]/.test(word.slice(1)) && word.length >= 20
    return (digits >= 3 && /[a-z]/i.test(word)) || digits >= MIN_SECRET_CHARS || isMixed || word.length >= 40
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
