import { Elysia, status } from 'elysia'
import { type Channel, type Channels, viewOf } from '../../channels/channels.ts'
import type { Deliverer } from '../../channels/deliverer.ts'
import { DELIVERY_STATUSES, readDeliveries, replay } from '../../channels/deliveries.ts'
import type { DeliveryControl, Notifier } from '../../channels/notifier.ts'
import { notifyResponsible, tryChannel } from '../../channels/notify.ts'
import {
  ChannelChangeSchema,
  ChannelSchema,
  checkChannel,
  checkChannelChange,
  checkNotify,
  NotifySchema,
} from '../../channels/registration.ts'
import type { Database } from '../../storage/storage.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { created, json, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/channels.ts'
import { listOf, pageOf } from '../answers/types.ts'
import { integerOf, oneOf, query, readJson, readText } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { oneOf as words } from '../http/parameters.ts'
import { typed } from '../http/typed.ts'

export interface ChannelRoutesDeps {
  db: Database
  streams: Streams
  channels: Channels
  notifier: Notifier
  deliverer: Deliverer
  deliveryControl: DeliveryControl
  /** Where people reach this Weir, without a slash at the end: for links in messages. */
  self(): string
  now(): number
}

const WRITTEN = { answers: json(answers.WrittenChannel) }
/** Of a place that can't or mustn't be reached. */
const TARGET = ['host_unknown', 'not_allowed'] as const
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 200
const MAX_TEST_BYTES = 16_384
export const TEST_TEXT = 'This is a test: what Weir has to tell arrives here.'

