import { Curl } from '../layout/curl.tsx'

export interface NotifyData {
  streamId: string
  /** Who would be told, or was. */
  responsible: readonly { id: string; name: string; kind: string }[]
  /** Responsible too, but suspended. */
  suspended: readonly { id: string; name: string }[]
  /** What was typed, after a mistake. */
  message?: string
  error?: string
  /** What became of the message. */
  sent?: readonly SentRow[]
}

export interface SentRow {
  deliveryId: string
  channelId: string
  channel: string
  status: 'pending' | 'delivered' | 'failed' | 'cancelled'
}

/** Tells the people responsible for a stream something now: a message, who gets it, what became of it. */
export function NotifyPanel(data: NotifyData) {
  const { streamId, responsible, suspended, message, error, sent } = data
  return (
    <section class="panel" id="notify" aria-labelledby="notify-heading">
      <h2 id="notify-heading">Notify</h2>
      <p class="muted">
        {responsible.length === 0 ? (
          <>
            Nobody is responsible for this stream: <a href="/channels">add a channel</a>, or name one in the{' '}
            <a href={`/streams/${streamId}/edit#field-notify`}>stream's settings</a>.
          </>
        ) : (
          <>
            Goes to <ChannelLinks channels={responsible} />.
          </>
        )}
        {suspended.length > 0 && (
          <>
            {' '}
            Suspended, not told: <ChannelLinks channels={suspended} />.
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

const STATUSES: Record<SentRow['status'], [mark: string, verdict: string, text: string]> = {
  pending: ['◐', 'stalled', 'on its way'],
  delivered: ['✓', 'live', 'delivered'],
  failed: ['✕', 'dead', 'failed'],
  cancelled: ['■', 'stopped', 'cancelled'],
}

/** How each delivery went; asks again while one is on its way. */
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
        const [mark, verdict, text] = STATUSES[status]
        return (
          <li>
            <a href={`/channels/${channelId}`}>{channel}</a>{' '}
            <span class={`verdict ${verdict}`}>
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
