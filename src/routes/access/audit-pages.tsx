import { Elysia } from 'elysia'
import { AuditPage } from '../../../views/access/audit.tsx'
import { readAudit } from '../../auth/audit.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../storage/storage.ts'
import { html } from '../http/html.ts'
import { query } from '../http/input.ts'
import { preferencesOf } from '../settings/preferences.ts'
import { rowOf } from './keys.ts'

export interface AuditPagesDeps {
  db: Database
  config: Pick<Config, 'retentionDays'>
}

/** Who did what, for people. */
export function auditPages({ db, config }: AuditPagesDeps) {
  return new Elysia({ detail: { hide: true } }).get('/audit', async ({ request }) => {
    const { q, after } = query(request, 'q', 'after')
    const { items, next } = await readAudit(db, {
      q,
      after: rowOf(after),
      limit: preferencesOf(request).rows,
    })
    const page = { rows: items, q: q ?? '', next, isFirst: after === undefined, days: config.retentionDays }
    return html(<AuditPage {...page} />)
  })
}
