import { Problem } from '../../errors.ts'

/**
 * Refuses a request whose target can be read in more than one way, before anything reads it: without a host, with a
 * host that can't be one, or with two.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function doubtfulTarget({ url, headers }: Request): Response | undefined {
  if (!URL.canParse(url)) return badHost('expected the name that Weir is reached by.')
  // Lines of the same name are joined by commas, and no host has one.
  if (headers.get('host')?.includes(',')) return badHost('expected one, got several.')
  return undefined
}

function badHost(why: string): Response {
  return new Problem('bad_request', `Host: ${why}`).toResponse()
}
