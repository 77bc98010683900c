import { Elysia } from 'elysia'
import { HomePage } from '../../views/home.tsx'
import { severityOf } from '../incidents/causes.ts'
import type { Database } from '../storage/storage.ts'
import { type Overview, readOverview } from '../streams/overview.ts'
import { html } from './html.ts'

/** Many pages that are open look every few seconds: they share one reading for this long, in milliseconds. */
const SHARED_MS = 4_000

/** The first page: whether everything is as it should be. */
export function homeRoutes({ db, now }: { db: Database; now(): number }) {
  let shared: { at: number; overview: Promise<Overview> } | undefined
  const forget = () => {
    shared = undefined
  }
  return new Elysia({ detail: { hide: true } }).get('/', async () => {
    if (shared === undefined || now() - shared.at >= SHARED_MS) {
      shared = { at: now(), overview: readOverview(db, now()) }
      // Whoever registers the first stream wants to see it.
      shared.overview.then(({ streams }) => streams === 0 && forget(), forget)
    }
    const { incidents, ...overview } = await shared.overview
    const newest = incidents.newest.map(({ id, title, cause, openedAt }) => {
      return { id, title, openedAt, severity: severityOf(cause) }
    })
    return html(<HomePage {...overview} incidents={{ open: incidents.open, newest }} />)
  })
}
