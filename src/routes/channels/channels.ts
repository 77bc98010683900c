import { Elysia, status } from 'elysia'
import type { Bus } from '../../bus/bus.ts'
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
  bus: Bus
  streams: Streams
  channels: Channels
  notifier: Notifier
  deliverer: Deliverer
  deliveryControl: DeliveryControl
  /** Public URL of this Weir without a trailing slash, for links in messages. */
  self(): string
  now(): number
}

const WRITTEN = { answers: json(answers.WrittenChannel) }
/** Problems of a destination that can't be reached or isn't allowed. */
const TARGET = ['host_unknown', 'not_allowed'] as const
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 200
const MAX_TEST_BYTES = 16_384
export const TEST_TEXT = 'Test message from Weir: notifications will arrive here.'

/** Channels, deliveries, and sending a notification by hand. */
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
          'Create a channel',
          'Kinds: webhook {url, secret}, email {host, from, to, port?, security?, user?, password?}, slack {url}, ' +
            'discord {url}, ntfy {url, token?}. Secrets are never returned.',
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
      detail: operation('Get a channel', undefined, { answers: json(answers.Channel) }),
    })
    .patch(
      '/api/channels/:id',
      async ({ params, request }) =>
        channelJson(await channels.change(params.id, checkChannelChange(await readJson(request)))),
      {
        parse: 'none',
        detail: operation(
          'Update a channel',
          'Omitted fields of `config` are kept. A new webhook secret turns the old one into `previousSecret`: ' +
            'messages are signed with both until you set it to null.',
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
        detail: operation('Delete a channel', 'Also deletes its deliveries, including pending ones.', {
          answers: NOTHING,
        }),
      },
    )
    .post('/api/channels/:id/test', ({ params, request }) => tested(params.id, request), {
      parse: 'none',
      detail: operation(
        'Send a test message',
        'Waits for the result and returns request, response and timing.',
        {
          body: NotifySchema,
          example: { message: 'Test' },
          isOptional: true,
          answers: json(answers.Tried),
        },
      ),
    })
    .post(
      '/api/channels/:id/suspend',
      async ({ params }) => channelJson(await channels.suspend(params.id, 'Suspended manually.')),
      {
        parse: 'none',
        detail: operation('Suspend a channel', 'Cancels pending deliveries. Idempotent.', WRITTEN),
      },
    )
    .post('/api/channels/:id/resume', async ({ params }) => channelJson(await channels.resume(params.id)), {
      parse: 'none',
      detail: operation('Resume a channel', 'Cancelled deliveries can be replayed. Idempotent.', WRITTEN),
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
        detail: operation('List deliveries', 'Newest first, each with its attempts.', {
          parameters: [{ name: 'status', schema: words(DELIVERY_STATUSES) }, 'after', 'limit'],
          answers: json(pageOf(answers.Delivery)),
        }),
      },
    )
    .post(
      '/api/deliveries/:id/replay',
      async ({ params }) => {
        const { id, channelId } = await replay(
          { db, bus: deps.bus, control: deps.deliveryControl, now: deps.now },
          params.id,
        )
        return Response.json({ id, channelId, status: 'pending' }, { status: 202 })
      },
      {
        parse: 'none',
        detail: operation(
          'Replay a delivery',
          'Only for finished deliveries. The ID stays the same, so receivers can detect duplicates.',
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
          'Send a notification about a stream',
          "Goes to the stream's own channels, otherwise to channels with one of its tags, otherwise to the default " +
            'channels. Returns the channels with their delivery IDs.',
          {
            body: NotifySchema,
            example: { message: 'Please check' },
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

/** A channel that was just created or changed, for the API. */
function channelJson(channel: Channel) {
  const { lastDelivery: _unknown, ...shown } = viewOf(channel, null)
  return shown
}
