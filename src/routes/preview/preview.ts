import { Elysia } from 'elysia'
import { clientOf } from '../../limits/client.ts'
import type { UpstreamRate } from '../../limits/upstream-rate.ts'
import type { Looked } from '../../streams/preview/preview.ts'
import { checkLook, type Looking, LookSchema } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import { Looked as LookedSchema } from '../answers/look.ts'
import { readJson } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { typed } from '../http/typed.ts'

export interface LookRoutesDeps {
  streams: Streams
  /** How often somebody may make Weir ask. */
  upstreamRate: UpstreamRate
}

/** Looking at an API before it is registered. */
export function lookRoutes({ streams, upstreamRate }: LookRoutesDeps) {
  return new Elysia({ detail: { tags: ['Streams'] } }).post(
    '/api/streams/look',
    async ({ request }) => {
      const asked = checkLook(await readJson(request))
      upstreamRate.take(clientOf(request), asked.url)
      return Response.json(await streams.look(asked, request.signal))
    },
    {
      ...typed<{ body: Looking; response: Looked & { known: { id: string; name: string }[] } }>(),
      parse: 'none',
      detail: operation('Look at an API before registering it', LOOK, {
        body: LookSchema,
        answers: json(LookedSchema),
        problems: ['too_many'],
      }),
    },
  )
}

const LOOK =
  'Asks the API once, by the same rules as a stream, and answers what is there: nothing is stored. `answer` has the ' +
  'status, `kind` and `shape`, bytes on the wire and decoded, validators, redirects, timing, and the first lines of the ' +
  'body or the first events. `suggestion` is what it could be registered with, `warnings` what to know before, `known` the ' +
  'streams that follow it already. What keeps it from being followed is no error of this call: it is told in `problem`, ' +
  'with a code, and what to do `next`. At most 4 MiB of a body are read, for at most 10 s, or 5 events in 3 s. How often one client may ask is bounded ' +
  '(`too_many` with `Retry-After`).'
