import type { Server } from 'bun'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { TooOften } from '../../limits/upstream-rate.ts'
import { refusal } from '../../proxy/errors.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import type { Proxy } from '../../proxy/proxy.ts'
import { isProxyPath, MODES } from '../../proxy/target.ts'
import { PROXIED } from '../answers/proxy.ts'
import { operation } from '../http/operation.ts'
import { oneOf as words } from '../http/parameters.ts'
import { tooMany } from '../http/too-many.ts'

export interface ProxyRoutesDeps {
  proxy: Proxy
  proxyOrigins: readonly string[]
  warn(message: string, error: unknown): void
}

export type ProxyHandler = (request: Request, server: Server<unknown> | null) => Promise<Response>

/** Answers requests to the proxy, whichever form their path has. */
export function proxyHandler({ proxy, proxyOrigins, warn }: ProxyRoutesDeps): ProxyHandler {
  async function serve(request: Request): Promise<Response> {
    try {
      return await proxy.subscribe(request)
    } catch (error) {
      if (error instanceof TooOften) {
        const headers = { 'Retry-After': String(error.retryAfterSeconds) }
        return tooMany(request, error, { headers, isProxy: true })
      }
      if (error instanceof Problem) return refusal(error, Date.now())
      warn(`GET ${new URL(request.url).pathname.slice(0, 200)}`, error)
      const detail = 'Something went wrong inside Weir; its log says what.'
      return refusal(new Problem('internal', detail), Date.now())
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

/** Whether a request has the target's URL straight after the host: a path that no route's pattern can describe. */
export function isBareTarget({ method, url }: Request): boolean {
  const { pathname } = new URL(url)
  return method === 'GET' && isProxyPath(pathname) && !pathname.startsWith('/proxy/')
}

/** Any API as a stream. */
export function proxyRoutes(handle: ProxyHandler) {
  return new Elysia({ detail: { tags: ['Proxy'] } }).get(
    '/proxy/*',
    ({ request, server }) => handle(request, server),
    { detail: DOCS },
  )
}

const NUMBER = { type: 'integer' }
const DOCS = operation(
  'Any JSON API as server-sent events',
  'Follow the path with the target’s URL, its query included; `/<url>` does the same. Events: `data` (the ' +
    'document), `patch` (RFC 6902 operations), `error` (`{family, cause, message, status, timestamp}`: status 4xxxx ' +
    'for what was asked, 5xxxx for Weir, 7xxxx for the target), `monitor` (the target recovered, or was not polled ' +
    'for a while), `gap` (what was missed can’t be replayed; the document follows). All who ask for the same URL, ' +
    'headers and interval share one poll. A stream with headers is visible to the key that created it and to admins only. ' +
    'How many requests a client causes is limited, per host and in all. `Last-Event-ID` resumes.',
  {
    parameters: [
      { name: 'url', in: 'path', required: true, description: 'Of the target, as it is' },
      {
        name: 'intervalMs',
        description: 'Time between two polls, in milliseconds',
        schema: { ...NUMBER, default: 5_000 },
      },
      {
        name: 'mode',
        description: 'What is sent: the document and its patches, or the whole document with every change',
        schema: { ...words(MODES), default: MODES[0] },
      },
      {
        name: 'X-Sd-Header',
        description: 'Header for the target, `Name: value`; may be repeated. Makes it private',
      },
      { name: 'X-Sd-Token', description: 'An API key or WEIR_TOKEN, for clients that can’t send headers' },
      {
        name: 'X-Sd-Compress',
        description: '`true` compresses the stream whatever Accept-Encoding says',
        schema: words(['true']),
      },
      { name: 'payloadPointer', description: 'JSON Pointer (RFC 6901) of the part to follow' },
      { name: 'ignorePaths', description: 'JSON Pointer of a part to leave out; may be repeated' },
      { name: 'arrayKeys', description: 'Key that identifies the members of arrays; may be repeated' },
    ],
    answers: PROXIED,
  },
)
