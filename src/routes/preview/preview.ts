import { Elysia } from 'elysia'
import { clientOf } from '../../limits/client.ts'
import type { SharedUpstreamRate } from '../../limits/shared-upstream-rate.ts'
import { checkPreview, PreviewSchema } from '../../streams/registry/registration.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import { PreviewAnswer as LookedSchema } from '../answers/preview.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'

export interface PreviewRoutesDeps {
  streams: Streams
  /** Limits the upstream requests of each client. */
  upstreamRate: SharedUpstreamRate
}

/** Previewing an API before registering it. */
export function previewRoutes({ streams, upstreamRate }: PreviewRoutesDeps) {
  return new Elysia({ detail: { tags: ['Streams'] } }).post(
    '/api/streams/preview',
    async ({ body, request }) => {
      await upstreamRate.take(clientOf(request), body.url)
      return Response.json(await streams.preview(body, request.signal))
    },
    {
      body: body(PreviewSchema, { check: checkPreview }),
      response: json(LookedSchema),
      detail: describe('Preview an API', LOOK, { problems: ['too_many'] }),
    },
  )
}

const LOOK =
  'Requests the API once, under the same rules as a stream, and stores nothing. `answer` has the status, `kind` (and why) and ' +
  '`shape`, bytes on the wire and decoded, validators, redirects, timing, and the first lines of the body or the first ' +
  'events. `suggestion` is a suggested registration, `warnings` are things to know first, and `known` lists streams that ' +
  "already follow the API. With `select`, the sample is what is selected. `auth` and `tls` are used for this request and aren't kept. If the API can't be followed, the call still succeeds: `problem` has a code, the reason, and " +
  'what to do `next`. Reads at most 4 MiB of a body within 10 s, or 5 events within 3 s. Rate-limited per client ' +
  '(`too_many` with `Retry-After`).'
