import type { ChannelView } from '../../src/channels/channels.ts'
import type { DeliveryStatus } from '../../src/channels/deliveries.ts'
import { Ago } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { ChannelForm, type ChannelFormData } from './channel-form.tsx'

export interface ChannelRow extends Pick<ChannelView, 'id' | 'name' | 'target' | 'tags' | 'isDefault'> {
  /** Of its kind. */
  label: string
  /** How many streams name the channel in `notify`. */
  namedBy: number
  suspendedReason: string | undefined
  last: { status: DeliveryStatus; at: Date; error: string | undefined } | undefined
}

export interface ChannelsPageData {
  rows: readonly ChannelRow[]
  kinds: readonly { name: string; label: string }[]
  form: ChannelFormData
}

export function ChannelsPage({ reader, rows, kinds, form }: ChannelsPageData & ForReader) {
  return (
    <Page reader={reader} title="Channels" section="/channels">
      <link rel="stylesheet" href="/assets/views/channels/channels.css" />
      <h1>Channels</h1>
      <Live href="/channels/live" />
      <ChannelsPanel rows={rows} />
      <section class="panel" aria-labelledby="add-heading">
        <h2 id="add-heading">Add channel</h2>
        <nav class="pills kinds" aria-label="Channel kinds">
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
    <section class="panel" id="channels" aria-label="Channels">
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
          <th scope="col">Target</th>
          <th scope="col">Notifies about</th>
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
      <td data-label="Target" class="mono wrap">
        {row.target}
      </td>
      <td data-label="Notifies about">
        <Responsible {...row} />
      </td>
      <td data-label="Last delivery">
        <LastDelivery {...row} />
      </td>
    </tr>
  )
}

/** The streams that a channel notifies about. */
export function Responsible({
  tags,
  isDefault,
  namedBy,
}: Pick<ChannelRow, 'tags' | 'isDefault' | 'namedBy'>) {
  if (tags.length === 0 && !isDefault && namedBy === 0) return <span class="muted">no streams</span>
  return (
    <>
      {tags.map((tag) => (
        <a class="tag" href={`/streams?tag=${encodeURIComponent(tag)}`}>
          {tag}
        </a>
      ))}
      {namedBy > 0 && (
        <span class="kind">{namedBy === 1 ? '1 stream by name' : `${namedBy} streams by name`}</span>
      )}
      {isDefault && <span class="kind">streams without another channel</span>}
    </>
  )
}

function LastDelivery({ last, suspendedReason }: Pick<ChannelRow, 'last' | 'suspendedReason'>) {
  return (
    <>
      {suspendedReason !== undefined && (
        <span class="status dead" title={suspendedReason}>
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

const BADGES: Record<DeliveryStatus, { mark: string; color: string }> = {
  delivered: { mark: '●', color: 'live' },
  pending: { mark: '↻', color: 'backing-off' },
  failed: { mark: '✕', color: 'dead' },
  cancelled: { mark: '■', color: 'stopped' },
}

/** The status of a delivery as text, mark and color: never color alone. */
export function DeliveryBadge({ status }: { status: DeliveryStatus }) {
  const { mark, color } = BADGES[status]
  return (
    <span class={`status ${color}`}>
      <span aria-hidden="true">{mark}</span> {status}
    </span>
  )
}

function NoChannels() {
  return (
    <p class="empty">
      No channels, so no one is notified. Add one below and make it the default or give it tags.
    </p>
  )
}
