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
/** Of a description of faults. */
const MAX_FAULTS_BYTES = 16_384

export interface FaultRoutesOptions {
  topology: Topology
  fetch: FaultOptions['fetch']
}

/** What a service of the laboratory is told to do wrong, passed on to the service. */
export function topologyFaultRoutes({ topology, fetch }: FaultRoutesOptions) {
  const path = '/api/topology/services/:id/faults'
  return new Elysia({ detail: { tags: ['Topology'] } })
    .get(path, ({ params, request }) => forward('GET', params.id, request), {
      detail: operation(
        'The faults of a service',
        "Asks the service's own `/faults`. A service that isn't part of a laboratory is told as `no_laboratory`.",
        ANSWERS,
      ),
    })
    .put(path, ({ params, request }) => forward('PUT', params.id, request), {
      parse: 'none',
      detail: operation(
        'Inject faults into a service',
        'Replaces the faults of a simulated service, from its next answer and its next frame on: `latencyMs`, ' +
          '`errorRate`, `errorCodes`, `rateLimit`, `payloadBytes`, `reset`, and `sse` with `stall`, `halfOpen`, ' +
          '`duplicate`, `reorder`, `drop`, `truncate`, `bufferMs`, `slowDripBytesPerSecond`, `status`, `json`. ' +
          'What is left out is off.',
        { ...ANSWERS, body: { type: 'object' }, example: { latencyMs: 500, errorRate: 0.1 } },
      ),
    })
    .delete(path, ({ params, request }) => forward('DELETE', params.id, request), {
      parse: 'none',
      detail: operation('End all faults of a service', 'Idempotent.', ANSWERS),
    })

  async function forward(method: FaultMethod, id: string, request: Request) {
    const service = topology.service(id)
    if (service === undefined) throw new Problem('not_found', 'There is no such service.')
    const faults = method === 'PUT' ? await readJson(request, MAX_FAULTS_BYTES) : undefined
    return faultsOf(service, method, faults, { fetch, signal: request.signal })
  }
}
