import { admissionOf, callerOf } from '../auth/caller.ts'
import { clientAddressOf, siteOf } from './address.ts'

/** Sent by Weir's own workers, which follow many streams through the proxy of its web process. */
export const WORKER_HEADER = 'X-Weir-Worker'

/** The client that a request counts for. */
export interface Client {
  key: string
  /** Somebody on this machine while no token is required: not limited unless limits are set. */
  isLocal: boolean
}

/**
 * The client that a request counts for: a key wherever it is used, otherwise the address.
 * @returns undefined if there is no limit: for Weir's own workers, which prove it with the token
 */
export function clientOf(request: Request): Client | undefined {
  const id = callerOf(request)?.id
  const isLocal = id === 'local'
  if ((isLocal || id === 'token') && request.headers.has(WORKER_HEADER)) return undefined
  if (id?.startsWith('key:')) return { key: id, isLocal }
  const address = clientAddressOf(request)
  return address === undefined ? undefined : { key: siteOf(address), isLocal }
}

/** The subscriber of a stream: its client, and the credential whose end closes it. */
export function subscriberOf(request: Request): {
  signal: AbortSignal
  client: Client | undefined
  credential: string | undefined
} {
  return {
    signal: request.signal,
    client: clientOf(request),
    credential: admissionOf(request)?.credential,
  }
}
