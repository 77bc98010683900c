import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { type FaultMethod, type FaultOptions, faultsOf } from '../../topology/faults.ts'
import type { Topology } from '../../topology/topology.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import { body } from '../http/body.ts'
import { type Described, describe } from '../http/describe.ts'

const PROBLEMS = {
  problems: ['no_laboratory', 'not_allowed', 'host_unknown', 'upstream_failed'],
} satisfies Described
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
      response: json(answers.Faults),
      detail: describe(
        'Get the faults of a service',
        "Forwarded to the service's own `/faults`. Fails with `no_laboratory` if the service doesn't support it.",
        PROBLEMS,
      ),
    })
    .put(path, ({ params, body, request }) => forward('PUT', params.id, request, body), {
      body: body(Type.Unsafe({ type: 'object' }), {
        maxBytes: MAX_FAULTS_BYTES,
        // The service knows its own faults.
        check: (value) => value,
        example: { latencyMs: 500, errorRate: 0.1 },
      }),
      response: json(answers.Faults),
      detail: describe(
        'Inject faults into a service',
        'Replaces the faults of a simulated service, starting with its next response and frame: `latencyMs`, ' +
          '`errorRate`, `errorCodes`, `rateLimit`, `payloadBytes`, `reset`, and `sse` with `stall`, `halfOpen`, ' +
          '`duplicate`, `reorder`, `drop`, `truncate`, `bufferMs`, `slowDripBytesPerSecond`, `status`, `json`. ' +
          'Omitted faults are off.',
        PROBLEMS,
      ),
    })
    .delete(path, ({ params, request }) => forward('DELETE', params.id, request), {
      response: json(answers.Faults),
      detail: describe('Clear the faults of a service', 'Idempotent.', PROBLEMS),
    })

  async function forward(method: FaultMethod, id: string, request: Request, faults?: unknown) {
    const service = topology.service(id)
    if (service === undefined) throw new Problem('not_found', 'No service has this ID.')
    return faultsOf(service, method, faults, { fetch, signal: request.signal })
  }
}
