/** How long browsers may cache a preflight response. */
const PREFLIGHT_SECONDS = 600

/** Every page may read every response: the pages of Weir have another origin. */
const CORS_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'ETag, Allow',
}

/** Lets pages of other origins read a response. */
export function withCors(response: Response): Response {
  for (const [name, value] of Object.entries(CORS_HEADERS)) response.headers.set(name, value)
  return response
}

/** Responds to a preflight request. */
export function preflight(methods: readonly string[]): Response {
  return new Response(null, {
    status: 204,
    headers: {
      Allow: allowed(methods),
      'Access-Control-Allow-Methods': allowed(methods),
      'Access-Control-Allow-Headers': 'Content-Type, Last-Event-ID, If-None-Match, Cache-Control',
      'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
    },
  })
}

export function methodNotAllowed(methods: readonly string[]): Response {
  return Response.json(
    { error: `Use ${methods.join(' or ')}` },
    { status: 405, headers: { Allow: allowed(methods) } },
  )
}

/** Responds with JSON, or with 304 to a client that has the same JSON already. */
export function jsonWithEtag(request: Request, value: object): Response {
  const body = JSON.stringify(value)
  const etag = `"${Bun.hash(body).toString(36)}"`
  const headers = { ETag: etag, 'Cache-Control': 'no-cache' }
  if (matches(request.headers.get('If-None-Match'), etag)) return new Response(null, { status: 304, headers })
  return new Response(body, { headers: { ...headers, 'Content-Type': 'application/json' } })
}

function allowed(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}

/** Weak comparison, as required by RFC 9110 section 13.1.2. */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch
    .split(',')
    .map((candidate) => candidate.trim().replace(/^W\//, ''))
    .some((candidate) => candidate === '*' || candidate === etag)
}
