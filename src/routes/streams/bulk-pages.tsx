import { Elysia } from 'elysia'
import { BulkConfirmPage, BulkResultPage } from '../../../views/streams/bulk.tsx'
import { callerOf } from '../../auth/caller.ts'
import { type Bulk, bulk } from '../../streams/registry/bulk.ts'
import { countStreams, type Filter } from '../../streams/registry/listing.ts'
import { readerOf } from '../access/reader.ts'
import { FILTERS, filterOf } from '../http/filter.ts'
import { html } from '../http/html.ts'
import { MAX_REQUEST_BYTES, query, readText } from '../http/input.ts'
import { allowed, type BulkRoutesDeps, bulkReportOf, checkBulk } from './bulk.ts'

/** Bulk actions for browsers without script: a page for confirmation, and one for the result. */
export function bulkPages(deps: BulkRoutesDeps) {
  return new Elysia({ detail: { hide: true } }).post('/streams/bulk', async ({ request, server }) => {
    const form = new URLSearchParams(await readText(request, MAX_REQUEST_BYTES))
    server?.timeout(request, 0)
    const filter = filterIn(form.get('filter') ?? '')
    const asked = allowed(request, bulkOf(form, filter))
    if (asked.action === 'delete' && form.get('confirmed') !== 'yes') return confirm(request, asked)
    const result = await bulkReportOf(bulk({ ...deps, caller: callerOf(request) }, asked), request.signal)
    return html(
      <BulkResultPage reader={readerOf(request)} action={asked.action} result={result} filter={filter} />,
    )
  })

  async function confirm(request: Request, { streams }: Bulk): Promise<Response> {
    if ('ids' in streams)
      return html(
        <BulkConfirmPage
          reader={readerOf(request)}
          count={streams.ids.length}
          ids={streams.ids}
          filter={undefined}
        />,
      )
    const count = await countStreams(deps.db, streams.filter, callerOf(request))
    return html(<BulkConfirmPage reader={readerOf(request)} count={count} ids={[]} filter={streams.filter} />)
  }
}

/** @throws Problem `invalid_field`, as {@link checkBulk} */
function bulkOf(form: URLSearchParams, filter: Filter): Bulk {
  const action = form.get('action')
  const isAll = form.get('all') === 'yes'
  const isTagging = action === 'tag' || action === 'untag'
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
  return checkBulk({
    action,
    ...(isAll ? { filter: given } : { ids: form.getAll('id') }),
    ...(isTagging && { tag: form.get('tag')?.trim() }),
    ...(isAll && form.get('confirmed') === 'yes' && { atMost: Number(form.get('total')) }),
  })
}

function filterIn(text: string): Filter {
  return filterOf(query(new Request(`http://localhost/?${text}`), ...FILTERS))
}
