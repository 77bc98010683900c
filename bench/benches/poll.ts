import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import { startChild } from '../lib/child.ts'
import { type JsonSource, startJsonSource } from '../lib/json-source.ts'
import { until, useWhile } from '../lib/measure.ts'
import { ask, register, type Setup, startWeir } from '../lib/weir.ts'

const APIS = 1_000
const BODY_BYTES = 10_000
const INTERVAL_MS = 1_000
const SHORT_INTERVAL_MS = 500
/** Share of the responses that differ from the previous one. */
const CHANGES = 0.1
const WARM_UP_MS = 8_000
const WINDOW_MS = 25_000
const MOST_CPU = 1.5
const FLOOR = 'bare Bun fetch'

/** Usage of one poller. */
interface Polled {
  poller: string
  polls: number
  /** Polls per second, as a share of those due. */
  share: number
  cpuMicrosPerPoll: number
  memoryBytes: number
}

interface Poller {
  name: string
  roots: readonly number[]
  poll(urls: readonly string[], intervalMs: number): Promise<void>
  /** Number of stored changes, after it has ended. */
  changes?(): Promise<number>
}

const POLLERS: readonly ((scope: AsyncDisposableStack) => Promise<Poller>)[] = [
  bare,
  (scope) => weir('embedded', scope),
  (scope) => weir('postgres', scope),
]

export default {
  title: 'what does a poll cost?',
  limits: [
    "Most of the cost is work that a bare loop doesn't do: hashing the body and measuring its size with gzip, logging the request and response, and, for one poll in ten, parsing, canonicalizing and comparing the document, and verifying the patch on the old one.",
    'Kept: verifying a patch copies only what the patch touches. Tried, but not kept: compressing on another thread (more expensive than doing it directly, up to 32 KiB).',
  ],
  async run(context) {
    const all: Polled[] = []
    const missing: string[] = []
    for (const start of POLLERS) {
      try {
        all.push(await measure(start, context))
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(error.message)
      }
    }
    return report(all, missing, context)
  },
} satisfies Bench

async function measure(start: (typeof POLLERS)[number], { short, seed, log }: Context): Promise<Polled> {
  await using scope = new AsyncDisposableStack()
  const apis = short ? 20 : APIS
  const source = await startJsonSource({ apis, bytes: BODY_BYTES, seed }, scope)
  const poller = await start(scope)
  const intervalMs = short ? SHORT_INTERVAL_MS : INTERVAL_MS
  await poller.poll(source.urls, intervalMs)
  await until(`${poller.name} polls ${apis} APIs`, async () => (await source.ask({})).least >= 1)
  await source.ask({ changes: CHANGES })
  await Bun.sleep(short ? 500 : WARM_UP_MS)
  const before = await source.ask({})
  const used = await useWhile(poller.roots, short ? 1_000 : WINDOW_MS)
  const after = await source.ask({})
  const polls = after.answers - before.answers
  const polled = {
    poller: poller.name,
    polls,
    share: (polls / used.seconds) * (intervalMs / 1000 / apis),
    cpuMicrosPerPoll: (used.cpuSeconds * 1e6) / polls,
    memoryBytes: used.memoryBytes,
  }
  log(JSON.stringify(polled))
  await checkChanges(poller, source)
  return polled
}

/** Every change must be in the log at the end. */
async function checkChanges(poller: Poller, source: JsonSource): Promise<void> {
  if (poller.changes === undefined) return
  const { changed, least } = await source.ask({ changes: 0 })
  await until(
    'each API was polled since the last change',
    async () => (await source.ask({})).least > least + 2,
  )
  const stored = await poller.changes()
  if (stored !== changed) throw new Error(`${poller.name}: ${stored} of ${changed} changes are stored`)
}

async function bare(scope: AsyncDisposableStack): Promise<Poller> {
  const child = startChild(['bun', 'bench/subjects/bare-poller.ts'], scope)
  return {
    name: FLOOR,
    roots: [child.pid],
    poll: async (urls, intervalMs) => void (await child.ask({ urls, intervalMs })),
  }
}

async function weir(setup: Setup, scope: AsyncDisposableStack): Promise<Poller> {
  const started = await startWeir(setup, scope)
  return {
    name: `Weir, ${setup}`,
    roots: started.roots,
    poll: (urls, intervalMs) =>
      register(
        started.url,
        urls.map((url) => ({ url, kind: 'poll', intervalMs })),
      ),
    async changes() {
      const rows = await ask<{ count: number }>(
        started,
        'SELECT count(*)::int AS count FROM weir.entries WHERE changed',
      )
      return rows[0]?.count ?? 0
    },
  }
}

function report(all: readonly Polled[], missing: readonly string[], { short }: Context): Report {
  const floor = all.find(({ poller }) => poller === FLOOR) as Polled
  const ratio = ({ cpuMicrosPerPoll }: Polled) => cpuMicrosPerPoll / floor.cpuMicrosPerPoll
  return {
    method: `${APIS.toLocaleString('en')} JSON APIs of ${BODY_BYTES / 1000} KB on 50 loopback addresses, each polled once a second; ${100 * CHANGES}% of the responses (seeded) differ from the previous one. They have no validators, so every poll transfers the whole body. Measured for ${WINDOW_MS / 1000} s, after a warm-up of ${WARM_UP_MS / 1000} s. The bare loop only reads the bodies; Weir compares, stores and measures them, and every change is in its database after a SIGTERM.`,
    tables: [
      {
        columns: ['poller', 'polls', '% of due polls', 'CPU µs/poll', '× bare', 'MiB'],
        rows: all.map((each) => [
          each.poller,
          each.polls.toLocaleString('en'),
          (100 * each.share).toFixed(1),
          each.cpuMicrosPerPoll.toFixed(0),
          ratio(each).toFixed(2),
          (each.memoryBytes / 2 ** 20).toFixed(0),
        ]),
      },
    ],
    goals: short ? [] : all.filter((each) => each !== floor).map((each) => goal(each.poller, ratio(each))),
    notes: missing.map((peer) => `Missing: ${peer}.`),
  }
}

function goal(poller: string, ratio: number): Goal {
  return {
    text: `${poller}: CPU per poll ≤ ${MOST_CPU} × bare`,
    measured: `${ratio.toFixed(2)} ×`,
    reached: ratio <= MOST_CPU,
  }
}
