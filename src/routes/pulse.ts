import { Elysia } from 'elysia'
import { openIncidents } from '../incidents/read.ts'
import type { Database } from '../storage/storage.ts'

/** Every open page asks every few seconds: they share one reading for this long, in milliseconds. */
const SHARED_MS = 4_000

/** Says to open pages that Weir is there, and how many incidents are open. */
export function pulseRoutes({ db, now }: { db: Database; now(): number }) {
  let shared: { at: number; count: Promise<number> } | undefined
  return new Elysia({ detail: { hide: true } }).get('/pulse', async () => {
    if (shared === undefined || now() - shared.at >= SHARED_MS) {
      const reading = { at: now(), count: openIncidents(db) }
      shared = reading
      reading.count.catch(() => {
        if (shared === reading) shared = undefined
      })
    }
    const openNow = await shared.count
    return Response.json({ openIncidents: openNow }, { headers: { 'Cache-Control': 'no-store' } })
  })
}
