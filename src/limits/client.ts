import { admissionOf, callerOf } from '../auth/caller.ts'
import { addressOf, siteOf } from './address.ts'

/** Sent by Weir's own workers, which follow many streams through the proxy of its web process. */
export const WORKER_HEADER = 'X-Weir-Worker'

/** Who a request is counted as. */
export interface Client {
  key: string
  /** Somebody on this machine, where no token is asked for: not limited unless that is asked for. */
  isLocal: boolean
}

/**
 * Who a request is counted as: a key wherever it is used from, anybody else by the address.
 * @returns undefined for who is never limited: Weir's own workers, who are believed because they hold the token
 */
export function clientOf(request: Request): Client | undefined {
  const id = callerOf(request)?.id
  const isLocal = id === 'local'
  if ((isLocal || id === 'token') && request.headers.has(WORKER_HEADER)) return undefined
  if (id?.startsWith('key:')) return { key: id, isLocal }
  const address = addressOf(request)
  return address === undefined ? undefined : { key: siteOf(address), isLocal }
}

/** Who subscribes, and until when: until they leave, or what lets them in ends. */
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
