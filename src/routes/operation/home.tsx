import { Elysia } from 'elysia'
import { type HomeData, HomePage, OverviewPanel } from '../../../views/home/home.tsx'
import { callerOf } from '../../auth/caller.ts'
import { severityOf } from '../../incidents/causes.ts'
import { periodOf } from '../../incidents/period.ts'
import type { Database } from '../../storage/storage.ts'
import { seesAll } from '../../streams/registry/visibility.ts'
import { type Overview, readOverview, readPast, type Whose } from '../../streams/status/overview.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { shared } from '../http/shared.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LiveView } from '../live/live-views.tsx'

/**
 * Oldest state that the first page shows, in milliseconds; its live parts then refresh at least every 10 s. Figures by the
 * minute may be older by the same amount.
 */
const SHARED_MS = 4_000

/** The home page: whether everything is healthy. */
export function homeRoutes({ db, now, pages }: { db: Database; now(): number; pages: LivePages }) {
  // The first stream should appear at once.
  const isFinal = ({ streams }: Overview) => streams > 0
  const seen = { all: seenBy('all'), shared: seenBy('shared') }
  // Shared reads include private streams only for callers who see all.
  const of = (request: Request) => seen[seesAll(callerOf(request)) ? 'all' : 'shared']
  return new Elysia({ detail: { hide: true } })
    .get('/', async ({ request }) =>
      html(<HomePage reader={readerOf(request)} {...homeData(await of(request).overviewNow())} />),
    )
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
      read: async () => [{ id: 'overview', html: String(<OverviewPanel {...homeData(await read())} />) }],
    }
    return { overviewNow: shared(read, { now, forMs: SHARED_MS, isFinal }), view }
  }
}

function homeData({ incidents, ...overview }: Overview): HomeData {
  const newest = incidents.newest.map((incident) => {
    const { id, title, cause } = incident
    return { id, title, since: new Date(periodOf(incident, Date.now()).since), severity: severityOf(cause) }
  })
  return { ...overview, incidents: { open: incidents.open, newest } }
}
