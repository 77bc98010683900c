import { arrayContains, or, sql } from 'drizzle-orm'
import { Elysia } from 'elysia'
import { streams } from '../../../drizzle/schema.ts'
import {
  type AttemptRow,
  ChannelPage,
  type ChannelPageData,
  ChannelState,
  type DeliveriesData,
  DeliveriesPanel,
  Delivery,
  TestForm,
} from '../../../views/channels/channel.tsx'
import {
  type ChannelRow,
  ChannelsPage,
  ChannelsPanel,
  ChannelTableRow,
} from '../../../views/channels/channels.tsx'
import type { ChannelView } from '../../channels/channels.ts'
import {
  type AttemptView,
  DELIVERY_STATUSES,
  type DeliveryView,
  readDeliveries,
  replay,
} from '../../channels/deliveries.ts'
import type { Sending } from '../../channels/kind.ts'
import { type AnyKind, KIND_NAMES, KINDS, kindOf } from '../../channels/kinds.ts'
import { tryChannel } from '../../channels/notify.ts'
import { checkChannel, checkChannelChange, checkNotify, knownKind } from '../../channels/registration.ts'
import { Problem } from '../../errors.ts'
import { html } from '../http/html.ts'
import { oneOf, query, readForm } from '../http/input.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LivePart } from '../live/live-views.tsx'
import { channelForm, channelInput, type FormState } from './channel-form.ts'
import { type ChannelRoutesDeps, TEST_TEXT } from './channels.ts'

const PAGE_ROWS = 30
const [FIRST_KIND] = KINDS

/** The pages of channels, and what their forms ask for. */
export function channelPages(deps: ChannelRoutesDeps & { pages: LivePages }) {
  const { channels, db, pages } = deps
  const written = { parse: 'none' } as const
  return new Elysia({ detail: { hide: true } })
    .get('/channels', ({ request }) => {
      const { kind } = query(request, 'kind')
      return listPage(kindOf(oneOf('kind', kind, KIND_NAMES) ?? '') ?? (FIRST_KIND as AnyKind), {})
    })
    .post(
      '/channels',
      async ({ request }) => {
        const values = await readForm(request)
        const kind = knownKind(values.kind ?? '')
        try {
          const added = await channels.add(
            checkChannel({ kind: kind.name, ...channelInput(kind, values, true) }),
          )
          return redirect(`/channels/${added.id}`)
        } catch (error) {
          return listPage(kind, { values, error: told(error) }, (error as Problem).status)
        }
      },
      written,
    )
    .get('/channels/live', ({ request, server }) => {
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['channels'], read: listParts })
    })
    .get('/channels/:id/live', async ({ params, request, server }) => {
      const { id } = await channels.get(params.id)
      const asked = deliveriesAsked(request)
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['channels'], read: () => channelParts(id, asked) })
    })
    .get('/channels/:id', async ({ params, request }) =>
      html(<ChannelPage {...(await pageData(params.id, request, {}))} />),
    )
    .post(
      '/channels/:id',
      async ({ params, request }) => {
        const values = await readForm(request)
        const { kind } = await channels.get(params.id)
        try {
          await channels.change(params.id, checkChannelChange(channelInput(knownKind(kind), values, false)))
          return redirect(`/channels/${params.id}`)
        } catch (error) {
          const data = await pageData(params.id, bare(request), { values, error: told(error) })
          return html(<ChannelPage {...data} />, { status: (error as Problem).status })
        }
      },
      written,
    )
    .post('/channels/:id/test', ({ params, request }) => test(params.id, request), written)
    .post(
      '/channels/:id/suspend',
      async ({ params }) => {
        await channels.suspend(params.id, 'Suspended on request.')
        return redirect(`/channels/${params.id}`)
      },
      written,
    )
    .post(
      '/channels/:id/resume',
      async ({ params }) => {
        await channels.resume(params.id)
        return redirect(`/channels/${params.id}`)
      },
      written,
    )
    .post(
      '/channels/:id/remove',
      async ({ params, request }) => {
        await channels.remove(params.id)
        if (!request.headers.has('hx-request')) return redirect('/channels')
        return new Response(null, { headers: { 'HX-Redirect': '/channels' } })
      },
      written,
    )
    .post(
      '/deliveries/:id/replay',
      async ({ params }) => {
        const { channelId } = await replay({ db, control: deps.deliveryControl, now: deps.now }, params.id)
        return redirect(`/channels/${channelId}`)
      },
      written,
    )

  async function listPage(kind: AnyKind, state: FormState, status = 200): Promise<Response> {
    return html(<ChannelsPage rows={await listRows()} kinds={KINDS} form={channelForm(kind, state)} />, {
      status,
    })
  }

  async function listRows(): Promise<ChannelRow[]> {
    const list = await channels.list()
    return Promise.all(list.map(rowOf))
  }

  async function listParts(): Promise<LivePart[]> {
    const rows = await listRows()
    return [
      {
        id: 'channels',
        html: String(<ChannelsPanel rows={rows} />),
        rows: rows.map((row) => [`channel-${row.id}`, String(<ChannelTableRow {...row} />)]),
      },
    ]
  }

  async function pageData(id: string, request: Request, state: FormState): Promise<ChannelPageData> {
    const asked = deliveriesAsked(request)
    const channel = await channels.view(id)
    return {
      ...(await deliveriesData(channel, asked)),
      form: channelForm(knownKind(channel.kind), state, channel),
      test: { text: TEST_TEXT, result: undefined, error: undefined },
      live: deliveriesLink(`/channels/${id}/live`, asked),
    }
  }

  async function deliveriesData(
    channel: ChannelView,
    { status, after }: DeliveriesAsked,
  ): Promise<DeliveriesData> {
    const page = await readDeliveries(db, channel.id, { status, after, limit: PAGE_ROWS })
    return {
      channel: await rowOf(channel),
      deliveries: page.items.map(deliveryRow),
      status,
      statuses: DELIVERY_STATUSES,
      older: page.next && deliveriesLink(`/channels/${channel.id}`, { status, after: page.next }),
    }
  }

  async function channelParts(id: string, asked: DeliveriesAsked): Promise<LivePart[]> {
    const data = await deliveriesData(await channels.view(id), asked)
    const canReplay = data.channel.suspendedReason === undefined
    return [
      { id: 'channel', html: String(<ChannelState {...data.channel} />) },
      {
        id: 'deliveries',
        html: String(<DeliveriesPanel {...data} />),
        rows: data.deliveries.map((delivery) => [
          `delivery-${delivery.id}`,
          String(<Delivery {...delivery} canReplay={canReplay} />),
        ]),
      },
    ]
  }

  async function test(id: string, request: Request): Promise<Response> {
    const { message = '' } = await readForm(request)
    const channel = await channels.get(id)
    const outcome = {
      text: message,
      result: undefined as AttemptRow | undefined,
      error: undefined as string | undefined,
    }
    try {
      const url = `${deps.self()}/channels/${id}`
      outcome.result = triedRow(await tryChannel(deps, channel, checkNotify({ message }), url))
    } catch (error) {
      outcome.error = told(error).detail
    }
    const status = outcome.error === undefined ? 200 : 422
    if (request.headers.has('hx-request')) return html(<TestForm id={id} {...outcome} />, { status })
    const data = await pageData(id, bare(request), {})
    return html(<ChannelPage {...data} test={outcome} />, { status })
  }

  async function rowOf(channel: ChannelView): Promise<ChannelRow> {
    const { id, name, kind, target, tags, isDefault, suspendedAt, suspendedReason, lastDelivery } = channel
    const [named] = await db
      .select({ count: sql`count(*)`.mapWith(Number) })
      .from(streams)
      .where(or(arrayContains(streams.notify, [id]), arrayContains(streams.notify, [name])))
    return {
      id,
      name,
      label: kindOf(kind)?.label ?? kind,
      target,
      tags,
      isDefault,
      namedBy: named?.count ?? 0,
      suspendedReason: suspendedAt === null ? undefined : (suspendedReason ?? ''),
      last: lastDelivery
        ? {
            status: lastDelivery.status,
            at: new Date(lastDelivery.at),
            error: lastDelivery.status === 'delivered' ? undefined : lastDelivery.error?.message,
          }
        : undefined,
    }
  }
}

