import type { EgressFetch } from './egress.ts'

/**
 * A `fetch` without checks, for destinations that only the operator can set; all others go through an `Egress`. It
 * uses a proxy only if given one: the environment variables that the runtime would read are removed.
 */
export const directFetch: EgressFetch = (url, init) => globalThis.fetch(url, init)
