import { Ago } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { ChannelForm, type ChannelFormData } from './channel-form.tsx'

export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'cancelled'

export interface ChannelRow {
  id: string
  name: string
  label: string
  target: string
  tags: readonly string[]
  isDefault: boolean
  /** How many streams name it themselves. */
  namedBy: number
  suspendedReason: string | undefined
  last: { status: DeliveryStatus; at: Date; error: string | undefined } | undefined
}

export interface ChannelsPageData {
  rows: readonly ChannelRow[]
  kinds: readonly { name: string; label: string }[]
  form: ChannelFormData
}

export function ChannelsPage({ rows, kinds, form }: ChannelsPageData) {
  return (
    <Page title="Channels" section="/channels">
      <link rel="stylesheet" href="/assets/views/channels/channels.css" />
      <h1>Channels</h1>
      <Live href="/channels/live" />
      <ChannelsPanel rows={rows} />
      <section class="panel" aria-labelledby="add-heading">
        <h2 id="add-heading">Add a channel</h2>
        <nav class="verdicts kinds" aria-label="Kinds of channels">
          {kinds.map(({ name, label }) => (
            <a
              href={`/channels?kind=${name}#add-heading`}
              aria-current={name === form.kind ? 'true' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
        <ChannelForm {...form} action="/channels" button="Add" />
      </section>
    </Page>
  )
}

/** All channels: on the first page and in every live update. */
export function ChannelsPanel({ rows }: { rows: readonly ChannelRow[] }) {
  return (
    <section class="panel" id="channels" aria-label="Where notifications go">
      {rows.length === 0 ? <NoChannels /> : <ChannelsTable rows={rows} />}
    </section>
  )
}

function ChannelsTable({ rows }: { rows: readonly ChannelRow[] }) {
  return (
    <table class="streams channels">
      <thead>
        <tr>
          <th scope="col">Channel</th>
          <th scope="col">Sends to</th>
          <th scope="col">Responsible for</th>
          <th scope="col">Last delivery</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <ChannelTableRow {...row} />
        ))}
      </tbody>
    </table>
  )
}

export function ChannelTableRow(row: ChannelRow) {
  return (
    <tr id={`channel-${row.id}`}>
      <th scope="row">
        <a href={`/channels/${row.id}`}>{row.name}</a>
        <span class="kind">{row.label}</span>
      </th>
      <td data-label="Sends to" class="mono wrap">
        {row.target}
      </td>
      <td data-label="Responsible for">
        <Responsible {...row} />
      </td>
      <td data-label="Last delivery">
        <LastDelivery {...row} />
      </td>
    </tr>
  )
}

/** Whom a channel tells about. */
export function Responsible({
  tags,
  isDefault,
  namedBy,
}: Pick<ChannelRow, 'tags' | 'isDefault' | 'namedBy'>) {
  if (tags.length === 0 && !isDefault && namedBy === 0) return <span class="muted">nothing yet</span>
  return (
    <>
      {tags.map((tag) => (
        <a class="tag" href={`/streams?tag=${encodeURIComponent(tag)}`}>
          {tag}
        </a>
      ))}
      {namedBy > 0 && (
        <span class="kind">{namedBy === 1 ? '1 stream names it' : `${namedBy} streams name it`}</span>
      )}
      {isDefault && <span class="kind">all that nobody else is responsible for</span>}
    </>
  )
}

function LastDelivery({ last, suspendedReason }: Pick<ChannelRow, 'last' | 'suspendedReason'>) {
  return (
    <>
      {suspendedReason !== undefined && (
        <span class="verdict dead" title={suspendedReason}>
          <span aria-hidden="true">■</span> suspended{' '}
        </span>
      )}
      {last === undefined ? (
        <span class="muted">none yet</span>
      ) : (
        <>
          <DeliveryBadge status={last.status} /> <Ago at={last.at} />
          {last.error !== undefined && <span class="reason">{last.error}</span>}
        </>
      )}
    </>
  )
}

const BADGES: Record<DeliveryStatus, { mark: string; colour: string }> = {
  delivered: { mark: '●', colour: 'live' },
  pending: { mark: '↻', colour: 'backing-off' },
  failed: { mark: '✕', colour: 'dead' },
  cancelled: { mark: '■', colour: 'stopped' },
}

/** What became of a delivery as text, mark and colour: never colour alone. */
export function DeliveryBadge({ status }: { status: DeliveryStatus }) {
  const { mark, colour } = BADGES[status]
  return (
    <span class={`verdict ${colour}`}>
      <span aria-hidden="true">{mark}</span> {status}
    </span>
  )
}

function NoChannels() {
  return (
    <p class="empty">
      Nobody is told of anything yet: add a channel below, and make it the default or give it tags.
    </p>
  )
}
