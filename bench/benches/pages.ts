import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage } from '../../src/storage/open.ts'
import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import { type Asked, findApi, findPages } from '../lib/routes.ts'
import { fillRows, type Recorded } from '../lib/rows.ts'
import { median } from '../lib/statistics.ts'
import { ownPostgres, type Setup, startMain } from '../lib/weir.ts'

const FEW: Recorded = { streams: 10, entriesPerStream: 500, days: 10, isRunning: true }
/** The embedded database has fewer entries, because creating more takes too long. */
const MANY: Record<Setup, Recorded> = {
  postgres: { streams: 10_000, entriesPerStream: 500, days: 10, isRunning: true },
  embedded: { streams: 10_000, entriesPerStream: 50, days: 10, isRunning: false },
}
const SHORT: Recorded = { streams: 100, entriesPerStream: 50, days: 2, isRunning: true }
const SETUPS: readonly Setup[] = ['postgres', 'embedded']
const ROUNDS = 5
const MOST = 2
/** An event stream without any data is closed after this long, in milliseconds. */
const SILENT_MS = 250
/** Characters shown of an error response. */
const MAX_SAID = 500
/** Rows shown per setup; all that miss the goal are shown. */
const SHOWN = 12

/** Declared in both, so that it can be requested. */
const DECLARED = join(import.meta.dir, '../../ops/sample.mmd')
/** Routes that aren't requested, or not in the same way, and why. */
const LEFT_OUT: Record<string, string> = {
  '/api/streams/export': 'returns every stream',
  '/proxy/*': 'requests another server',
  '/api/topology/services/{id}/faults': 'requests another program',
  '/openapi/json': 'depends on the program alone',
  '/diagram': 'shows only recent calls',
}

interface Timed {
  setup: Setup
  shape: string
  fewMs: number
  manyMs: number
}

export default {
  title: 'are pages and API responses as fast with a lot of data?',
  limits: [
    "A list of 10 streams shows 10 rows and one of 10,000 shows 50: the rendering and the statuses of 40 more rows are most of those ratios. Sorting by rate or by the last event, the hosts, and a subscriber's connections still read every stream: an index would make every entry more expensive. A tag has 500 streams instead of one.",
    "Kept: rollups of all streams, updated with each stream's own by triggers in the same transaction; indexes for the lists' orders; one pass instead of a query per stream; per-stream results are shared by all requests for 4 s. Tried, but not kept: floating-point sums (no gain).",
  ],
  async run(context) {
    const all: Timed[] = []
    const missing: string[] = []
    for (const setup of context.short ? SETUPS.slice(0, 1) : SETUPS) {
      try {
        all.push(...(await compare(setup, context)))
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(error.message)
      }
    }
    return report(all, missing, context)
  },
} satisfies Bench

async function compare(setup: Setup, { short, log, scope }: Context): Promise<Timed[]> {
  const { isRunning } = MANY[setup]
  const postgres = setup === 'postgres' ? await ownPostgres(scope) : undefined
  const started = async (recorded: Recorded) =>
    startFilled(await postgres?.addDatabase(), { ...recorded, isRunning }, scope)
  const few = await started(short ? { ...SHORT, streams: 10 } : FEW)
  const many = await started(short ? SHORT : MANY[setup])
  log(`${setup}: filled`)
  const routes = await routesOf(few)
  const timed = routes.map(({ shape }) => ({ setup, shape, few: [] as number[], many: [] as number[] }))
  // The first round warms up caches.
  for (let round = short ? 1 : 0; round <= (short ? 1 : ROUNDS); round++) {
    for (const [index, route] of routes.entries()) {
      const times = timed[index] as (typeof timed)[number]
      const [fewMs, manyMs] = [await time(few, route), await time(many, route)]
      if (round === 0) continue
      times.few.push(fewMs)
      times.many.push(manyMs)
    }
  }
  return timed.map(({ shape, ...times }) => ({
    setup,
    shape,
    fewMs: median(times.few),
    manyMs: median(times.many),
  }))
}

