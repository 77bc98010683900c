import type { Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import { EgressError } from '../net/egress.ts'
import { readStart, type SendOptions, type SentAnswer, urlBelow } from './send.ts'

/** A service answers from memory, unless its own fault delays that: then it counts as unreachable. */
const TIMEOUT_MS = 5_000
/** Statuses of a service that doesn't support faults. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([404, 405, 501])
const MAX_DETAIL_CHARS = 500

export type FaultMethod = 'GET' | 'PUT' | 'DELETE'
export type FaultOptions = Pick<SendOptions, 'fetch' | 'signal'>

/**
 * Reads the faults of a simulated service, replaces them (`PUT`) or clears them (`DELETE`).
 * @returns the faults active from now on, as the service reports them
 * @throws Problem `no_laboratory` if the service doesn't support faults, `invalid_field` if it rejects them,
 * `not_allowed` or `host_unknown` if egress is blocked, `upstream_failed` if it doesn't respond.
 */
export async function faultsOf(
  { id, kind, url }: Pick<Service, 'id' | 'kind' | 'url'>,
  method: FaultMethod,
  faults: unknown,
  options: FaultOptions,
): Promise<Record<string, unknown>> {
  // Followed hosts and databases aren't asked: they never offered faults.
  if (url === undefined || kind !== 'service') throw noLaboratory()
  const { status, body } = await ask(id, urlBelow(url, 'faults'), method, faults, options)
  if (UNKNOWN_STATUSES.has(status)) throw noLaboratory()
  if (status >= 400 && status < 500 && isObject(body)) throw refused(body)
  if (status === 204) return {}
  if (status >= 200 && status < 300 && isObject(body)) return body
  if (status >= 200 && status < 300) throw noLaboratory()
  throw new Problem('upstream_failed', `${id} returned ${status} to a request about its faults.`)
}

async function ask(
  id: string,
  url: string,
  method: FaultMethod,
  faults: unknown,
  { fetch, signal }: FaultOptions,
): Promise<Pick<SentAnswer, 'status' | 'body'>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const sent =
    method === 'PUT' ? { body: JSON.stringify(faults), headers: { 'Content-Type': 'application/json' } } : {}
  try {
    const response = await fetch(url, {
      ...sent,
      method,
      redirect: 'manual',
      signal: AbortSignal.any([timeout, signal]),
    })
    return { status: response.status, body: parsed(await readStart(response.body)) }
  } catch (error) {
    if (error instanceof EgressError) throw new Problem(error.code, error.message)
    const reason = timeout.aborted ? `didn't respond within ${TIMEOUT_MS / 1000} s` : "can't be reached"
    throw new Problem('upstream_failed', `${id} ${reason} at ${new URL(url).origin}.`)
  }
}

function noLaboratory(): Problem {
  return new Problem('no_laboratory', "This service doesn't support fault injection.")
}

/** The service's own message; it is untrusted text, so only a sentence's length. */
function refused({ detail, field }: Record<string, unknown>): Problem {
  const said =
    typeof detail === 'string' ? detail.slice(0, MAX_DETAIL_CHARS) : 'The service rejected these faults.'
  return new Problem('invalid_field', said, typeof field === 'string' ? field.slice(0, 64) : undefined)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
