import type { Deed } from '../../src/auth/audit.ts'
import { Ago } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

export interface AuditPageData {
  /** The newest first. */
  rows: readonly Deed[]
  q: string
  /** Cursor of the next page; undefined on the last. */
  next: string | undefined
  /** Whether this is the newest page. */
  isFirst: boolean
  /** How long rows are kept, in days. */
  days: number
}

/** Every request that changed something. */
export function AuditPage({ reader, rows, q, next, isFirst, days }: AuditPageData & ForReader) {
  const page = (after: string | undefined) =>
    `/audit?${new URLSearchParams({ ...(q !== '' && { q }), ...(after !== undefined && { after }) })}`
  return (
    <Page reader={reader} title="Audit log" section="/settings">
      <link rel="stylesheet" href="/assets/views/settings/settings.css" />
      <h1>Audit log</h1>
      <section class="panel" aria-label="Audit log">
        {/* biome-ignore lint/a11y/useSemanticElements: search would be one more element between the form and what lays it out */}
        <form class="audit-search" method="get" action="/audit" role="search">
          <label>
            Search by name, route, ID or address
            <input type="search" name="q" value={q} maxlength={200} autocomplete="off" />
          </label>
          <button type="submit">Search</button>
        </form>
        {rows.length === 0 ? (
          <p class="muted">{q === '' ? 'No entries yet.' : 'No matching entries.'}</p>
        ) : (
          <div class="table-scroll who-rows">
            <table>
              <thead>
                <tr>
                  <th scope="col">Time</th>
                  <th scope="col">Caller</th>
                  <th scope="col">Request</th>
                  <th scope="col">Target</th>
                  <th scope="col">Address</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <Row row={row} />
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p>
          {!isFirst && <a href={page(undefined)}>Newest</a>}{' '}
          {next !== undefined && <a href={page(next)}>Older</a>}
        </p>
        <p class="muted">
          Every request that changed something, without its body, kept for {days} days. Also available as{' '}
          <a href="/openapi#getApiAudit">JSON</a>. Manage keys in <a href="/settings#keys">Settings</a>.
        </p>
      </section>
    </Page>
  )
}

function Row({ row: { at, caller, name, method, route, subject, status, address } }: { row: Deed }) {
  return (
    <tr>
      <td>
        <Ago at={at} />
      </td>
      <th scope="row" title={caller}>
        {name}
      </th>
      <td>
        <code>
          {method} {route}
        </code>
        {status === 0 && <span class="muted"> unfinished</span>}
      </td>
      <td>{subject === null ? <span class="muted">–</span> : <code>{subject}</code>}</td>
      <td>{address}</td>
    </tr>
  )
}
