/** How long a browser may go without asking again whether it may post. */
const PREFLIGHT_SECONDS = 600

/** Every page may read every answer: the web program's pages are of another origin. */
const CORS_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'ETag, Allow',
}

/** Lets pages of other origins read an answer. */
export function withCors(response: Response): Response {
  for (const [name, value] of Object.entries(CORS_HEADERS)) response.headers.set(name, value)
  return response
}

/** Answers a browser that asks what it may send. */
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

/** Answers with JSON, or with 304 to a client that has this very JSON already. */
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

/** Compares weakly, as RFC 9110 section 13.1.2 asks for. */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch
    .split(',')
    .map((candidate) => candidate.trim().replace(/^W\//, ''))
    .some((candidate) => candidate === '*' || candidate === etag)
}
