import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../core/document.ts'
import { Problem } from '../errors.ts'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Answered without the token: whoever restarts Weir must be able to ask whether it lives. */
const OPEN_PATHS = new Set(['/healthz'])

/**
 * Whether a request may go on.
 * @returns the answer that refuses it, else undefined.
 */
export function guard(request: Request, token: string | undefined): Response | undefined {
  const { pathname, host } = new URL(request.url)
  if (token !== undefined && !OPEN_PATHS.has(pathname) && !carries(request, token)) {
    const refusal = new Problem(
      'unauthorized',
      'Send WEIR_TOKEN as Bearer token, or as the password of Basic.',
    )
    const response = refusal.toResponse()
    response.headers.set('WWW-Authenticate', 'Basic realm="Weir", charset="UTF-8"')
    return response
  }
  const origin = request.headers.get('origin')
  if (!SAFE_METHODS.has(request.method) && origin !== null && !isSameHost(origin, host)) {
    return new Problem(
      'forbidden_origin',
      `A page of ${origin.slice(0, 200)} may not change anything here.`,
    ).toResponse()
  }
  return undefined
}

function carries(request: Request, token: string): boolean {
  const [scheme, credentials = ''] = (request.headers.get('authorization') ?? '').split(' ')
  if (scheme?.toLowerCase() === 'bearer') return isEqual(credentials, token)
  if (scheme?.toLowerCase() !== 'basic') return false
  const decoded = Buffer.from(credentials, 'base64').toString('utf8')
  return isEqual(decoded.slice(decoded.indexOf(':') + 1), token)
}

/** Compares digests, which have one length: how long the token is doesn't show either. */
function isEqual(given: string, token: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(token)))
}

function isSameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}
