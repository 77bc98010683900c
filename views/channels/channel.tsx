import type { DeliveryStatus, DeliveryView } from '../../src/channels/deliveries.ts'
import type { SendError, Sending } from '../../src/channels/kind.ts'
import { Curl } from '../layout/curl.tsx'
import { Ago } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { ChannelForm, type ChannelFormData } from './channel-form.tsx'
import { type ChannelRow, DeliveryBadge, Responsible } from './channels.tsx'

export interface AttemptRow extends Pick<Sending, 'durationMs' | 'request' | 'response'> {
  at: Date | undefined
  error: SendError | undefined
}

export interface DeliveryRow extends Pick<DeliveryView, 'id' | 'type' | 'status' | 'createdAt'> {
  title: string
  nextAttemptAt: Date | undefined
  attempts: readonly AttemptRow[]
}

export interface ChannelPageData extends DeliveriesData {
  form: ChannelFormData
  test: { text: string; result: AttemptRow | undefined; error: string | undefined }
  /** URL of its live updates. */
  live: string
}

export interface DeliveriesData {
  channel: ChannelRow
  deliveries: readonly DeliveryRow[]
  status: DeliveryStatus | undefined
  statuses: readonly DeliveryStatus[]
  /** Link to older deliveries; omitted where there are none. */
  older: string | undefined
}

export function ChannelPage({ reader, form, test, live, ...data }: ChannelPageData & ForReader) {
  const { channel } = data
  return (
    <Page reader={reader} title={channel.name} section="/channels">
      <link rel="stylesheet" href="/assets/views/channels/channels.css" />
      <Live href={live} />
      <section class="panel" aria-label="Channel">
        <ChannelState {...channel} />
        <details open={form.error !== undefined}>
          <summary>Edit</summary>
          <ChannelForm {...form} action={`/channels/${channel.id}`} button="Save" />
        </details>
      </section>
      <section class="panel" aria-labelledby="test-heading">
        <h2 id="test-heading">Test</h2>
        <TestForm {...test} id={channel.id} />
      </section>
      <DeliveriesPanel {...data} />
    </Page>
  )
}

/** The channel's state: on the first page and in every live update. */
export function ChannelState(channel: ChannelRow) {
  const path = `/channels/${channel.id}`
  const isSuspended = channel.suspendedReason !== undefined
  return (
    <div id="channel">
      <div class="heading">
        <div class="title">
          <h1>{channel.name}</h1>
          <p class="muted">
            {channel.label} to <span class="mono wrap">{channel.target}</span>
          </p>
        </div>
        <div class="actions">
          <form method="post" action={`${path}/${isSuspended ? 'resume' : 'suspend'}`}>
            <button type="submit">{isSuspended ? 'Resume' : 'Suspend'}</button>{' '}
            <Curl
              path={`/api${path}/${isSuspended ? 'resume' : 'suspend'}`}
              does={`${isSuspended ? 'resume' : 'suspend'} ${channel.name}`}
            />
          </form>
          <form
            method="post"
            action={`${path}/remove`}
            hx-post={`${path}/remove`}
            hx-confirm={`Remove ${channel.name} and its delivery log?`}
          >
            <button type="submit">Remove</button>{' '}
            <Curl method="DELETE" path={`/api${path}`} does={`remove ${channel.name}`} />
          </form>
        </div>
      </div>
      {isSuspended && (
        <p class="error" role="status">
          Suspended: no notifications are sent. {channel.suspendedReason}
        </p>
      )}
      <p>
        Notifies about <Responsible {...channel} />
      </p>
    </div>
  )
}

