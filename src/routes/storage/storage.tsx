import { Elysia } from 'elysia'
import { StoragePage } from '../../../views/storage/storage.tsx'
import { storageReport } from '../../retention/report.ts'
import type { RetentionDeps } from '../../retention/retain.ts'
import { json } from '../answers/answer.ts'
import { Storage } from '../answers/keeping.ts'
import { html } from '../http/html.ts'
import { operation } from '../http/operation.ts'

/** What the database holds, and for how long. */
export function storageRoutes({ retention }: { retention: RetentionDeps }) {
  const api = new Elysia({ detail: { tags: ['Operation'] } }).get(
    '/api/storage',
    () => storageReport(retention),
    {
      detail: operation(
        'What the log takes, and what bounds it',
        'Days in UTC, newest first, with bytes on disk and entries; what was dropped last, and why. `state` is `over` ' +
          'while the log is at its cap and nothing may be dropped, as it is not archived yet: recording goes on.',
        { answers: json(Storage) },
      ),
    },
  )
  const pages = new Elysia({ detail: { hide: true } }).get('/storage', async () =>
    html(<StoragePage {...(await storageReport(retention))} />),
  )
  return new Elysia().use(api).use(pages)
}
