import type { Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import { EgressError } from '../net/egress.ts'
import { readStart, type SendOptions, type SentAnswer, urlBelow } from './send.ts'

/** A service answers this from memory, unless it is the very fault that it was told: then it is as good as away. */
const TIMEOUT_MS = 5_000
/** Answers that mean that a service knows nothing of faults. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([404, 405, 501])
const MAX_DETAIL_CHARS = 500

export type FaultMethod = 'GET' | 'PUT' | 'DELETE'
export type FaultOptions = Pick<SendOptions, 'fetch' | 'signal'>

/**
 * Asks a service of the laboratory which faults it injects, replaces them (`PUT`) or ends them (`DELETE`).
 * @returns the faults that it injects from now on, as the service tells them
 * @throws Problem `no_laboratory` where the service knows nothing of faults, `invalid_field` where it refuses them,
 * `not_allowed` or `host_unknown` where Weir doesn't go there, `upstream_failed` where it doesn't answer.
 */
export async function faultsOf(
  { id, kind, url }: Pick<Service, 'id' | 'kind' | 'url'>,
  method: FaultMethod,
  faults: unknown,
  options: FaultOptions,
): Promise<Record<string, unknown>> {
  // Other people's hosts and databases aren't asked: they didn't ask for a laboratory.
  if (url === undefined || kind !== 'service') throw noLaboratory()
  const { status, body } = await ask(id, urlBelow(url, 'faults'), method, faults, options)
  if (UNKNOWN_STATUSES.has(status)) throw noLaboratory()
  if (status >= 400 && status < 500 && isObject(body)) throw refused(body)
  if (status === 204) return {}
  if (status >= 200 && status < 300 && isObject(body)) return body
  if (status >= 200 && status < 300) throw noLaboratory()
  throw new Problem('upstream_failed', `${id} responded with ${status} to the faults request.`)
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
    const reason = timeout.aborted ? `did not respond within ${TIMEOUT_MS / 1000} s` : 'is unreachable'
    throw new Problem('upstream_failed', `${id} ${reason} at ${new URL(url).origin}.`)
  }
}

function noLaboratory(): Problem {
  return new Problem('no_laboratory', "This service doesn't support fault injection.")
}

/** The service's own words; they are text of a stranger, so only as much as a sentence needs. */
function refused({ detail, field }: Record<string, unknown>): Problem {
  const said =
    typeof detail === 'string' ? detail.slice(0, MAX_DETAIL_CHARS) : 'The service refused these faults.'
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
