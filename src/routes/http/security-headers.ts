import { ALWAYS, UNLESS_SET } from '../../core/security-headers.ts'
import { areEventStreamHeaders } from '../../core/sse.ts'

/** One year of HTTPS only. @see https://www.rfc-editor.org/rfc/rfc6797#section-6.1 */
const HTTPS_ALONE = 'max-age=31536000'

/**
 * A response with headers that keep its content from running in a browser; a page's own policy is kept. A proxied event stream
 * has none of them: browsers show none as a page, and each of its many connections would transfer them.
 * @param isEncrypted whether Weir is served over HTTPS
 * @param isProxied whether the proxy answered
 */
export function withSecurityHeaders(answer: Response, isEncrypted: boolean, isProxied: boolean): Response {
  const { headers } = answer
  if (isEncrypted) headers.set('Strict-Transport-Security', HTTPS_ALONE)
  if (isProxied && areEventStreamHeaders(headers)) return answer
  for (const [name, value] of ALWAYS) headers.set(name, value)
  for (const [name, value] of UNLESS_SET) if (!headers.has(name)) headers.set(name, value)
  return answer
}
