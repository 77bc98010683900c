import { Problem } from '../../errors.ts'

/**
 * Rejects a request with an ambiguous target before anything reads it: no host, an invalid host, or several.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function doubtfulTarget({ url, headers }: Request): Response | undefined {
  if (!URL.canParse(url)) return badHost('expected a valid host name.')
  // Repeated headers are joined by commas, which no host contains.
  if (headers.get('host')?.includes(',')) return badHost('expected one value, got several.')
  return undefined
}

function badHost(why: string): Response {
  return new Problem('bad_request', `Host: ${why}`).toResponse()
}
