import { Elysia } from 'elysia'
import { type HomeData, HomePage, Overview as OverviewParts } from '../../../views/home/home.tsx'
import { callerOf } from '../../auth/caller.ts'
import { severityOf } from '../../incidents/causes.ts'
import type { Database } from '../../storage/storage.ts'
import { seesAll } from '../../streams/registry/visibility.ts'
import { type Overview, readOverview, readPast, type Whose } from '../../streams/status/overview.ts'
import { html } from '../http/html.ts'
import { shared } from '../http/shared.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LiveView } from '../live/live-views.tsx'

/**
 * The page is as old as this at most when it is first shown, in milliseconds; then its live parts come, which are looked
 * at again every 10 s at the latest. What is told by the minute may be as much older, there and then.
 */
const SHARED_MS = 4_000

/** The first page: whether everything is as it should be. */
export function homeRoutes({ db, now, pages }: { db: Database; now(): number; pages: LivePages }) {
  // Whoever registers the first stream wants to see it.
  const isFinal = ({ streams }: Overview) => streams > 0
  const seen = { all: seenBy('all'), shared: seenBy('shared') }
  // What is read once for many shows nobody's own streams but to those who see all.
  const of = (request: Request) => seen[seesAll(callerOf(request)) ? 'all' : 'shared']
  return new Elysia({ detail: { hide: true } })
    .get('/', async ({ request }) => html(<HomePage {...homeData(await of(request).overviewNow())} />))
    .get('/home/live', ({ request, server }) => {
      server?.timeout(request, 0)
      return pages.views.subscribe(request, of(request).view)
    })

  function seenBy(whose: Whose) {
    const pastNow = shared(() => readPast(db, now(), whose), { now, forMs: SHARED_MS })
    const read = () => readOverview(db, pastNow(), whose)
    const view: LiveView = {
      name: whose,
      subjects: ['streams', 'incidents'],
      read: async () => [{ id: 'overview', html: String(<OverviewParts {...homeData(await read())} />) }],
    }
    return { overviewNow: shared(read, { now, forMs: SHARED_MS, isFinal }), view }
  }
}

function homeData({ incidents, ...overview }: Overview): HomeData {
  const newest = incidents.newest.map(({ id, title, cause, openedAt }) => {
    return { id, title, openedAt, severity: severityOf(cause) }
  })
  return { ...overview, incidents: { open: incidents.open, newest } }
}
