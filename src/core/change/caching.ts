/** What a response's headers say about caches. Times in milliseconds. */
export interface Caching {
  /** How long a client's own cache may reuse it, from when it was generated; omitted if the headers don't say. */
  lifetimeMs?: number
  /** The same for shared caches, such as a CDN, if it differs. */
  sharedLifetimeMs?: number
  /** How long it had been in caches. */
  ageMs: number
  /** Directives of `Cache-Control`, without values, in lower case. */
  directives: readonly string[]
  hasEtag: boolean
  hasLastModified: boolean
  /** Whether a shared cache answered; omitted if no header says. */
  isCacheHit?: boolean
}

/** Headers by lower-case name. */
export type HeaderLookup = (name: string) => string | null | undefined

/** Longest lifetime that counts, in seconds: RFC 9111, section 1.2.2. */
const MAX_SECONDS = 2 ** 31
/** Maximum number of directives that are read. */
const MAX_DIRECTIVES = 32
/** A directive with its value, quoted or not. */
const DIRECTIVE = /([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g
const HIT = /^(tcp_)?(mem_|refresh_|disk_|revalidated_|remote_)?hit\b/i
const MISS = /^(tcp_)?(mem_|refresh_)?(miss|bypass|dynamic|expired|pass|none)\b/i

/**
 * Reads `Cache-Control`, `Expires`, `Age` and the headers of common caches. Heuristic lifetimes are left out: without an
 * explicit one, the API promises nothing.
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1
 */
export function readCaching(header: HeaderLookup): Caching {
  const directives = directivesOf(header('cache-control') ?? '')
  const own = lifetimeMs(directives, header)
  const shared = sharedLifetimeMs(directives, own)
  const isCacheHit = cacheHit(header)
  return {
    ...(own !== undefined && { lifetimeMs: own }),
    ...(shared !== own && { sharedLifetimeMs: shared as number }),
    ageMs: (seconds(header('age')) ?? 0) * 1_000,
    directives: [...directives.keys()],
    hasEtag: Boolean(header('etag')),
    hasLastModified: Boolean(header('last-modified')),
    ...(isCacheHit !== undefined && { isCacheHit }),
  }
}

/** Until when a response that was received at a time may be reused; `undefined` if its headers don't say. */
export function freshUntil({ lifetimeMs: lifetime, ageMs }: Caching, receivedAt: number): number | undefined {
  return lifetime === undefined ? undefined : receivedAt + Math.max(0, lifetime - ageMs)
}

/** The first of each directive counts. */
function directivesOf(text: string): Map<string, string | undefined> {
  const directives = new Map<string, string | undefined>()
  for (const [, name = '', quoted, plain] of text.matchAll(DIRECTIVE)) {
    if (directives.size >= MAX_DIRECTIVES) break
    if (!directives.has(name.toLowerCase())) directives.set(name.toLowerCase(), quoted ?? plain)
  }
  return directives
}

/** An invalid value counts as stale. */
function lifetimeMs(
  directives: ReadonlyMap<string, string | undefined>,
  header: HeaderLookup,
): number | undefined {
  // `no-cache="Field"` only restricts that field.
  if (directives.has('no-store') || (directives.has('no-cache') && !directives.get('no-cache'))) return 0
  if (directives.has('max-age')) return (seconds(directives.get('max-age')) ?? 0) * 1_000
  const expires = header('expires')
  if (expires == null) return undefined
  const lasts = Date.parse(expires) - Date.parse(header('date') ?? '')
  return Number.isNaN(lasts) ? 0 : Math.min(Math.max(0, lasts), MAX_SECONDS * 1_000)
}

function sharedLifetimeMs(
  directives: ReadonlyMap<string, string | undefined>,
  own: number | undefined,
): number | undefined {
  if (directives.has('private') && !directives.get('private')) return 0
  if (own === 0 && (directives.has('no-store') || directives.has('no-cache'))) return own
  return directives.has('s-maxage') ? (seconds(directives.get('s-maxage')) ?? 0) * 1_000 : own
}

function seconds(text: string | null | undefined): number | undefined {
  const digits = /^\s*(\d+)/.exec(text ?? '')?.[1]
  return digits === undefined ? undefined : Math.min(Number(digits), MAX_SECONDS)
}

/**
 * From `Cache-Status`, whose last cache is the closest, else `CF-Cache-Status` or `X-Cache`; a non-zero `Age` also comes from
 * a cache.
 * @see https://www.rfc-editor.org/rfc/rfc9211
 */
function cacheHit(header: HeaderLookup): boolean | undefined {
  const status = header('cache-status')
  if (status) return status.split(',').some((cache) => /;\s*hit\s*(;|$)/i.test(cache))
  for (const name of ['cf-cache-status', 'x-cache']) {
    const caches = (header(name) ?? '').split(',').map((text) => text.trim())
    if (caches.some((text) => HIT.test(text))) return true
    if (caches.some((text) => MISS.test(text))) return false
  }
  return (seconds(header('age')) ?? 0) > 0 ? true : undefined
}
