import { Ago } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'

export interface AuditPageData {
  /** The newest first. */
  rows: readonly AuditRow[]
  q: string
  /** Where the next page begins; undefined on the last. */
  next: string | undefined
  /** Whether this is the newest page. */
  isFirst: boolean
  /** How long rows are kept, in days. */
  days: number
}

export interface AuditRow {
  at: Date
  caller: string
  name: string
  method: string
  route: string
  subject: string | null
  status: number
  address: string
}

/** Who did what. */
export function AuditPage({ rows, q, next, isFirst, days }: AuditPageData) {
  const page = (after: string | undefined) =>
    `/audit?${new URLSearchParams({ ...(q !== '' && { q }), ...(after !== undefined && { after }) })}`
  return (
    <Page title="Audit" section="/settings">
      <link rel="stylesheet" href="/assets/views/settings/settings.css" />
      <h1>Who did what</h1>
      <section class="panel" aria-label="Audit">
        {/* biome-ignore lint/a11y/useSemanticElements: search would be one more element between the form and what lays it out */}
        <form class="audit-search" method="get" action="/audit" role="search">
          <label>
            Part of a name, a route, an id, or an address
            <input type="search" name="q" value={q} maxlength={200} autocomplete="off" />
          </label>
          <button type="submit">Search</button>
        </form>
        {rows.length === 0 ? (
          <p class="muted">{q === '' ? 'Nothing was changed yet.' : 'Nothing that fits.'}</p>
        ) : (
          <div class="table-scroll who-rows">
            <table>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">Did</th>
                  <th scope="col">To</th>
                  <th scope="col">From</th>
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
          Every request that changed something, without what it sent, for {days} days. Also as{' '}
          <a href="/openapi#getApiAudit">JSON</a>. Keys are made on the page of{' '}
          <a href="/settings#keys">settings</a>.
        </p>
      </section>
    </Page>
  )
}

function Row({ row: { at, caller, name, method, route, subject, status, address } }: { row: AuditRow }) {
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
