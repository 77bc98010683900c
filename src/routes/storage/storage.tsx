import { Elysia } from 'elysia'
import { StoragePage } from '../../../views/storage/storage.tsx'
import type { Readiness } from '../../observe/readiness.ts'
import { storageReport } from '../../retention/report.ts'
import type { RetentionDeps } from '../../retention/retain.ts'
import { readerOf } from '../access/reader.ts'
import { json } from '../answers/answer.ts'
import { Storage } from '../answers/keeping.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'

export interface StorageRoutesDeps {
  retention: RetentionDeps
  readiness: Pick<Readiness, 'troubles'>
}

/** The size of the log, and how long it is kept. */
export function storageRoutes({ retention, readiness }: StorageRoutesDeps) {
  const api = new Elysia({ detail: { tags: ['Operation'] } }).get(
    '/api/storage',
    () => storageReport(retention),
    {
      response: json(Storage),
      detail: describe(
        'Get storage and retention',
        'Days in UTC, newest first, with bytes on disk and entries; the last drop and its reason. `state` is `over` ' +
          'while the log exceeds its limit but nothing can be dropped because it is not archived yet; recording continues.',
      ),
    },
  )
  const pages = new Elysia({ detail: { hide: true } }).get('/storage', async ({ request }) =>
    html(
      <StoragePage
        reader={readerOf(request)}
        troubles={readiness.troubles}
        {...(await storageReport(retention))}
      />,
    ),
  )
  return new Elysia().use(api).use(pages)
}
