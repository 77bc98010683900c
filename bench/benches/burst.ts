import { EventSource } from 'eventsource'
import { type Bench, type Context, PeerMissing } from '../lib/bench.ts'
import { until } from '../lib/measure.ts'
import { usageOf } from '../lib/process-tree.ts'
import { type SseSource, startSseSource } from '../lib/sse-source.ts'
import { quantile } from '../lib/statistics.ts'
import { ask, register, type Setup, startWeir } from '../lib/weir.ts'

const STREAMS = 1_000
const EVENT_BYTES = 200
/** Events per second and stream, from an easy rate to the goal. */
const RATES = [5, 10, 20, 50]
const GOAL_RATE = 50
const WARM_UP_MS = 5_000
const WINDOW_MS = 15_000
/** How long the queue may take to drain at the end, in milliseconds. */
const PATIENCE_MS = 45_000
/** Streams whose live log is read meanwhile, as people would. */
const WATCHED = 20
const GOAL_P99_MS = 250
/** A backlog of at most this many seconds of events at the end counts as stable. */
const MAX_BACKLOG_SECONDS = 1

interface Burst {
  setup: Setup
  perSecond: number
  seconds: number
  /** Events sent and stored in the window. */
  sent: number
  stored: number
  /** Events sent but not stored yet, at the start and end of the window. */
  backlog: readonly [number, number]
  cpuMicros: number
  p50Ms: number
  p99Ms: number
  lost: number
}

export default {
  title: 'how many events per second can Weir store?',
  limits: [
    'Parsing, hashing and serializing entries takes one thread, which the embedded database runs on as well; on two cores, the sender and a Postgres server share the other. Beyond what that thread can do, entries are queued, and then dropped and recorded as a gap.',
  ],
  async run(context) {
    const bursts: Burst[] = []
    const missing: string[] = []
    for (const setup of ['embedded', 'postgres'] as const) {
      try {
        for (const perSecond of context.short ? [5] : RATES) {
          const one = await burst(setup, perSecond, context)
          bursts.push(one)
          if (!isSustained(one)) break
        }
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(`Missing: ${error.message}.`)
      }
    }
    const setups = [...new Set(bursts.map(({ setup }) => setup))]
    return {
      method: `${STREAMS.toLocaleString('en')} event streams of ${EVENT_BYTES} bytes per event, at increasing rates until the backlog (events sent but not stored yet) grows by more than ${MAX_BACKLOG_SECONDS} s of events within ${WINDOW_MS / 1000} s. Visible: from sending an event until a subscriber of Weir’s live log receives it, on ${WATCHED} of the streams.`,
      tables: [
        {
          columns: [
            'database',
            'target events/s',
            'stored/s',
            'CPU µs/event',
            'backlog, start → end',
            'visible p50 / p99',
            'not stored',
          ],
          rows: bursts.map((one) => [
            one.setup,
            (one.perSecond * STREAMS).toLocaleString('en'),
            Math.round(one.stored / one.seconds).toLocaleString('en'),
            one.cpuMicros.toFixed(1),
            one.backlog.map((count) => count.toLocaleString('en')).join(' → '),
            `${one.p50Ms} / ${one.p99Ms} ms`,
            String(one.lost),
          ]),
        },
      ],
      goals: context.short ? [] : setups.map((setup) => goalOf(bursts.filter((one) => one.setup === setup))),
      notes: missing,
    }
  },
} satisfies Bench

function goalOf(bursts: readonly Burst[]) {
  const good = bursts.findLast((one) => isSustained(one) && one.p99Ms < GOAL_P99_MS)
  return {
    text: `${bursts[0]?.setup}: ${(GOAL_RATE * STREAMS).toLocaleString('en')} events/s sustained, p99 under ${GOAL_P99_MS} ms`,
    measured: good
      ? `${(good.perSecond * STREAMS).toLocaleString('en')}/s with p99 ${good.p99Ms} ms`
      : 'none of the rates',
    reached: good?.perSecond === GOAL_RATE,
  }
}

function isSustained({ perSecond, backlog: [before, after] }: Burst): boolean {
  return after - before <= MAX_BACKLOG_SECONDS * perSecond * STREAMS
}

async function burst(setup: Setup, perSecond: number, { short, log }: Context): Promise<Burst> {
  await using scope = new AsyncDisposableStack()
  const streams = short ? 50 : STREAMS
  const source = await startSseSource(streams, scope)
  const weir = await startWeir(setup, scope)
  await register(
    weir.url,
    source.urls.map((url) => ({ url, kind: 'sse' })),
  )
  await until('all are read', async () => (await source.ask({ do: 'tell' })).readers === streams)
  const watch = await watchSome(weir.url, short ? 2 : WATCHED, scope)
  await source.ask({ do: 'send', perSecond, bytes: EVENT_BYTES })
  await Bun.sleep(short ? 500 : WARM_UP_MS)
  watch.latencies.length = 0
  const before = await level(source, weir.url, streams)
  const [begun, cpu] = [performance.now(), usageOf(weir.roots).cpuSeconds]
  await Bun.sleep(short ? 1_000 : WINDOW_MS)
  // An overloaded Weir takes its time to respond.
  const after = await level(source, weir.url, streams)
  const seconds = (performance.now() - begun) / 1000
  const used = usageOf(weir.roots).cpuSeconds - cpu
  const latencies = [...watch.latencies]
  const { sent } = await source.ask({ do: 'hush' })
  // Dropped entries are never stored: a gap says how many there were.
  await until('all is stored', async () => (await stored(weir.url, streams)) >= sent, PATIENCE_MS).catch(
    (error: Error) => log(error.message),
  )
  const rows = await ask<{ count: number }>(
    weir,
    "SELECT count(*)::int AS count FROM weir.entries WHERE kind = 'event'",
  )
  const one: Burst = {
    setup,
    perSecond,
    seconds,
    sent: after.sent - before.sent,
    stored: after.stored - before.stored,
    backlog: [before.sent - before.stored, after.sent - after.stored],
    cpuMicros: (used * 1e6) / (after.stored - before.stored),
    p50Ms: Math.round(quantile(latencies, 0.5)),
    p99Ms: Math.round(quantile(latencies, 0.99)),
    lost: sent - (rows[0]?.count ?? 0),
  }
  log(JSON.stringify(one))
  return one
}

async function level(
  source: SseSource,
  url: string,
  streams: number,
): Promise<{ sent: number; stored: number }> {
  return { stored: await stored(url, streams), sent: (await source.ask({ do: 'tell' })).sent }
}

/**
 * Stored events of all streams, without the entry per connection. Rollups may lag by two seconds, at both ends of a
 * window.
 */
async function stored(url: string, streams: number): Promise<number> {
  const response = await fetch(`${url}/api/size`)
  return ((await response.json()) as { total: { entries: number } }).total.entries - streams
}

/** Reads the live log of some streams and records the delay of each event. Milliseconds. */
async function watchSome(
  url: string,
  count: number,
  scope: AsyncDisposableStack,
): Promise<{ latencies: number[] }> {
  const latencies: number[] = []
  const response = await fetch(`${url}/api/streams?limit=${count}`)
  const { items } = (await response.json()) as { items: { id: string }[] }
  for (const { id } of items) {
    const source = new EventSource(`${url}/api/streams/${id}/events`)
    scope.defer(() => source.close())
    source.addEventListener('entry', ({ data }) => {
      const entry = JSON.parse(data)
      if (entry.kind === 'event') latencies.push(Date.now() - JSON.parse(entry.data).at)
    })
  }
  return { latencies }
}