async function startFilled(
  databaseUrl: string | undefined,
  recorded: Recorded,
  scope: AsyncDisposableStack,
): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  scope.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const storage = await openStorage({ databaseUrl, dataDir })
  await fillRows(storage.db, recorded)
  await storage.close()
  // The rows are generated, so no worker follows the streams.
  const settings = {
    ...{ DATA_DIR: dataDir, TOPOLOGY: DECLARED },
    ...(databaseUrl && { DATABASE_URL: databaseUrl, ROLE: 'web' }),
  }
  const child = startMain(scope, settings)
  const [, url = ''] = await child.said(/listening on (http:\S+)/)
  return url.replace('localhost', '127.0.0.1')
}

async function routesOf(url: string): Promise<Asked[]> {
  const routes = [...(await findPages(url)), ...(await findApi(url))]
  return routes.filter(({ shape }) => LEFT_OUT[shape.replace(/\?.*/, '')] === undefined)
}

/** @returns milliseconds until the response is complete; for an event stream, until its first frame */
async function time(url: string, { shape, path }: Asked): Promise<number> {
  const enough = new AbortController()
  const begun = performance.now()
  const response = await fetch(url + path, { signal: enough.signal, redirect: 'manual' })
  // A linked page may have to show an error; API routes are requested only for existing data.
  if (response.status >= (path.startsWith('/api/') ? 400 : 500)) {
    throw new Error(`${shape}: ${response.status} ${(await response.text()).slice(0, MAX_SAID)}`)
  }
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    const silent = setTimeout(() => enough.abort(), SILENT_MS)
    const reader = response.body?.getReader()
    await reader?.read().catch(() => {})
    clearTimeout(silent)
    enough.abort()
  } else {
    await response.arrayBuffer()
  }
  return performance.now() - begun
}

function report(all: readonly Timed[], missing: readonly string[], { short }: Context): Report {
  const ratio = ({ fewMs, manyMs }: Timed) => manyMs / fewMs
  const setups = SETUPS.filter((setup) => all.some((each) => each.setup === setup))
  const worst = setups.flatMap((setup) =>
    all
      .filter((each) => each.setup === setup)
      .sort((a, b) => ratio(b) - ratio(a))
      .filter((each, index) => index < SHOWN || ratio(each) > MOST),
  )
  const goals = setups.map((setup): Goal => {
    const of = all.filter((each) => each.setup === setup)
    const slower = of.filter((each) => ratio(each) > MOST)
    const most = Math.max(...of.map(ratio))
    return {
      text: `${setup}: every page and route at most ${MOST} × slower`,
      measured: `${of.length - slower.length} of ${of.length}; at most ${most.toFixed(2)} ×`,
      reached: slower.length === 0,
    }
  })
  const size = ({ streams, entriesPerStream }: Recorded) =>
    `${streams.toLocaleString('en')} streams with ${(streams * entriesPerStream).toLocaleString('en')} entries`
  return {
    method: `Two Weirs side by side: ${size(FEW)} (over 10 days, with rollups and incidents), and ${size(MANY.postgres)}; embedded, ${size(MANY.embedded)}. Each page in the navigation, each GET route in the OpenAPI document, and each choice of their parameters, requested from one and then from the other, ${ROUNDS} times; medians. For event streams, the time to the first frame. Shown: the ${SHOWN} with the largest ratios, and all above ${MOST}.`,
    tables: [
      {
        columns: ['setup', 'route', 'few ms', 'many ms', '×'],
        rows: worst.map((each) => [
          each.setup,
          `\`${each.shape}\``,
          each.fewMs.toFixed(1),
          each.manyMs.toFixed(1),
          ratio(each).toFixed(2),
        ]),
      },
    ],
    goals: short ? [] : goals,
    notes: [
      ...missing.map((peer) => `Missing: ${peer}.`),
      ...Object.entries(LEFT_OUT).map(([path, why]) => `Left out: \`${path}\` ${why}.`),
    ],
  }
}
