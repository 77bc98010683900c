import type { ChannelView } from '../../src/channels/channels.ts'
import type { DeliveryStatus } from '../../src/channels/deliveries.ts'
import { Curl } from '../layout/curl.tsx'

export interface NotifyData {
  streamId: string
  /** Channels that a message goes to, or went to. */
  responsible: readonly Pick<ChannelView, 'id' | 'name' | 'kind'>[]
  /** Responsible too, but suspended. */
  suspended: readonly Pick<ChannelView, 'id' | 'name'>[]
  /** What was typed, after an error. */
  message?: string
  error?: string
  /** The deliveries of the message. */
  sent?: readonly SentRow[]
}

export interface SentRow {
  deliveryId: string
  channelId: string
  channel: string
  status: DeliveryStatus
}

/** Sends a message to the channels responsible for a stream, and shows its deliveries. */
export function NotifyPanel(data: NotifyData) {
  const { streamId, responsible, suspended, message, error, sent } = data
  return (
    <section class="panel" id="notify" aria-labelledby="notify-heading">
      <h2 id="notify-heading">Notify</h2>
      <p class="muted">
        {responsible.length === 0 ? (
          <>
            This stream has no channel. <a href="/channels">Add a channel</a>, or choose one in the{' '}
            <a href={`/streams/${streamId}/edit#field-notify`}>stream's settings</a>.
          </>
        ) : (
          <>
            Sends to <ChannelLinks channels={responsible} />.
          </>
        )}
        {suspended.length > 0 && (
          <>
            {' '}
            Suspended: <ChannelLinks channels={suspended} />.
          </>
        )}
      </p>
      <form
        class="register"
        method="post"
        action={`/streams/${streamId}/notify`}
        hx-post={`/streams/${streamId}/notify`}
        hx-target="#notify"
        hx-swap="outerHTML"
        hx-disable="find button"
      >
        <label class="grow">
          Message
          <input
            id="notify-message"
            name="message"
            required
            maxlength={4_000}
            value={message ?? ''}
            aria-invalid={error === undefined ? undefined : 'true'}
            aria-describedby="notify-result"
            autocomplete="off"
          />
        </label>
        <button type="submit">Notify</button>
        <Curl
          path={`/api/streams/${streamId}/notify`}
          body={{ message: '{message}' }}
          does="send this message"
        />
      </form>
      <div id="notify-result" role="status">
        {error && <p class="error">{error}</p>}
        {sent && <SentList streamId={streamId} sent={sent} />}
      </div>
    </section>
  )
}

const DELIVERY_STATUSES: Record<SentRow['status'], [mark: string, color: string, text: string]> = {
  pending: ['◐', 'stalled', 'sending'],
  delivered: ['✓', 'live', 'delivered'],
  failed: ['✕', 'dead', 'failed'],
  cancelled: ['■', 'stopped', 'cancelled'],
}

/** The status of each delivery; refreshes while one is pending. */
export function SentList({ streamId, sent }: { streamId: string; sent: readonly SentRow[] }) {
  const isPending = sent.some(({ status }) => status === 'pending')
  const again = `/streams/${streamId}/notified?deliveries=${sent.map(({ deliveryId }) => deliveryId).join()}`
  return (
    <ul
      id="sent"
      class="sent"
      hx-get={isPending ? again : undefined}
      hx-trigger={isPending ? 'load delay:1s' : undefined}
      hx-swap={isPending ? 'outerHTML' : undefined}
    >
      {sent.map(({ channelId, channel, status }) => {
        const [mark, color, text] = DELIVERY_STATUSES[status]
        return (
          <li>
            <a href={`/channels/${channelId}`}>{channel}</a>{' '}
            <span class={`status ${color}`}>
              <span aria-hidden="true">{mark}</span> {text}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

function ChannelLinks({ channels }: { channels: readonly { id: string; name: string }[] }) {
  return (
    <>
      {channels.map(({ id, name }, index) => (
        <>
          {index > 0 && ', '}
          <a href={`/channels/${id}`}>{name}</a>
        </>
      ))}
    </>
  )
}
