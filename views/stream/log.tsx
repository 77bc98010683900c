import { ENTRY_KIND, ENTRY_KINDS, VERSION_KINDS } from '../../src/core/sets/entry-kinds.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { bytes } from '../layout/format.tsx'

export interface EntryRow
  extends Pick<Entry, 'streamId' | 'seq' | 'kind' | 'event' | 'changed' | 'wireBytes' | 'patchBytes'> {
  at: Date
  /** Of the response. */
  status: number | undefined
  /** Start of its data. */
  preview: string
}

/** Which entries are shown, as in the address of the page. */
export interface LogFilterView {
  kind: string | undefined
  q: string | undefined
}

export interface LogData {
  streamId: string
  lines: readonly EntryRow[]
  filter: LogFilterView
  /** Link to a page of older entries; omitted if there are none. */
  older: string | undefined
  /** The oldest entry searched, if the search ended before it filled the page. */
  searchedTo: number | undefined
}

/** Kinds of entries to choose from, also in useful groups. */
const KINDS = [
  ['', 'All entries'],
  [VERSION_KINDS.join(), 'Changes'],
  ['error,gap', 'Errors and gaps'],
  ...ENTRY_KINDS.map((kind) => [kind, ENTRY_KIND[kind].label] as const),
] as const

/** The log with its filter; new entries appear at the top. */
export function LogPanel(log: LogData) {
  const { streamId, filter, lines } = log
  const isFiltered = filter.kind !== undefined || filter.q !== undefined
  return (
    <section class="panel" id="log-panel" aria-labelledby="log-heading">
      <div class="heading log-heading">
        <h2 id="log-heading">Log</h2>
        {/* biome-ignore lint/a11y/useSemanticElements: search would be one more element between the form and what lays it out */}
        <form class="filter log-filter" method="get" action={`/streams/${streamId}`} role="search">
          <label>
            Show
            <select name="kind">
              {KINDS.map(([value, label]) => (
                <option value={value} selected={value === (filter.kind ?? '')}>
                  {label}
                </option>
              ))}
              {filter.kind !== undefined && !KINDS.some(([value]) => value === filter.kind) && (
                <option value={filter.kind} selected>
                  {filter.kind}
                </option>
              )}
            </select>
          </label>
          <label>
            Search
            <input type="search" name="q" value={filter.q} maxlength={200} placeholder="Text in entries" />
          </label>
          <button type="submit">Filter</button>
          {isFiltered && (
            <a class="button" href={`/streams/${streamId}`}>
              Show all
            </a>
          )}
          <button type="button" id="log-pause" aria-pressed="false" hidden>
            Pause
          </button>
          <span id="log-waiting" class="muted" role="status" />
        </form>
      </div>
      <ol id="log" class="log" data-keep="200" aria-label="Entries, newest first">
        {lines.length === 0 && (
          <li class="empty muted">
            {isFiltered
              ? 'No matching entries yet. New matches appear here.'
              : 'No entries yet. New entries appear here.'}
          </li>
        )}
        {lines.map((entry) => (
          <LogRow {...entry} />
        ))}
      </ol>
      <OlderLink {...log} />
    </section>
  )
}

/** Older entries to append to the log, and the link to the next ones. */
export function OlderLines(log: LogData) {
  return (
    <>
      {log.lines.map((entry) => (
        <LogRow {...entry} />
      ))}
      <hx-partial hx-target="#older" hx-swap="outerHTML">
        <OlderLink {...log} />
      </hx-partial>
    </>
  )
}

/** Leads to a page of older entries; with script, they are appended to this one. */
function OlderLink({ older, searchedTo }: Pick<LogData, 'older' | 'searchedTo'>) {
  return (
    <p id="older" class="paging">
      {searchedTo !== undefined && <span class="muted">Searched entries {searchedTo} and newer. </span>}
      {older && (
        <a href={older} hx-get={older} hx-target="#log" hx-swap="beforeend">
          {searchedTo === undefined ? 'Older entries' : 'Search older entries'}
        </a>
      )}
    </p>
  )
}

/** One entry of the log; opening it fetches its request and response. */
export function LogRow(entry: EntryRow) {
  const href = `/streams/${entry.streamId}/entries/${entry.seq}`
  return (
    <li id={`entry-${entry.seq}`} class={`entry ${entry.kind}`} data-seq={entry.seq}>
      <details>
        <summary hx-get={href} hx-target="next .detail" hx-swap="innerHTML" hx-trigger="click once">
          <span class="seq mono">{entry.seq}</span>
          <time class="mono" datetime={entry.at.toISOString()}>
            {entry.at.toISOString().slice(11, 23)}
          </time>
          <span class="entry-kind">{kindText(entry)}</span>
          {entry.event && <span class="tag">{entry.event}</span>}
          {entry.status !== undefined && <span class="mono">{entry.status}</span>}
          <Change {...entry} />
          <span class="number mono">{bytes(entry.wireBytes)}</span>
          <span class="preview mono">{entry.preview}</span>
        </summary>
        <div class="detail">
          <a href={href}>Open entry {entry.seq}</a>
        </div>
      </details>
    </li>
  )
}

/** Stands for entries that a page missed, if there are too many to send. */
export function LogHole({ streamId, from, to }: { streamId: string; from: number; to: number }) {
  return (
    <li id={`hole-${from}`} class="entry gap">
      Entries {from} to {to} arrived while this page was disconnected.{' '}
      <a href={`/streams/${streamId}?before=${to + 1}`}>Show them</a>
    </li>
  )
}

/** The page's word for an entry: an exchange is either an unchanged poll or another response. */
export function kindText({ kind, changed }: Pick<EntryRow, 'kind' | 'changed'>): string {
  if (kind !== 'exchange') return kind
  return changed === false ? 'unchanged' : 'response'
}

/** Empty if the kind already says it. */
function Change({ kind, changed }: Pick<EntryRow, 'kind' | 'changed'>) {
  if (changed === undefined || (kind === 'exchange' && !changed)) return <span class="change" />
  return <span class="change">{changed ? 'changed' : 'unchanged'}</span>
}