interface DeliveriesAsked {
  status: (typeof DELIVERY_STATUSES)[number] | undefined
  after: string | undefined
}

function deliveriesAsked(request: Request): DeliveriesAsked {
  const { status, after } = query(request, 'status', 'after')
  return { status: oneOf('status', status, DELIVERY_STATUSES), after }
}

function deliveriesLink(path: string, { status, after }: DeliveriesAsked): string {
  const asked = new URLSearchParams({ ...(status && { status }), ...(after && { after }) }).toString()
  return asked === '' ? path : `${path}?${asked}`
}

/** What is wrong with a form; bugs are thrown on. */
function told(error: unknown): { field: string | undefined; detail: string } {
  if (!(error instanceof Problem)) throw error
  return { field: error.field, detail: error.detail }
}

function deliveryRow({ message, nextAttemptAt, attempts, ...delivery }: DeliveryView) {
  return {
    ...delivery,
    title: message.title,
    nextAttemptAt: nextAttemptAt ?? undefined,
    attempts: attempts.map(attemptRow),
  }
}

function attemptRow({ at, durationMs, request, response, error }: AttemptView): AttemptRow {
  const isKnown = request.method !== undefined
  return {
    at,
    durationMs,
    request: isKnown ? (request as AttemptRow['request']) : undefined,
    response: response ?? undefined,
    error: error ?? undefined,
  }
}

function triedRow({ durationMs, request, response, outcome }: Sending): AttemptRow {
  const error = outcome.result === 'delivered' ? undefined : outcome.error
  return { at: undefined, durationMs, request, response, error }
}

/** The request without the query that its page doesn't know. */
function bare(request: Request): Request {
  return new Request(new URL(new URL(request.url).pathname, request.url))
}

function redirect(to: string): Response {
  return new Response(null, { status: 303, headers: { Location: to } })
}
