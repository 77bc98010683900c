import type { Server } from 'bun'
import { Elysia } from 'elysia'
import { TooOften } from '../../limits/upstream-bounds.ts'
import { refusal } from '../../proxy/errors.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import type { Proxy } from '../../proxy/proxy.ts'
import { isProxyPath, MODES } from '../../proxy/target.ts'
import { PROXIED } from '../answers/proxy.ts'
import { describe } from '../http/describe.ts'
import { problemOf } from '../http/problem-of.ts'
import { choice, documentedQuery, otherwise, text, whole } from '../http/query.ts'
import { tooMany } from '../http/too-many.ts'

export interface ProxyRoutesDeps {
  proxy: Proxy
  proxyOrigins: readonly string[]
  warn(message: string, error?: unknown): void
}

export type ProxyHandler = (request: Request, server: Server<unknown> | null) => Promise<Response>

/** Handles requests to the proxy, in either path form. */
export function proxyHandler({ proxy, proxyOrigins, warn }: ProxyRoutesDeps): ProxyHandler {
  async function serve(request: Request): Promise<Response> {
    try {
      return await proxy.subscribe(request)
    } catch (error) {
      if (error instanceof TooOften) {
        const headers = { 'Retry-After': String(error.retryAfterSeconds) }
        return tooMany(request, error, { headers, isProxy: true })
      }
      const what = `GET ${new URL(request.url).pathname.slice(0, 200)}`
      return refusal(problemOf(error, what, warn), Date.now())
    }
  }

  return async (request, server) => {
    server?.timeout(request, 0)
    const response = await serve(request)
    const origin = request.headers.get('origin')
    response.headers.append('Vary', 'Origin')
    if (origin !== null && proxyOrigins.includes(origin)) {
      response.headers.set('Access-Control-Allow-Origin', origin)
    }
    return response
  }
}

/** Whether the target URL follows the host directly: a path that no route pattern matches. */
export function isBareTarget({ method, url }: Request): boolean {
  const { pathname } = new URL(url)
  return method === 'GET' && isProxyPath(pathname) && !pathname.startsWith('/proxy/')
}

/** Any JSON API as an event stream. */
export function proxyRoutes(handle: ProxyHandler) {
  return new Elysia({ detail: { tags: ['Proxy'] } }).get(
    '/proxy/*',
    ({ request, server }) => handle(request, server),
    { response: PROXIED, detail: DOCS },
  )
}

/** Parsed by the proxy itself, together with the target. */
const PARAMETERS = {
  intervalMs: otherwise(
    whole({ min: 0, max: Number.MAX_SAFE_INTEGER }, 'Time between two polls, in milliseconds'),
    5_000,
  ),
  mode: otherwise(
    choice(MODES, 'The document followed by patches, or the whole document on every change'),
    MODES[0],
  ),
  'X-Sd-Header': text('Header for the target, as `Name: value`; repeatable. Makes the stream private'),
  'X-Sd-Token': text("API key or WEIR_TOKEN, for clients that can't set headers"),
  'X-Sd-Compress': choice(['true'], '`true` compresses the stream regardless of Accept-Encoding'),
  payloadPointer: text('JSON Pointer (RFC 6901) of the part to follow'),
  'weir-select': text(
    'What of a page, XML or feed becomes the document, as for a registered stream. With it, other parameters need the prefix, too',
  ),
  ignorePaths: text('JSON Pointer of a part to ignore; repeatable'),
  arrayKeys: text('Key that identifies array members; repeatable'),
}
const TARGET = {
  name: 'url',
  in: 'path' as const,
  required: true,
  description: 'Target URL, not encoded',
  schema: { type: 'string' as const },
}
const DOCS = {
  ...describe(
    'Stream any JSON API as server-sent events',
    'Append the target URL, including its query, to the path; `/<url>` works too. Events: `data` (the document), `patch` ' +
      '(RFC 6902 operations), `error` (`{family, cause, message, status, timestamp}`; status 4xxxx: invalid request, ' +
      '5xxxx: error in Weir, 7xxxx: error of the target), `monitor` (the target recovered, or was not polled for a while), ' +
      "`gap` (missed events can't be replayed; the document follows). Requests with the same URL, headers and interval " +
      'share one poll. A stream with headers is visible only to the key that created it and to admins. The request rate ' +
      'per client is limited, per host and in total. Resume with `Last-Event-ID`.',
  ),
  parameters: [TARGET, ...documentedQuery(PARAMETERS)],
}
