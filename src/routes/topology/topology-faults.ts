import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { type FaultMethod, type FaultOptions, faultsOf } from '../../topology/faults.ts'
import type { Topology } from '../../topology/topology.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import { readJson } from '../http/input.ts'
import { type OperationOptions, operation } from '../http/operation.ts'

const ANSWERS = {
  answers: json(answers.Faults),
  problems: ['no_laboratory', 'not_allowed', 'host_unknown', 'upstream_failed'],
} satisfies OperationOptions
/** Maximum size of a faults document. */
const MAX_FAULTS_BYTES = 16_384

export interface FaultRoutesOptions {
  topology: Topology
  fetch: FaultOptions['fetch']
}

/** Fault injection, forwarded to the simulated service. */
export function topologyFaultRoutes({ topology, fetch }: FaultRoutesOptions) {
  const path = '/api/topology/services/:id/faults'
  return new Elysia({ detail: { tags: ['Topology'] } })
    .get(path, ({ params, request }) => forward('GET', params.id, request), {
      detail: operation(
        'Get the faults of a service',
        "Forwarded to the service's own `/faults`. Fails with `no_laboratory` if the service doesn't support it.",
        ANSWERS,
      ),
    })
    .put(path, ({ params, request }) => forward('PUT', params.id, request), {
      parse: 'none',
      detail: operation(
        'Inject faults into a service',
        'Replaces the faults of a simulated service, starting with its next response and frame: `latencyMs`, ' +
          '`errorRate`, `errorCodes`, `rateLimit`, `payloadBytes`, `reset`, and `sse` with `stall`, `halfOpen`, ' +
          '`duplicate`, `reorder`, `drop`, `truncate`, `bufferMs`, `slowDripBytesPerSecond`, `status`, `json`. ' +
          'Omitted faults are off.',
        { ...ANSWERS, body: { type: 'object' }, example: { latencyMs: 500, errorRate: 0.1 } },
      ),
    })
    .delete(path, ({ params, request }) => forward('DELETE', params.id, request), {
      parse: 'none',
      detail: operation('Clear the faults of a service', 'Idempotent.', ANSWERS),
    })

  async function forward(method: FaultMethod, id: string, request: Request) {
    const service = topology.service(id)
    if (service === undefined) throw new Problem('not_found', 'No service has this ID.')
    const faults = method === 'PUT' ? await readJson(request, MAX_FAULTS_BYTES) : undefined
    return faultsOf(service, method, faults, { fetch, signal: request.signal })
  }
}
