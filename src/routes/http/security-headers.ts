/** What comes from elsewhere is shown by pages alone: opened by itself, an answer may run and load nothing. */
const DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

const ALWAYS: readonly (readonly [string, string])[] = [
  // JSON that holds HTML stays JSON.
  ['X-Content-Type-Options', 'nosniff'],
  // Other sites' windows and pages have no hold of Weir's, and can't take its answers in as images or scripts.
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Frame-Options', 'DENY'],
]

/** A year: as long as browsers go on asking by https alone. @see https://www.rfc-editor.org/rfc/rfc6797#section-6.1 */
const HTTPS_ALONE = 'max-age=31536000'

/**
 * An answer with the headers that keep what it holds from running in a browser; a page's own policy stays.
 * @param isEncrypted whether Weir is reached by https
 */
export function harmless(answer: Response, isEncrypted: boolean): Response {
  const { headers } = answer
  for (const [name, value] of ALWAYS) headers.set(name, value)
  if (isEncrypted) headers.set('Strict-Transport-Security', HTTPS_ALONE)
  if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', DATA_POLICY)
  if (!headers.has('Referrer-Policy')) headers.set('Referrer-Policy', 'same-origin')
  return answer
}
