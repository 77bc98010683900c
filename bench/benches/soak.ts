import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import { type Child, startChild } from '../lib/child.ts'
import { until } from '../lib/measure.ts'
import { usageOf } from '../lib/process-tree.ts'
import { startSseSource } from '../lib/sse-source.ts'
import { slope } from '../lib/statistics.ts'
import { ask, type MeasuredWeir, register, type Setup, startWeir } from '../lib/weir.ts'
import type { Inspection } from '../subjects/inspect.ts'
import type { Crowd } from '../subjects/visitors.ts'

const SHORT_MINUTES = 0.04
const STREAMS = 2_000
const VISITORS = 200
const SENDING = { perSecond: 0.2, bytes: 200 }
/** Share of the time for warm-up: until caches and heaps have reached their size. */
const WARM_UP = 0.3
const MEASURED = 0.7
/** Readings, averaged in groups because consecutive ones aren't independent. */
const SAMPLES = 200
const SAMPLES_A_POINT = 10
/** How long the last events may take to be recorded, in milliseconds. */
const PATIENCE_MS = 10_000
/** Connection pools vary. */
const DESCRIPTOR_NOISE = 12
/** Objects that a subscription may leave behind: fewer than one in a hundred. */
const LEFT_BEHIND = 0.01

interface Soaked {
  setup: Setup
  /** Resident memory at the end, in bytes, and its growth in bytes per minute with its standard error. */
  memoryBytes: number
  growth: { slope: number; error: number }
  descriptors: [before: number, after: number]
  heap: [before: Inspection, after: Inspection]
  /** Subscriptions started in between. */
  subscriptions: number
  events: number
  lost: number
}

export default {
  title: 'does anything leak while streams run and subscribers come and go?',
  limits: [
    "On the embedded database the process grows, although the number of live objects after garbage collection is the same half an hour later: the growth isn't in the heap. On Postgres, with the same visitors, memory is flat.",
    'Kept: garbage is collected once the process has grown by a quarter and by 128 MiB; the engine itself delays that, because it counts 64 KiB of buffers for each open response. A page cache of 64 MB in place of 16: with those, 2,000 streams and these visitors read 360 MB/s from files after five minutes, and now next to nothing.',
  ],
  async run(context) {
    const missing: string[] = []
    const setups: readonly Setup[] = ['embedded', 'postgres']
    // In parallel: a leak shows however busy the machine is.
    const all = await Promise.all(
      setups.map(async (setup) => {
        try {
          return [await soak(setup, context)]
        } catch (error) {
          if (!(error instanceof PeerMissing)) throw error
          missing.push(error.message)
          return []
        }
      }),
    )
    return report(all.flat(), missing, context)
  },
} satisfies Bench

async function soak(setup: Setup, context: Context): Promise<Soaked> {
  const { short, seed, log, scope } = context
  const [streams, visitors] = short ? [40, 10] : [STREAMS, VISITORS]
  const totalMs = minutesOf(context) * 60_000
  const weir = await startWeir(setup, scope, {}, './bench/subjects/inspect.ts')
  const source = await startSseSource(streams, scope)
  await register(
    weir.url,
    source.urls.map((url) => ({ url, kind: 'sse' })),
  )
  await until(
    `${streams} streams are read`,
    async () => (await source.ask({ do: 'tell' })).readers === streams,
  )
  await source.ask({ do: 'send', ...SENDING })
  const urls = await subscribables(weir)
  const crowd = startChild(['bun', 'bench/subjects/visitors.ts', `${visitors}`, `${seed}`, ...urls], scope)
  await Bun.sleep(totalMs * WARM_UP)
  const before = await inspect(weir, crowd, visitors)
  const points: { x: number; y: number }[] = []
  for (let index = 0; index < SAMPLES; index += SAMPLES_A_POINT) {
    points.push(await readMemory(weir.child, totalMs, performance.now()))
    log(`${setup}: ${JSON.stringify(points.at(-1))}`)
  }
  const after = await inspect(weir, crowd, visitors)
  const { sent } = await source.ask({ do: 'hush' })
  // Events in flight when Weir shuts down would be resent by a real upstream; this one doesn't.
  await until(`${sent} events are recorded`, async () => (await recorded(weir)) >= sent, PATIENCE_MS).catch(
    (error: Error) => log(error.message),
  )
  await crowd.end()
  const memoryBytes = usageOf([weir.child.pid]).memoryBytes
  return {
    setup,
    memoryBytes,
    growth: slope(points),
    descriptors: [before.descriptors, after.descriptors],
    heap: [before.heap, after.heap],
    subscriptions: after.crowd.begun - before.crowd.begun,
    events: sent,
    lost: sent - (await stored(weir)),
  }
}

/** What people and programs keep open: live logs and console pages. */
async function subscribables({ url }: MeasuredWeir): Promise<string[]> {
  const { items } = (await (await fetch(`${url}/api/streams?limit=100`)).json()) as {
    items: { id: string }[]
  }
  return [
    ...items.flatMap(({ id }) => [`${url}/api/streams/${id}/events`, `${url}/streams/${id}/live`]),
    ...Array.from({ length: items.length / 2 }, () => [`${url}/home/live`, `${url}/streams/live`]).flat(),
  ]
}

