import { Elysia } from 'elysia'
import { PushUrlPage } from '../../../views/push/url.tsx'
import type { RateLimit } from '../../limits/rate-limit.ts'
import { type Inbox, MAX_DELIVERY_BYTES } from '../../push/inbox.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { readerOf } from '../access/reader.ts'
import { json } from '../answers/answer.ts'
import * as answers from '../answers/streams.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { readBytes } from '../http/input.ts'
import { tooMany } from '../http/too-many.ts'
import { newPushUrl, type PushUrlDeps } from './push-url.ts'

export interface PushRoutesDeps extends PushUrlDeps {
  streams: Streams
  inbox: Inbox
  /** Undefined: requests aren't limited. */
  rateLimit: RateLimit | undefined
  now(): number
}

/** Takes what is pushed, and makes the URLs that it is pushed to. */
export function pushRoutes(deps: PushRoutesDeps) {
  const { streams, inbox, rateLimit, now } = deps
  const pages = new Elysia({ detail: { hide: true } }).post(
    '/streams/:id/push-url',
    async ({ params, request }) => {
      const { id, name } = await streams.get(params.id)
      const url = await newPushUrl(deps, id)
      const page = await html(<PushUrlPage reader={readerOf(request)} id={id} name={name} url={url} />)
      page.headers.set('Cache-Control', 'no-store')
      return page
    },
  )
  const api = new Elysia({ detail: { tags: ['Streams'] } })
    .post(
      '/in/:token',
      async ({ params, request, set }) => {
        const stream = await inbox.streamOf(params.token)
        const limited = await rateLimit?.takeToken(stream.id, '/in/:token')
        if (limited?.problem !== undefined) {
          return tooMany(request, limited.problem, { headers: limited.headers, isProxy: false })
        }
        const body = await readBytes(request, MAX_DELIVERY_BYTES)
        const stored = await inbox.take(stream, { headers: request.headers, body, at: now() })
        set.headers['cache-control'] = 'no-store'
        return Response.json(stored, { status: stored.isNew ? 202 : 200 })
      },
      {
        response: { ...json(answers.Pushed), ...json(answers.Pushed, 202) },
        detail: {
          ...describe('Push to a stream', PUSH, {
            problems: ['not_found', 'body_too_large', 'unsupported_media_type', 'too_many', 'unavailable'],
          }),
          requestBody: { required: true, content: { 'application/json': { schema: {} } } },
        },
      },
    )
    .post(
      '/api/streams/:id/push-url',
      async ({ params }) => {
        const { id } = await streams.get(params.id)
        const headers = { 'Cache-Control': 'no-store' }
        return Response.json({ url: await newPushUrl(deps, id) }, { status: 201, headers })
      },
      {
        response: json(answers.PushUrl, 201),
        detail: describe('Create the URL to push to', URL, { problems: ['conflict'] }),
      },
    )
  return new Elysia().use(pages).use(api)
}

const PUSH =
  'Stores the body as an event of the stream that the token is for, once its signature is verified, and answers when it is ' +
  'durable: 202 if it is new, 200 if a delivery with its ID was stored before. Up to 1 MiB of text in UTF-8. A wrong ' +
  'signature gets 401, a stopped stream or an unavailable database 503 with Retry-After.'
const URL =
  'The URL that takes what is pushed to a stream of the kind `push`. Whoever has it can push, so it is shown only here; a new ' +
  'one replaces it.'