/** Where notifications go, what was sent there, and telling people something now. */
export function channelRoutes(deps: ChannelRoutesDeps) {
  const { channels, db } = deps
  return new Elysia({ detail: { tags: ['Channels'] } })
    .post(
      '/api/channels',
      async ({ request }) => {
        const added = await channels.add(checkChannel(await readJson(request)))
        const headers = { Location: `/api/channels/${added.id}` }
        return Response.json(channelJson(added), { status: 201, headers })
      },
      {
        parse: 'none',
        detail: operation(
          'Add a channel',
          'Kinds: webhook {url, secret}, email {host, from, to, port?, security?, user?, password?}, slack {url}, ' +
            'discord {url}, ntfy {url, token?}. Secrets are never shown again.',
          {
            body: ChannelSchema,
            example: {
              name: 'Night shift',
              kind: 'ntfy',
              config: { url: 'https://ntfy.sh/weir' },
              tags: ['shop'],
            },
            answers: created(answers.WrittenChannel),
            problems: [...TARGET, 'conflict', 'too_many'],
          },
        ),
      },
    )
    .get('/api/channels', async () => ({ items: await channels.list() }), {
      detail: operation('List channels', undefined, { answers: json(listOf(answers.Channel)) }),
    })
    .get('/api/channels/:id', ({ params }) => channels.view(params.id), {
      detail: operation('Read a channel', undefined, { answers: json(answers.Channel) }),
    })
    .patch(
      '/api/channels/:id',
      async ({ params, request }) =>
        channelJson(await channels.change(params.id, checkChannelChange(await readJson(request)))),
      {
        parse: 'none',
        detail: operation(
          'Change a channel',
          'Of `config`, what is left out stays. A new secret of a webhook makes the old one its `previousSecret`: ' +
            'both sign until that is set to null.',
          {
            body: ChannelChangeSchema,
            example: { tags: ['shop'] },
            answers: json(answers.WrittenChannel),
            problems: [...TARGET, 'conflict'],
          },
        ),
      },
    )
    .delete(
      '/api/channels/:id',
      async ({ params }) => {
        await channels.remove(params.id)
        return new Response(null, { status: 204 })
      },
      {
        detail: operation('Remove a channel', 'With its deliveries; what waits is never sent.', {
          answers: NOTHING,
        }),
      },
    )
    .post('/api/channels/:id/test', ({ params, request }) => tested(params.id, request), {
      parse: 'none',
      detail: operation('Send one now', 'Waits for the answer, and shows request, response and timing.', {
        body: NotifySchema,
        example: { message: 'A test' },
        isOptional: true,
        answers: json(answers.Tried),
      }),
    })
    .post(
      '/api/channels/:id/suspend',
      async ({ params }) => channelJson(await channels.suspend(params.id, 'Suspended on request.')),
      {
        parse: 'none',
        detail: operation('Suspend a channel', 'What waits is cancelled. Idempotent.', WRITTEN),
      },
    )
    .post('/api/channels/:id/resume', async ({ params }) => channelJson(await channels.resume(params.id)), {
      parse: 'none',
      detail: operation('Resume a channel', 'What was cancelled can be replayed. Idempotent.', WRITTEN),
    })
    .get(
      '/api/channels/:id/deliveries',
      async ({ params, request }) => {
        const { id } = await channels.get(params.id)
        const { status, after, limit } = query(request, 'status', 'after', 'limit')
        const page = await readDeliveries(db, id, {
          status: oneOf('status', status, DELIVERY_STATUSES),
          after,
          limit: integerOf('limit', limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT,
        })
        return { items: page.items, next: page.next ?? null }
      },
      {
        detail: operation(
          'What was sent',
          'The newest first, each with its attempts; `next` is the `after` of the next page.',
          {
            parameters: [{ name: 'status', schema: words(DELIVERY_STATUSES) }, 'after', 'limit'],
            answers: json(pageOf(answers.Delivery)),
          },
        ),
      },
    )
    .post(
      '/api/deliveries/:id/replay',
      async ({ params }) => {
        const { id, channelId } = await replay(
          { db, control: deps.deliveryControl, now: deps.now },
          params.id,
        )
        return Response.json({ id, channelId, status: 'pending' }, { status: 202 })
      },
      {
        parse: 'none',
        detail: operation(
          'Send a delivery again',
          'One that has ended, under the same id: receivers can tell.',
          { answers: json(answers.Replayed, 202), problems: ['conflict'] },
        ),
      },
    )
    .post(
      '/api/streams/:id/notify',
      async ({ params, request }) => {
        const text = checkNotify(await readJson(request))
        const { id, name } = await deps.streams.get(params.id)
        const stream = { id, name, url: `${deps.self()}/streams/${id}` }
        return status(202, await notifyResponsible(deps, stream, text))
      },
      {
        ...typed<{ body: { message: string } }>(),
        parse: 'none',
        detail: operation(
          'Notify the people responsible for a stream',
          'Its own channels, else those with one of its tags, else the default ones. Answers which, with the ids of ' +
            'the deliveries.',
          {
            body: NotifySchema,
            example: { message: 'Please look at it' },
            answers: json(answers.Notified, 202),
            problems: ['conflict'],
          },
        ),
      },
    )

  async function tested(channelId: string, request: Request) {
    const text = await readText(request, MAX_TEST_BYTES)
    const message =
      text.trim() === ''
        ? TEST_TEXT
        : checkNotify(await readJson(new Request(request.url, { method: 'POST', body: text })))
    const channel = await channels.get(channelId)
    const { deliveryId, durationMs, outcome, ...exchange } = await tryChannel(
      deps,
      channel,
      message,
      `${deps.self()}/channels/${channel.id}`,
    )
    return {
      deliveryId,
      result: outcome.result === 'delivered' ? 'delivered' : 'failed',
      error: outcome.result === 'delivered' ? null : outcome.error,
      durationMs,
      request: exchange.request ?? null,
      response: exchange.response ?? null,
    }
  }
}

/** A channel that was just written, as the API shows it. */
function channelJson(channel: Channel) {
  const { lastDelivery: _unknown, ...shown } = viewOf(channel, null)
  return shown
}
