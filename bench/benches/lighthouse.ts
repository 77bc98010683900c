import lighthouse, { type Flags } from 'lighthouse'
import desktop from 'lighthouse/core/config/desktop-config.js'
import { openBrowser, WITHOUT_BROWSER } from '../../test/support/browser.ts'
import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import { until } from '../lib/measure.ts'
import { median } from '../lib/statistics.ts'
import { register, startWeir } from '../lib/weir.ts'

const STREAMS = 1_000
const SHORT_STREAMS = 50
const TIMES = 3
const GOAL = 95
const INTERVAL_MS = 60_000
const PATIENCE_MS = 180_000
/** A live page is never idle on the network, for which Lighthouse would wait 45 s. */
const LOAD_MS = 10_000

const CATEGORIES = ['performance', 'accessibility', 'best-practices'] as const
type Category = (typeof CATEGORIES)[number]
/** Mobile is Lighthouse's default: a phone whose CPU is a quarter of this one's, on slow 4G. */
const FORMS = ['mobile', 'desktop'] as const

/** Results of a page in one form, one value per run. */
interface Looked {
  page: string
  form: (typeof FORMS)[number]
  scores: Record<Category, number[]>
  /** Milliseconds; the layout shift has no unit. */
  metrics: Record<'fcp' | 'lcp' | 'tbt' | 'cls', number[]>
  /** Weighted audits that didn't pass. */
  failed: Set<string>
}

export default {
  title: 'how does the console score in Lighthouse?',
  async run(context) {
    if (WITHOUT_BROWSER) throw new PeerMissing('Chromium is not on the PATH')
    const { short, scope, log } = context
    const count = short ? SHORT_STREAMS : STREAMS
    const { url, id } = await weirWith(count, scope)
    const port = await openChromium(scope)
    const pages = { Overview: '/', Streams: '/streams', Stream: `/streams/${id}` }
    const all: Looked[] = []
    for (const [page, path] of Object.entries(pages)) {
      for (const form of short ? FORMS.slice(0, 1) : FORMS) {
        const looked = await look({ page, form, url: url + path, port, times: short ? 1 : TIMES })
        log(JSON.stringify(looked))
        all.push(looked)
      }
    }
    return report(all, count, context)
  },
} satisfies Bench

/** A Weir that follows this many documents. */
async function weirWith(count: number, scope: AsyncDisposableStack): Promise<{ url: string; id: string }> {
  const source = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: ({ url }) => Response.json({ url }) })
  scope.defer(() => source.stop(true))
  const { url } = await startWeir('embedded', scope)
  const registrations = Array.from({ length: count }, (_, index) => ({
    ...{ url: `http://127.0.0.1:${source.port}/${index}`, kind: 'poll', intervalMs: INTERVAL_MS },
    ...{ name: `Document ${index + 1}`, tags: [`team-${index % 7}`] },
  }))
  await register(url, registrations)
  await until('all are polled', async () => (await status(url)).statuses.live === count, PATIENCE_MS)
  const { items } = (await (await fetch(`${url}/api/streams?limit=1`)).json()) as { items: { id: string }[] }
  return { url, id: items[0]?.id ?? '' }
}

async function status(url: string): Promise<{ statuses: Record<string, number> }> {
  return (await fetch(`${url}/api/status`)).json() as Promise<{ statuses: Record<string, number> }>
}

/** @returns the port of its DevTools protocol */
async function openChromium(scope: AsyncDisposableStack): Promise<number> {
  const port = freePort()
  const browser = await openBrowser([`--remote-debugging-port=${port}`])
  scope.defer(() => browser.close())
  return port
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop()
  return port
}

interface Asked {
  page: string
  form: (typeof FORMS)[number]
  url: string
  port: number
  times: number
}

async function look({ page, form, url, port, times }: Asked): Promise<Looked> {
  const looked: Looked = {
    ...{ page, form },
    scores: { performance: [], accessibility: [], 'best-practices': [] },
    metrics: { fcp: [], lcp: [], tbt: [], cls: [] },
    failed: new Set(),
  }
  const flags: Flags = {
    ...{ port, logLevel: 'error', maxWaitForLoad: LOAD_MS },
    onlyCategories: [...CATEGORIES],
  }
  for (let time = 0; time < times; time++) {
    const result = await lighthouse(url, flags, form === 'desktop' ? desktop : undefined)
    if (result === undefined) throw new Error(`Lighthouse has nothing to say of ${url}`)
    const { categories, audits } = result.lhr
    for (const name of CATEGORIES) {
      const { score, auditRefs } = categories[name] ?? { score: null, auditRefs: [] }
      looked.scores[name].push(Math.round((score ?? 0) * 100))
      for (const { id, weight } of auditRefs)
        if (weight > 0 && (audits[id]?.score ?? 1) < 0.9) looked.failed.add(id)
    }
    const value = (id: string) => audits[id]?.numericValue ?? Number.NaN
    looked.metrics.fcp.push(value('first-contentful-paint'))
    looked.metrics.lcp.push(value('largest-contentful-paint'))
    looked.metrics.tbt.push(value('total-blocking-time'))
    looked.metrics.cls.push(value('cumulative-layout-shift'))
  }
  return looked
}

function report(all: readonly Looked[], streams: number, { short }: Context): Report {
  const rows = all.map(({ page, form, scores, metrics, failed }) => [
    ...[page, form],
    ...CATEGORIES.map((name) => String(median(scores[name]))),
    ...[metrics.fcp, metrics.lcp, metrics.tbt].map((values) =>
      Math.round(median(values)).toLocaleString('en'),
    ),
    median(metrics.cls).toFixed(3),
    [...failed].join(', ') || '–',
  ])
  const times = short ? 'once' : `${TIMES} times, medians shown`
  return {
    method: `Lighthouse on Chromium, each page ${times}; meanwhile, a Weir on the embedded database polls ${streams.toLocaleString('en')} documents once a minute. Mobile is simulated (a quarter of this CPU, slow 4G), so other work on this machine counts four times.`,
    tables: [
      {
        columns: ['page', 'form', ...CATEGORIES, 'FCP ms', 'LCP ms', 'TBT ms', 'CLS', 'below 90% in any run'],
        rows,
      },
    ],
    goals: short ? [] : all.map(goal),
    notes: ['An open page is live: it keeps a connection, so the back/forward cache never holds it.'],
  }
}

function goal({ page, form, scores }: Looked): Goal {
  const made = CATEGORIES.map((name) => median(scores[name]))
  return {
    text: `${page}, ${form}: all three ≥ ${GOAL}`,
    measured: made.join(', '),
    reached: made.every((score) => score >= GOAL),
  }
}
