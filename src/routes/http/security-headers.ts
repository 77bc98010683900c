/** Upstream content is shown only within pages: a response opened on its own may not run or load anything. */
const DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

const ALWAYS: readonly (readonly [string, string])[] = [
  // JSON that holds HTML stays JSON.
  ['X-Content-Type-Options', 'nosniff'],
  // Other sites can't access Weir's windows or embed its responses as images or scripts.
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Frame-Options', 'DENY'],
]

/** One year of HTTPS only. @see https://www.rfc-editor.org/rfc/rfc6797#section-6.1 */
const HTTPS_ALONE = 'max-age=31536000'

/**
 * A response with headers that keep its content from running in a browser; a page's own policy is kept.
 * @param isEncrypted whether Weir is served over HTTPS
 */
export function withSecurityHeaders(answer: Response, isEncrypted: boolean): Response {
  const { headers } = answer
  for (const [name, value] of ALWAYS) headers.set(name, value)
  if (isEncrypted) headers.set('Strict-Transport-Security', HTTPS_ALONE)
  if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', DATA_POLICY)
  if (!headers.has('Referrer-Policy')) headers.set('Referrer-Policy', 'same-origin')
  return answer
}
