import type { Cookie, CookieJar, MemoryCookieStore } from 'tough-cookie'

/** Limit of cookies in a jar. Beyond it, the one that was used longest ago is dropped. */
const MAX_COOKIES = 50
/** Largest cookie with its attributes, in characters; a larger one isn't taken. Browsers have the same limit. */
const MAX_COOKIE_CHARS = 4_096
/** Limit of all cookies in a jar, in characters: more than servers accept in a request. */
const MAX_JAR_CHARS = 32_768
/** Limit of the `Set-Cookie` headers taken from one response, in characters; further ones are ignored. */
const MAX_TAKEN_CHARS = MAX_JAR_CHARS
/** Cookies that break the rules of their prefix are ignored; `localhost` is a host like any other. */
const RULES = { prefixSecurity: 'silent', allowSecureOnLocal: false } as const

/**
 * The cookies that upstreams set, each for the URLs that it is meant for.
 * @see https://www.rfc-editor.org/rfc/rfc6265
 */
export class Cookies {
  /** A jar as {@link serialize} wrote it, until it is needed. */
  #serialized: string | undefined
  /** Omitted until there is a cookie: most upstreams set none, and the library is large. */
  #opened: { jar: CookieJar; store: MemoryCookieStore } | undefined
  #isChanged = false

  /** @param serialized a jar as {@link serialize} wrote it; one that can't be read is empty */
  constructor(serialized?: string) {
    this.#serialized = serialized
  }

  /** The `Cookie` header of a request; empty if there are no cookies for it. */
  async header(url: string): Promise<string> {
    if (this.#opened === undefined && this.#serialized === undefined) return ''
    return (await this.#open()).jar.getCookieStringSync(url)
  }

  /**
   * Takes the cookies of a response.
   * @param set its `Set-Cookie` headers
   */
  async take(url: string, set: readonly string[]): Promise<void> {
    const taken = bounded(set)
    if (taken.length === 0) return
    const { jar } = await this.#open()
    for (const each of taken) jar.setCookieSync(each, url, { ignoreError: true })
    this.#bound()
    this.#isChanged = true
  }

  /** The values, which nobody may see. */
  values(): string[] {
    return this.#all().map(({ value }) => value)
  }

  /** The jar as text, if it may have changed since the last call. */
  takeChanged(): string | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return this.serialize()
  }

  serialize(): string {
    return this.#opened === undefined
      ? (this.#serialized ?? '')
      : JSON.stringify(this.#opened.jar.serializeSync())
  }

  async #open(): Promise<{ jar: CookieJar; store: MemoryCookieStore }> {
    if (this.#opened !== undefined) return this.#opened
    const { CookieJar, MemoryCookieStore } = await import('tough-cookie')
    const store = new MemoryCookieStore()
    try {
      if (this.#serialized !== undefined) CookieJar.deserializeSync(this.#serialized, store)
    } catch {
      // It is replaced by what the upstream sets next.
    }
    this.#opened ??= { jar: new CookieJar(store, RULES), store }
    return this.#opened
  }

  #bound(): void {
    const newestFirst = this.#all().sort((a, b) => usedAt(b) - usedAt(a) || indexOf(b) - indexOf(a))
    let chars = 0
    for (const [index, cookie] of newestFirst.entries()) {
      chars += charsOf(cookie)
      if (index < MAX_COOKIES && chars <= MAX_JAR_CHARS) continue
      this.#opened?.store.removeCookie(cookie.domain ?? '', cookie.path ?? '', cookie.key, () => {})
    }
  }

  #all(): Cookie[] {
    let all: Cookie[] = []
    this.#opened?.store.getAllCookies((_error, cookies) => {
      all = cookies ?? []
    })
    return all
  }
}

/**
 * The `Cookie` header for an origin that its owner gave cookies for: theirs, without those that the upstream has
 * replaced, then the jar's.
 */
export function combinedCookies(own: string | undefined, kept: string): string {
  if (own === undefined || own.trim() === '') return kept
  const replaced = new Set(pairsOf(kept).map(nameOf))
  return [...pairsOf(own).filter((pair) => !replaced.has(nameOf(pair))), ...pairsOf(kept)].join('; ')
}

/** Those that are taken, in their order. */
function bounded(set: readonly string[]): string[] {
  const taken: string[] = []
  let chars = 0
  for (const each of set.filter(({ length }) => length <= MAX_COOKIE_CHARS)) {
    chars += each.length
    if (taken.length >= MAX_COOKIES || chars > MAX_TAKEN_CHARS) break
    taken.push(each)
  }
  return taken
}

function pairsOf(header: string): string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
}

function nameOf(pair: string): string {
  return pair.split('=', 1)[0] ?? ''
}

function usedAt({ lastAccessed }: Cookie): number {
  return lastAccessed instanceof Date ? lastAccessed.getTime() : 0
}

/** The order of cookies that were set within one millisecond. */
function indexOf({ creationIndex }: Cookie): number {
  return creationIndex ?? 0
}

function charsOf({ key, value, domain, path }: Cookie): number {
  return key.length + value.length + (domain ?? '').length + (path ?? '').length
}
