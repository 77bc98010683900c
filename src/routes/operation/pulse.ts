import { Elysia } from 'elysia'
import { openIncidents } from '../../incidents/read.ts'
import type { Database } from '../../storage/storage.ts'
import { shared } from '../http/shared.ts'

const SHARED_MS = 4_000

/** Lets open pages check that Weir is up, and how many incidents are open. */
export function pulseRoutes({ db, now }: { db: Database; now(): number }) {
  const count = shared(() => openIncidents(db), { now, forMs: SHARED_MS })
  return new Elysia({ detail: { hide: true } }).get('/pulse', async () =>
    Response.json({ openIncidents: await count() }, { headers: { 'Cache-Control': 'no-store' } }),
  )
}
