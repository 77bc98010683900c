import type { BulkReport } from '../../src/routes/streams/bulk.ts'
import type { BulkAction } from '../../src/streams/registry/bulk.ts'
import { Curl } from '../layout/curl.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { type ListedAs, listLink, onlyFilter } from './links.ts'

/** Bulk actions, with the label of the button or command, and the word in the report. */
const ACTIONS = {
  start: { label: 'Start', done: 'Started' },
  stop: { label: 'Stop', done: 'Stopped' },
  tag: { label: 'Add tag', done: 'Tagged' },
  untag: { label: 'Remove tag', done: 'Untagged' },
  deadAfter: { label: 'Set dead after', done: 'Changed' },
  delete: { label: 'Delete…', done: 'Deleted' },
} as const satisfies Record<BulkAction, { label: string; done: string }>

/** Applies one action to all selected rows: their checkboxes belong to this form. */
export function BulkBar({ total, filter }: { total: number; filter: ListedAs }) {
  return (
    <form id="bulk" class="bulk" method="post" action="/streams/bulk" aria-label="Bulk actions">
      <input type="hidden" name="filter" value={queryOf(filter)} />
      <input type="hidden" name="total" value={String(total)} />
      <label class="check">
        <input type="checkbox" name="all" value="yes" />
        <span>
          All <span id="bulk-total">{total.toLocaleString('en')}</span> matching
        </span>
      </label>
      <Action name="start" />
      <Action name="stop" />
      <span class="tagging">
        <input name="tag" aria-label="Tag to add or remove" placeholder="Tag" maxlength={64} />
        <Action name="tag" />
        <Action name="untag" />
      </span>
      <Action name="delete" />
      <details class="curls needs-script">
        <summary>curl</summary>
        {(Object.keys(ACTIONS) as BulkAction[]).map((name) => (
          <BulkCurl name={name} />
        ))}
      </details>
      <p id="bulk-result" role="status" />
      <progress id="bulk-progress" aria-label="Progress" max="1" value="0" hidden />
    </form>
  )
}

function Action({ name }: { name: BulkAction }) {
  return (
    <button type="submit" name="action" value={name}>
      {ACTIONS[name].label}
    </button>
  )
}

/** The action for the selected streams, or for all that match the filter. */
function BulkCurl({ name }: { name: BulkAction }) {
  const which = { ids: '{all:id?!all}', filter: '{query:filter?all}' }
  const tag = name === 'tag' || name === 'untag' ? { tag: '{tag}' } : {}
  const deadAfter = name === 'deadAfter' ? { deadAfterFailures: 3, deadAfterMs: 60_000 } : {}
  const atMost = name === 'delete' ? { atMost: '{number:total?all}' } : {}
  const label = ACTIONS[name].label.replace('…', '')
  return (
    <Curl
      path="/api/streams/bulk"
      body={{ action: name, ...which, ...tag, ...deadAfter, ...atMost }}
      does={`selected streams: ${name}`}
      label={label}
    />
  )
}

export interface ConfirmProps {
  /** How many will be deleted. */
  count: number
  /** Either these IDs, or all that match. */
  ids: readonly string[]
  filter: ListedAs | undefined
}

/** Asks, on a page of its own, before streams are deleted. */
export function BulkConfirmPage({ reader, count, ids, filter }: ConfirmProps & ForReader) {
  return (
    <Page reader={reader} title="Delete streams" section="/streams">
      <h1>
        Delete {count.toLocaleString('en')} {count === 1 ? 'stream' : 'streams'}?
      </h1>
      <form class="panel stack" method="post" action="/streams/bulk">
        <p>Their logs and measures are deleted too. This can't be undone.</p>
        {ids.map((id) => (
          <input type="hidden" name="id" value={id} />
        ))}
        {filter && <input type="hidden" name="all" value="yes" />}
        <input type="hidden" name="filter" value={queryOf(filter ?? {})} />
        <input type="hidden" name="total" value={String(count)} />
        <input type="hidden" name="confirmed" value="yes" />
        <p class="actions">
          <button type="submit" name="action" value="delete">
            Delete {count.toLocaleString('en')}
          </button>
          <a class="button" href={listLink(filter ?? {})}>
            Cancel
          </a>
        </p>
      </form>
    </Page>
  )
}

/** The result, for browsers without script. */
export function BulkResultPage({
  reader,
  action,
  result,
  filter,
}: {
  action: BulkAction
  result: BulkReport
  filter: ListedAs
} & ForReader) {
  return (
    <Page reader={reader} title="Done" section="/streams">
      <h1>
        {ACTIONS[action].done} {result.changed.toLocaleString('en')} of {result.total.toLocaleString('en')}
      </h1>
      <section class="panel stack">
        {result.unchanged > 0 && <p>{result.unchanged.toLocaleString('en')} unchanged.</p>}
        {result.failed > 0 && <p class="error">{result.failed.toLocaleString('en')} failed:</p>}
        <ul>
          {result.failures.map(({ id, problem }) => (
            <li>
              <a href={`/streams/${id}`}>{id}</a>: {problem.detail}
            </li>
          ))}
        </ul>
        <p>
          <a href={listLink(filter)}>Back to the list</a>
        </p>
      </section>
    </Page>
  )
}

function queryOf(listed: ListedAs): string {
  return listLink(onlyFilter(listed)).split('?')[1] ?? ''
}
