import { Elysia } from 'elysia'
import { HomePage } from '../../views/home.tsx'
import { severityOf } from '../incidents/causes.ts'
import type { Database } from '../storage/storage.ts'
import { type Overview, readOverview } from '../streams/overview.ts'
import { html } from './html.ts'
import { shared } from './shared.ts'

const SHARED_MS = 4_000

/** The first page: whether everything is as it should be. */
export function homeRoutes({ db, now }: { db: Database; now(): number }) {
  // Whoever registers the first stream wants to see it.
  const isFinal = ({ streams }: Overview) => streams > 0
  const overviewNow = shared(() => readOverview(db, now()), { now, forMs: SHARED_MS, isFinal })
  return new Elysia({ detail: { hide: true } }).get('/', async () => {
    const { incidents, ...overview } = await overviewNow()
    const newest = incidents.newest.map(({ id, title, cause, openedAt }) => {
      return { id, title, openedAt, severity: severityOf(cause) }
    })
    return html(<HomePage {...overview} incidents={{ open: incidents.open, newest }} />)
  })
}
