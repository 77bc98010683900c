import { availabilityText } from '../../src/core/availability.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import type { Order, Sort } from '../../src/streams/registry/listing.ts'
import type { StreamStatus } from '../../src/streams/status/status.ts'
import { Ago, bytes, rate, StatusBadge } from '../layout/format.tsx'
import { live } from '../layout/live.tsx'
import { StartStop } from '../stream/start-stop.tsx'
import { isFiltered, type ListedAs, listLink } from './links.ts'
import { purposeLabel } from './purpose.tsx'

/** A stream as the table shows it. */
export interface StreamRow
  extends Pick<Stream, 'id' | 'name' | 'url' | 'kind' | 'tags' | 'desired' | 'createdAt'>,
    Pick<StreamStatus, 'status' | 'reason' | 'purpose' | 'availability'> {
  lastEventAt: Date | undefined
  /** Events (`sse`) or answered polls (`poll`), per minute. */
  perMinute: number
  /** The same for each minute of the last hour, oldest first, without the current minute. */
  lastHour: readonly number[]
  /** Received on the wire, per minute. */
  bytesPerMinute: number
  /** How often it changed in the last 24 hours, for the table and in full; null if nothing was compared. */
  changes: { brief: string; words: string } | null
}

export interface StreamsData {
  rows: readonly StreamRow[]
  listed: ListedAs
  /** As of when the availability is; omitted before it was first calculated. */
  availableAt: Date | undefined
  /** Streams that match, on all pages. */
  total: number
  /** Cursor of the next page; omitted on the last. */
  next: string | undefined
  isFirst: boolean
  /** URL of the live updates for these rows; its ID is unique to them. */
  live: { id: string; href: string }
}

interface Column {
  label: string
  sort: Sort
  /** The sort order after the first click. */
  first: Order
  class?: string
}

const COLUMNS: readonly Column[] = [
  { label: 'Stream', sort: 'name', first: 'asc', class: 'name' },
  { label: 'Status', sort: 'status', first: 'desc', class: 'status-column' },
  { label: 'Available', sort: 'availability', first: 'asc', class: 'number availability-column' },
  { label: 'Last event', sort: 'lastEvent', first: 'desc' },
  { label: 'Events/min', sort: 'perMinute', first: 'desc', class: 'number wide' },
  { label: 'Bytes/min', sort: 'bytes', first: 'desc', class: 'number' },
  { label: 'Change', sort: 'change', first: 'desc', class: 'number change-column' },
  { label: 'Registered', sort: 'created', first: 'desc', class: 'date-column' },
]

/** The table with its paging: the part that is refreshed when streams come or go. */
export function StreamsTable(data: StreamsData) {
  const { rows, listed, availableAt, total, next, isFirst } = data
  return (
    <>
      <div id={data.live.id} {...live(data.live.href)} hidden />
      {rows.length === 0 ? (
        <NoStreams isFiltered={isFiltered(listed)} isFirst={isFirst} />
      ) : (
        <table class="streams">
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <ColumnHead {...column} listed={listed} />
              ))}
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <StreamTableRow {...row} />
            ))}
          </tbody>
        </table>
      )}
      <p class="paging" data-total={total}>
        <span class="muted">
          {total.toLocaleString('en')} {total === 1 ? 'stream' : 'streams'}
        </span>
        {!isFirst && <a href={listLink(listed)}>First page</a>}
        {next && <a href={listLink(listed, next)}>Next page</a>}
        {availableAt && rows.length > 0 && (
          <span class="muted as-of">
            Availability of the last 24 h, as of <Ago at={availableAt} />
          </span>
        )}
      </p>
    </>
  )
}

/** One row, on the first page and in every live update. */
export function StreamTableRow(row: StreamRow) {
  return (
    <tr id={`stream-${row.id}`} data-status={row.status}>
      <th scope="row">
        <input
          type="checkbox"
          name="id"
          value={row.id}
          form="bulk"
          id={`choose-${row.id}`}
          aria-label={`Select ${row.name}`}
        />
        <a href={`/streams/${row.id}`}>{row.name}</a>
        <span class="kind">{row.kind}</span>
        {row.purpose && <span class="kind">{purposeLabel(row.purpose)}</span>}
        {row.tags.map((tag) => (
          <a class="tag" href={listLink({ tag })}>
            {tag}
          </a>
        ))}
        <span class="url" title={row.url}>
          {row.url}
        </span>
      </th>
      <td data-label="Status">
        <StatusBadge status={row.status} reason={row.reason} />
      </td>
      <td data-label="Available" class="number" title="In the last 24 hours">
        {availabilityText(row.availability)}
      </td>
      <td data-label="Last event">
        <Ago at={row.lastEventAt} isStop={false} />
      </td>
      <td data-label="Events/min" class="number">
        <LastHour values={row.lastHour} />
        <span class="figure">{rate(row.perMinute)}</span>
      </td>
      <td data-label="Bytes/min" class="number">
        <span class="figure">{bytes(row.bytesPerMinute)}</span>
      </td>
      <td data-label="Change" class="number">
        {row.changes === null ? (
          '–'
        ) : (
          <span class="figure" title={row.changes.words}>
            {row.changes.brief}
          </span>
        )}
      </td>
      <td data-label="Registered">
        <time datetime={row.createdAt.toISOString()}>{row.createdAt.toISOString().slice(0, 10)}</time>
      </td>
      <td class="actions">
        <StartStop
          id={row.id}
          name={row.name}
          desired={row.desired}
          target={`#stream-${row.id}`}
          from="table"
        />
      </td>
    </tr>
  )
}

function ColumnHead({ label, sort, first, class: className, listed }: Column & { listed: ListedAs }) {
  const isSorted = listed.sort === sort
  const order = isSorted ? (listed.order ?? first) : undefined
  const other = order === 'asc' ? 'desc' : 'asc'
  const href = listLink({ ...listed, sort, order: isSorted ? other : first })
  const words = order && (order === 'asc' ? 'ascending' : 'descending')
  return (
    <th scope="col" class={className} aria-sort={words}>
      {sort === 'name' && <input type="checkbox" id="choose-page" aria-label="Select this page" hidden />}
      <a href={href}>
        {label}
        {order && <span aria-hidden="true">{order === 'asc' ? ' ▲' : ' ▼'}</span>}
      </a>
    </th>
  )
}

/** Hidden from screen readers: the rate is next to it. */
function LastHour({ values }: { values: readonly number[] }) {
  const top = Math.max(...values, 1)
  const heights = values.map((value) => Math.round(14 - (value / top) * 12))
  // A level stretch is two points, however long it is.
  const isTurn = (y: number, x: number) => y !== heights[x - 1] || y !== heights[x + 1]
  const points = heights.flatMap((y, x) => (isTurn(y, x) ? `${x},${y}` : []))
  return (
    <svg class="last-hour" viewBox="0 0 59 15" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(' ')} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  )
}

function NoStreams({ isFiltered, isFirst }: { isFiltered: boolean; isFirst: boolean }) {
  if (isFiltered || !isFirst) {
    return (
      <p class="empty">
        {isFiltered ? 'No matching streams.' : 'No more streams.'} <a href="/streams">Show all</a>
      </p>
    )
  }
  return (
    <div class="empty">
      <p>
        No streams yet. Paste an API URL above, preview it and start it;{' '}
        <a href="/streams/import">import many</a>; or start the simulated services:
      </p>
      <pre>
        <code>bun run sim</code>
      </pre>
    </div>
  )
}
