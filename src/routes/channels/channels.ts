import { Elysia, status } from 'elysia'
import type { Bus } from '../../bus/bus.ts'
import { type Channel, type Channels, channelViewOf } from '../../channels/channels.ts'
import type { Deliverer } from '../../channels/deliverer.ts'
import { DELIVERY_STATUSES, readDeliveries, replay } from '../../channels/deliveries.ts'
import type { DeliveryControl, Notifier } from '../../channels/notifier.ts'
import { notifyResponsible, tryChannel } from '../../channels/notify.ts'
import {
  ChannelChangeSchema,
  ChannelSchema,
  checkChannel,
  checkChannelChange,
  NotifySchema,
} from '../../channels/registration.ts'
import type { Database } from '../../storage/storage.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { created, json, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/channels.ts'
import { listOf, pageOf } from '../answers/types.ts'
import { body, optionalBody } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { PAGES, pageSize } from '../http/parameters.ts'
import { choice, parameters } from '../http/query.ts'

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

/** Problems of a destination that can't be reached or isn't allowed. */
const TARGET = ['host_unknown', 'not_allowed'] as const
/** Largest page of deliveries: each has its attempts. */
const MAX_DELIVERIES = 200
const MAX_TEST_BYTES = 16_384
export const TEST_TEXT = 'Test message from Weir: notifications will arrive here.'

/** Channels, deliveries, and sending a notification by hand. */
export function channelRoutes(deps: ChannelRoutesDeps) {
  const { channels, db } = deps
  return new Elysia({ detail: { tags: ['Channels'] } })
    .post(
      '/api/channels',
      async ({ body }) => {
        const added = await channels.add(body)
        const headers = { Location: `/api/channels/${added.id}` }
        return Response.json(channelJson(added), { status: 201, headers })
      },
      {
        body: body(ChannelSchema, {
          check: checkChannel,
          example: {
            name: 'Night shift',
            kind: 'ntfy',
            config: { url: 'https://ntfy.sh/weir' },
            tags: ['shop'],
          },
        }),
        response: created(answers.WrittenChannel),
        detail: describe(
          'Create a channel',
          'Kinds: webhook {url, secret}, email {host, from, to, port?, security?, user?, password?}, slack {url}, ' +
            'discord {url}, ntfy {url, token?}. Secrets are never returned.',
          { problems: [...TARGET, 'conflict', 'too_many'] },
        ),
      },
    )
    .get('/api/channels', async () => ({ items: await channels.list() }), {
      response: json(listOf(answers.Channel)),
      detail: describe('List channels'),
    })
    .get('/api/channels/:id', ({ params }) => channels.view(params.id), {
      response: json(answers.Channel),
      detail: describe('Get a channel'),
    })
    .patch(
      '/api/channels/:id',
      async ({ params, body }) => channelJson(await channels.change(params.id, body)),
      {
        body: body(ChannelChangeSchema, { check: checkChannelChange, example: { tags: ['shop'] } }),
        response: json(answers.WrittenChannel),
        detail: describe(
          'Update a channel',
          'Omitted fields of `config` are kept. A new webhook secret turns the old one into `previousSecret`: ' +
            'messages are signed with both until you set it to null.',
          { problems: [...TARGET, 'conflict'] },
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
        response: NOTHING,
        detail: describe('Delete a channel', 'Also deletes its deliveries, including pending ones.'),
      },
    )
    .post('/api/channels/:id/test', ({ params, body }) => tested(params.id, body?.message ?? TEST_TEXT), {
      body: optionalBody(NotifySchema, { maxBytes: MAX_TEST_BYTES, example: { message: 'Test' } }),
      response: json(answers.Tried),
      detail: describe(
        'Send a test message',
        'Waits for the result and returns request, response and timing.',
      ),
    })
    .post(
      '/api/channels/:id/suspend',
      async ({ params }) => channelJson(await channels.suspend(params.id, 'Suspended manually.')),
      {
        response: json(answers.WrittenChannel),
        detail: describe('Suspend a channel', 'Cancels pending deliveries. Idempotent.'),
      },
    )
    .post('/api/channels/:id/resume', async ({ params }) => channelJson(await channels.resume(params.id)), {
      response: json(answers.WrittenChannel),
      detail: describe('Resume a channel', 'Cancelled deliveries can be replayed. Idempotent.'),
    })
    .get(
      '/api/channels/:id/deliveries',
      async ({ params, query }) => {
        const { id } = await channels.get(params.id)
        const page = await readDeliveries(db, id, query)
        return { items: page.items, next: page.next ?? null }
      },
      {
        query: parameters({
          status: choice(DELIVERY_STATUSES),
          ...PAGES,
          limit: pageSize(MAX_DELIVERIES),
        }),
        response: json(pageOf(answers.Delivery)),
        detail: describe('List deliveries', 'Newest first, each with its attempts.'),
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
        response: json(answers.Replayed, 202),
        detail: describe(
          'Replay a delivery',
          'Only for finished deliveries. The ID stays the same, so receivers can detect duplicates.',
          { problems: ['conflict'] },
        ),
      },
    )
    .post(
      '/api/streams/:id/notify',
      async ({ params, body }) => {
        const { id, name } = await deps.streams.get(params.id)
        const stream = { id, name, url: `${deps.self()}/streams/${id}` }
        return status(202, await notifyResponsible(deps, stream, body.message))
      },
      {
        body: body(NotifySchema, { example: { message: 'Please check' } }),
        response: json(answers.Notified, 202),
        detail: describe(
          'Send a notification about a stream',
          "Goes to the stream's own channels, otherwise to channels with one of its tags, otherwise to the default " +
            'channels. Returns the channels with their delivery IDs.',
          { problems: ['conflict'] },
        ),
      },
    )

  async function tested(channelId: string, message: string) {
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
  const { lastDelivery: _unknown, ...shown } = channelViewOf(channel, null)
  return shown
}
