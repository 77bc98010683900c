import { Curl } from '../layout/curl.tsx'
import { Page } from '../layout/layout.tsx'
import { filterOf, type ListedAs, listLink } from './links.ts'

/** What can be done with many: the word on the button, and in the report. */
const ACTIONS = {
  start: { label: 'Start', done: 'Started' },
  stop: { label: 'Stop', done: 'Stopped' },
  tag: { label: 'Add tag', done: 'Tagged' },
  untag: { label: 'Remove tag', done: 'Untagged' },
  delete: { label: 'Delete…', done: 'Deleted' },
} as const
export type BulkName = keyof typeof ACTIONS

export interface BulkResult {
  total: number
  changed: number
  unchanged: number
  failed: number
  failures: readonly { id: string; problem: { detail: string } }[]
}

/** Does the same with all rows that are chosen: their checkboxes belong to this form. */
export function BulkBar({ total, filter }: { total: number; filter: ListedAs }) {
  return (
    <form id="bulk" class="bulk" method="post" action="/streams/bulk" aria-label="With those chosen">
      <input type="hidden" name="filter" value={queryOf(filter)} />
      <input type="hidden" name="total" value={String(total)} />
      <label class="check">
        <input type="checkbox" name="all" value="yes" />
        <span>
          All <span id="bulk-total">{total.toLocaleString('en')}</span> that match
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
        {(Object.keys(ACTIONS) as BulkName[]).map((name) => (
          <BulkCurl name={name} />
        ))}
      </details>
      <p id="bulk-result" role="status" />
      <progress id="bulk-progress" aria-label="Streams done" max="1" value="0" hidden />
    </form>
  )
}

function Action({ name }: { name: BulkName }) {
  return (
    <button type="submit" name="action" value={name}>
      {ACTIONS[name].label}
    </button>
  )
}

/** What is done with those chosen now, or with all that match the filter. */
function BulkCurl({ name }: { name: BulkName }) {
  const which = { ids: '{all:id?!all}', filter: '{query:filter?all}' }
  const tag = name === 'tag' || name === 'untag' ? { tag: '{tag}' } : {}
  const atMost = name === 'delete' ? { atMost: '{number:total?all}' } : {}
  const label = ACTIONS[name].label.replace('…', '')
  return (
    <Curl
      path="/api/streams/bulk"
      body={{ action: name, ...which, ...tag, ...atMost }}
      does={`with those chosen: ${name}`}
      label={label}
    />
  )
}

export interface ConfirmProps {
  /** How many are to be deleted. */
  count: number
  /** Either these, or all that match. */
  ids: readonly string[]
  filter: ListedAs | undefined
}

/** Asks, on a page of its own, before streams are deleted. */
export function BulkConfirmPage({ count, ids, filter }: ConfirmProps) {
  return (
    <Page title="Delete streams" section="/streams">
      <h1>
        Delete {count.toLocaleString('en')} {count === 1 ? 'stream' : 'streams'}?
      </h1>
      <form class="panel stack" method="post" action="/streams/bulk">
        <p>Everything that was recorded of them goes, too, and doesn't come back.</p>
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
            Keep them
          </a>
        </p>
      </form>
    </Page>
  )
}

/** What was done, for whom there is no script to say it beside the list. */
export function BulkResultPage({
  action,
  result,
  filter,
}: {
  action: BulkName
  result: BulkResult
  filter: ListedAs
}) {
  return (
    <Page title="Done" section="/streams">
      <h1>
        {ACTIONS[action].done} {result.changed.toLocaleString('en')} of {result.total.toLocaleString('en')}
      </h1>
      <section class="panel stack">
        {result.unchanged > 0 && <p>{result.unchanged.toLocaleString('en')} were so already.</p>}
        {result.failed > 0 && <p class="error">{result.failed.toLocaleString('en')} could not be changed:</p>}
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
  return listLink(filterOf(listed)).split('?')[1] ?? ''
}
