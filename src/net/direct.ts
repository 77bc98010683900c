import type { EgressFetch } from './egress.ts'
import { fetchExactly, hasEmptySegment } from './exact-path.ts'

/**
 * A `fetch` without checks, for destinations that only the operator can set; all others go through an `Egress`. It
 * uses a proxy only if given one: the environment variables that the runtime would read are removed.
 */
export const directFetch: EgressFetch = (url, init) =>
  hasEmptySegment(url) && init.proxy === undefined ? fetchExactly(url, init) : globalThis.fetch(url, init)
