import type { EgressFetch } from './egress.ts'

/**
 * The `fetch` that goes anywhere: for places that nobody but the operator can name. Whatever goes where somebody else
 * said is sent by an `Egress`.
 */
export const directFetch: EgressFetch = (url, init) => globalThis.fetch(url, init)
