import type { EgressFetch } from './egress.ts'

/**
 * The `fetch` that goes anywhere: for places that nobody but the operator can name. Whatever goes where somebody else
 * said is sent by an `Egress`. It goes through a proxy only where it's given one: the environment, where the runtime would
 * look for it, has none any more.
 */
export const directFetch: EgressFetch = (url, init) => globalThis.fetch(url, init)
