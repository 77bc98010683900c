import { bytes } from '../layout/format.tsx'

export interface EntryRow {
  streamId: string
  seq: number
  at: Date
  kind: string
  event: string | undefined
  changed: boolean | undefined
  status: number | undefined
  wireBytes: number
  bodyBytes: number
  patchBytes: number | undefined
  /** The first characters of what it holds. */
  preview: string
}

/** Which lines are shown, as the address of the page has it. */
export interface LogFilterView {
  kind: string | undefined
  q: string | undefined
}

export interface LogData {
  streamId: string
  lines: readonly EntryRow[]
  filter: LogFilterView
  /** Link to a page of older entries; left out where there are none. */
  older: string | undefined
  /** The last entry that was looked at, where a search ended before it had enough lines. */
  searchedTo: number | undefined
}

/** Kinds of entries to choose from: alone, and as people think of them. */
const KINDS = [
  ['', 'Everything'],
  ['snapshot,patch', 'Changes'],
  ['error,gap', 'Errors and gaps'],
  ['event', 'Events'],
  ['snapshot', 'Snapshots'],
  ['patch', 'Patches'],
  ['exchange', 'Exchanges'],
  ['error', 'Errors'],
  ['gap', 'Gaps'],
] as const

/** The log with its filter; new lines come in front by themselves. */
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
            <input type="search" name="q" value={filter.q} maxlength={200} placeholder="Text in an entry" />
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
              ? 'No entry matches so far: the next one that does appears here by itself.'
              : 'Nothing yet: the first entry appears here by itself.'}
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

/** Lines to put behind those that are there, and the link to the ones after them. */
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

/** Leads to a page of older entries; with script they come into this one. */
function OlderLink({ older, searchedTo }: Pick<LogData, 'older' | 'searchedTo'>) {
  return (
    <p id="older" class="paging">
      {searchedTo !== undefined && <span class="muted">Searched back to entry {searchedTo}. </span>}
      {older && (
        <a href={older} hx-get={older} hx-target="#log" hx-swap="beforeend">
          {searchedTo === undefined ? 'Older entries' : 'Search on'}
        </a>
      )}
    </p>
  )
}

/** One line of the log; opened, it fetches its request and response. */
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
          <span class="entry-kind">{entry.kind}</span>
          {entry.event && <span class="tag">{entry.event}</span>}
          {entry.status !== undefined && <span class="mono">{entry.status}</span>}
          <Change changed={entry.changed} />
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

/** Stands for entries that a page missed and that are too many to be sent after it. */
export function LogHole({ streamId, from, to }: { streamId: string; from: number; to: number }) {
  return (
    <li id={`hole-${from}`} class="entry gap">
      While this page was away, entries {from} to {to} came:{' '}
      <a href={`/streams/${streamId}?before=${to + 1}`}>read them</a>
    </li>
  )
}

function Change({ changed }: { changed: boolean | undefined }) {
  if (changed === undefined) return <span class="change" />
  return <span class="change">{changed ? 'changed' : 'same'}</span>
}
