import { Elysia } from 'elysia'
import { AuditPage } from '../../../views/access/audit.tsx'
import { readAudit } from '../../auth/audit.ts'
import type { Config } from '../../config/settings.ts'
import type { Database } from '../../storage/storage.ts'
import { html } from '../http/html.ts'
import { query } from '../http/input.ts'
import { rowOf } from './keys.ts'
import { readerOf } from './reader.ts'

export interface AuditPagesDeps {
  db: Database
  config: Pick<Config, 'retentionDays'>
}

/** The audit log page. */
export function auditPages({ db, config }: AuditPagesDeps) {
  return new Elysia({ detail: { hide: true } }).get('/audit', async ({ request }) => {
    const reader = readerOf(request)
    const { q, after } = query(request, 'q', 'after')
    const { items, next } = await readAudit(db, {
      q,
      after: rowOf(after),
      limit: reader.rows,
    })
    const page = { rows: items, q: q ?? '', next, isFirst: after === undefined, days: config.retentionDays }
    return html(<AuditPage reader={reader} {...page} />)
  })
}