/** The channel's deliveries: on the first page and in every live update. */
export function DeliveriesPanel({ channel, deliveries, status, statuses, older }: DeliveriesData) {
  const path = `/channels/${channel.id}`
  return (
    <section class="panel" id="deliveries" aria-labelledby="deliveries-heading">
      <div class="heading">
        <h2 id="deliveries-heading">Deliveries</h2>
        <nav class="pills" aria-label="Deliveries by status">
          {statuses.map((each) => (
            <a
              href={each === status ? path : `${path}?status=${each}`}
              aria-current={each === status ? 'true' : undefined}
            >
              <DeliveryBadge status={each} />
            </a>
          ))}
        </nav>
      </div>
      {deliveries.length === 0 ? (
        <p class="empty">{status === undefined ? 'No deliveries.' : `No ${status} deliveries.`}</p>
      ) : (
        <ol class="log" aria-label="Deliveries, newest first">
          {deliveries.map((delivery) => (
            <DeliveryItem {...delivery} canReplay={channel.suspendedReason === undefined} />
          ))}
        </ol>
      )}
      {older && (
        <p class="paging">
          <a href={older}>Older deliveries</a>
        </p>
      )}
    </section>
  )
}

/** Sends a test and shows what went over the wire: next to the button with script, on a new page without. */
export function TestForm({ id, text, result, error }: ChannelPageData['test'] & { id: string }) {
  const path = `/channels/${id}/test`
  return (
    <div id="test">
      <form class="filter" method="post" action={path} hx-post={path} hx-target="#test" hx-swap="outerHTML">
        <label class="grow">
          Message
          <input name="message" required maxlength={2000} value={text} />
        </label>
        <button type="submit" class="primary">
          Send test
        </button>
        <Curl path={`/api${path}`} body={{ message: '{message}' }} does="send a test" />
      </form>
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {result && (
        <div class="detail" role="status">
          <Attempt {...result} />
        </div>
      )}
    </div>
  )
}

/** One delivery with its attempts. */
export function DeliveryItem({ canReplay, ...delivery }: DeliveryRow & { canReplay: boolean }) {
  const { id, status, attempts } = delivery
  return (
    <li class="entry" id={`delivery-${id}`}>
      <details>
        <summary>
          <time class="mono" datetime={delivery.createdAt.toISOString()}>
            {delivery.createdAt.toISOString().slice(0, 19).replace('T', ' ')}
          </time>
          <DeliveryBadge status={status} />
          <span class="tag">{delivery.type}</span>
          <span class="muted">{attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`}</span>
          {delivery.nextAttemptAt && status === 'pending' && (
            <span class="muted">
              next <Ago at={delivery.nextAttemptAt} />
            </span>
          )}
          <span class="preview">{delivery.title}</span>
        </summary>
        <div class="detail">
          <p class="muted mono wrap">{id}</p>
          {status !== 'pending' && canReplay && (
            <form method="post" action={`/deliveries/${id}/replay`}>
              <button type="submit">Resend</button>{' '}
              <Curl path={`/api/deliveries/${id}/replay`} does="resend this delivery" />
            </form>
          )}
          {attempts.length === 0 && <p class="muted">No attempts.</p>}
          {attempts.map((attempt, index) => (
            <section>
              <h3>
                Attempt {index + 1}, <Ago at={attempt.at} />
              </h3>
              <Attempt {...attempt} />
            </section>
          ))}
        </div>
      </details>
    </li>
  )
}

function Attempt({ durationMs, request, response, error }: AttemptRow) {
  return (
    <>
      <p class={error ? 'error' : 'delivered'}>
        {error ? (
          <>
            <code>{error.code}</code> {error.message}
          </>
        ) : (
          'Delivered.'
        )}{' '}
        <span class="muted">after {durationMs} ms</span>
      </p>
      {request && (
        // biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields
        <pre role="group" aria-label="Request" tabindex={0}>
          {`${request.method} ${request.url}\n${headerLines(request.headers)}\n\n${request.body}`}
        </pre>
      )}
      {response && (
        // biome-ignore lint/a11y/useSemanticElements: it scrolls, and holds no fields
        <pre role="group" aria-label="Response" tabindex={0}>
          {`${response.status}\n${headerLines(response.headers)}\n\n${response.body}`}
        </pre>
      )}
    </>
  )
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}