/**
 * Counts live objects while nobody connects or leaves.
 * @throws Error if subscribers were rejected
 */
async function inspect(weir: MeasuredWeir, child: Child, visitors: number) {
  await child.ask<Crowd>({ changing: false })
  const ask = () => child.ask<Crowd>({ changing: false })
  await until(`${visitors} subscribers are connected`, async () => (await ask()).open === visitors)
  const heap = await weir.child.ask<Inspection>({})
  const { descriptors } = usageOf([weir.child.pid])
  const crowd = await child.ask<Crowd>({ changing: true })
  if (crowd.failed > 0 || crowd.bytes === 0) throw new Error(`subscribers: ${JSON.stringify(crowd)}`)
  return { heap, descriptors, crowd }
}

/**
 * The mean of a few readings.
 * @returns minutes on the clock, and bytes
 */
async function readMemory(
  { pid }: Child,
  totalMs: number,
  begunMs: number,
): Promise<{ x: number; y: number }> {
  let sum = 0
  for (let index = 0; index < SAMPLES_A_POINT; index++) {
    await Bun.sleep((totalMs * MEASURED) / SAMPLES)
    sum += usageOf([pid]).memoryBytes
  }
  return { x: (begunMs + performance.now()) / 2 / 60_000, y: sum / SAMPLES_A_POINT }
}

/** Entries of the last 24 hours, which is all of them. */
async function recorded({ url }: MeasuredWeir): Promise<number> {
  const { total } = (await (await fetch(`${url}/api/size`)).json()) as { total: { entries: number } }
  return total.entries
}

async function stored(weir: MeasuredWeir): Promise<number> {
  const rows = await ask<{ count: number }>(
    weir,
    "SELECT count(*)::int AS count FROM weir.entries WHERE kind = 'event'",
  )
  return rows[0]?.count ?? 0
}

function minutesOf({ short, minutes }: Context): number {
  return short ? SHORT_MINUTES : minutes
}

function report(all: readonly Soaked[], missing: readonly string[], context: Context): Report {
  const minutes = minutesOf(context)
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(bytes > 2 ** 24 ? 0 : 2)
  for (const { setup, lost } of all) if (lost !== 0) throw new Error(`${setup}: ${lost} events are lost`)
  return {
    method: `${STREAMS.toLocaleString('en')} streams, ${SENDING.perSecond} events/s each, and ${VISITORS} subscribers of live logs and pages, each of which stays up to 10 s and is followed by another; ${minutes} minutes, of which ${Math.round(WARM_UP * 100)}% warm-up. Memory: the proportional set size of Weir's own process, without forced collection; ${SAMPLES} readings in ${SAMPLES / SAMPLES_A_POINT} points, their slope and its standard error. The heap is collected and counted before and after, with equally many subscribers. Every sent event is in the database at the end.`,
    tables: [
      {
        columns: [
          'setup',
          'MiB',
          'MiB/min',
          'descriptors',
          'timers',
          'functions',
          'objects',
          'subscriptions',
          'events',
        ],
        rows: all.map(({ setup, memoryBytes, growth, descriptors, heap: [before, after], ...each }) => [
          setup,
          mib(memoryBytes),
          `${mib(growth.slope)} ± ${mib(growth.error)}`,
          descriptors.join(' → '),
          `${before.timers} → ${after.timers}`,
          `${before.functions} → ${after.functions}`,
          `${before.objects} → ${after.objects}`,
          each.subscriptions.toLocaleString('en'),
          each.events.toLocaleString('en'),
        ]),
      },
    ],
    goals: context.short ? [] : all.flatMap(goals),
    notes: missing.map((peer) => `Missing: ${peer}.`),
  }
}

function goals({ setup, growth, descriptors, heap: [before, after], subscriptions }: Soaked): Goal[] {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2)
  const opened = descriptors[1] - descriptors[0]
  const left = (name: 'timers' | 'functions' | 'signals') => (after[name] - before[name]) / subscriptions
  const kept = (name: 'timers' | 'functions' | 'signals', of: string): Goal => ({
    text: `${setup}: no growth in ${of}`,
    measured: `${after[name] - before[name]} after ${subscriptions.toLocaleString('en')} subscriptions`,
    reached: left(name) < LEFT_BEHIND,
  })
  return [
    {
      text: `${setup}: memory is flat, within two standard errors`,
      measured: `${mib(growth.slope)} ± ${mib(growth.error)} MiB/min`,
      reached: growth.slope <= 2 * growth.error,
    },
    {
      text: `${setup}: no growth in descriptors`,
      measured: `${opened}`,
      reached: opened <= DESCRIPTOR_NOISE,
    },
    kept('timers', 'timers'),
    kept('functions', 'listeners (all functions)'),
    kept('signals', 'signals'),
  ]
}
