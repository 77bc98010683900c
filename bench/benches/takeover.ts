import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import type { Child } from '../lib/child.ts'
import { type Fleet, heldBy, type Queue, startFleet, untilShared } from '../lib/fleet.ts'
import { until, useWhile } from '../lib/measure.ts'
import { type SseSource, startSseSource } from '../lib/sse-source.ts'
import { median, spread } from '../lib/statistics.ts'
import { register } from '../lib/weir.ts'

const QUEUES: Record<Queue, string> = { redis: 'Postgres + Redis', postgres: 'Postgres alone' }
/** Long enough that silent streams are never reconnected, in milliseconds. */
const SILENCE_MS = '3600000'
const SETTLE_MS = 10_000
const WINDOW_MS = 15_000
/** Windows measured per size. */
const WINDOWS = 2
/** What streams send while workers are replaced. */
const LIVELY = { perSecond: 0.2, bytes: 200 }
/** Rounds per kind of shutdown. */
const ROUNDS = 2

interface Taken {
  queue: Queue
  streams: number
  /** CPU of keeping silent streams, in percent of a core. */
  lockPercent: number
  /** From the signal until the other worker runs every stream, in seconds. */
  termSeconds: number[]
  killSeconds: number[]
}

export default {
  title: 'how soon does another worker take over the streams of a lost one?',
  limits: [
    'After kill -9, it takes 5 s until a worker counts as lost, and up to 1 s until the next check. The rest is claiming the jobs and starting the runs, 500 per statement.',
  ],
  async run(context) {
    const all: Taken[] = []
    const missing: string[] = []
    const measure = async (queue: Queue) => {
      try {
        all.push(...(await takeovers(queue, context)))
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(error.message)
      }
    }
    if (context.short) await Promise.all([measure('redis'), measure('postgres')])
    else for (const queue of ['redis', 'postgres'] as const) await measure(queue)
    return report(all, missing, context)
  },
} satisfies Bench

async function takeovers(queue: Queue, { short, log, scope }: Context): Promise<Taken[]> {
  const sizes = short ? [50] : [1_000, 5_000]
  const most = Math.max(...sizes)
  const source = await startSseSource(most, scope)
  const fleet = await startFleet(queue, 2, scope, { SILENCE_MS, STREAMS_PER_WORKER: `${most}` })
  const idle = await idlePercent(fleet, short)
  const taken: Taken[] = []
  let registered = 0
  for (const streams of sizes) {
    const urls = source.urls.slice(registered, streams)
    await register(
      fleet.url,
      urls.map((url) => ({ url, kind: 'sse' })),
    )
    registered = streams
    await untilShared(fleet, streams)
    await untilRead(source, streams)
    const lockPercent = (await idlePercent(fleet, short)) - idle
    await source.ask({ do: 'send', ...LIVELY })
    const one: Taken = { queue, streams, lockPercent, termSeconds: [], killSeconds: [] }
    for (let round = 0; round < (short ? 1 : ROUNDS); round++) {
      one.termSeconds.push(await takeover(fleet, source, streams, 'SIGTERM'))
      // Locks take their time to expire.
      if (short) continue
      await replace(fleet, source, streams)
      one.killSeconds.push(await takeover(fleet, source, streams, 'SIGKILL'))
      await replace(fleet, source, streams)
    }
    await source.ask({ do: 'hush' })
    log(JSON.stringify(one))
    taken.push(one)
  }
  await checkLogs(fleet)
  return taken
}

/** CPU of the whole fleet while it is idle, in percent of a core. */
async function idlePercent(fleet: Fleet, short: boolean): Promise<number> {
  await Bun.sleep(short ? 100 : SETTLE_MS)
  const percents: number[] = []
  for (let index = 0; index < (short ? 1 : WINDOWS); index++) {
    const { cpuSeconds, seconds } = await useWhile(fleet.roots(), short ? 300 : WINDOW_MS)
    percents.push((cpuSeconds / seconds) * 100)
  }
  return median(percents)
}

/**
 * Ends a worker.
 * @returns seconds until the other one runs its streams
 */
async function takeover(
  fleet: Fleet,
  source: SseSource,
  streams: number,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<number> {
  const [leaving, staying] = [...fleet.workers] as [Child, Child]
  const begun = performance.now()
  fleet.signal(leaving, signal)
  await until(`all of ${streams} streams are held`, async () => (await heldBy(fleet, staying)) === streams)
  await untilRead(source, streams)
  return (performance.now() - begun) / 1000
}

async function replace(fleet: Fleet, source: SseSource, streams: number): Promise<void> {
  await fleet.addWorker()
  await untilShared(fleet, streams)
  await untilRead(source, streams)
}

function untilRead(source: SseSource, streams: number): Promise<void> {
  return until(
    `${streams} streams are read`,
    async () => (await source.ask({ do: 'tell' })).readers === streams,
  )
}

/** @throws Error unless every log has each number exactly once, up to its checkpoint's */
async function checkLogs(fleet: Fleet): Promise<void> {
  const wrong = () =>
    fleet.query<{ stream_id: string }>(`
      SELECT stream_id FROM weir.checkpoints LEFT JOIN weir.entries USING (stream_id)
      GROUP BY stream_id, checkpoints.seq
      HAVING count(entries.seq) <> checkpoints.seq OR count(DISTINCT entries.seq) <> checkpoints.seq`)
  await until('every log is whole', async () => (await wrong()).length === 0, 10_000)
}

function report(all: readonly Taken[], missing: readonly string[], { short }: Context): Report {
  const goals = all.flatMap(({ queue, streams, lockPercent, termSeconds, killSeconds }): Goal[] => {
    const of = `${QUEUES[queue]}, ${streams.toLocaleString('en')} streams`
    const [term, kill] = [Math.max(...termSeconds), Math.max(...killSeconds)]
    return [
      { text: `${of}: SIGTERM under 3 s, each time`, measured: `${term.toFixed(2)} s`, reached: term < 3 },
      { text: `${of}: kill -9 under 10 s, each time`, measured: `${kill.toFixed(2)} s`, reached: kill < 10 },
      {
        text: `${of}: at most 5% of a core`,
        measured: `${lockPercent.toFixed(1)}%`,
        reached: lockPercent <= 5,
      },
    ]
  })
  return {
    method: `One web process and two workers. Idle: the CPU of all processes, including database and queue, while the streams are open and send nothing, minus that of the same processes without streams; the mean of ${WINDOWS} windows of ${WINDOW_MS / 1000} s. Takeover: the streams send an event every ${1 / LIVELY.perSecond} s; from the signal to one worker until the other is recorded as running every stream and all are connected; ${ROUNDS} times each. Every log is checked to have each number exactly once.`,
    tables: [
      {
        columns: ['setup', 'streams', 'SIGTERM s', 'kill -9 s', 'idle, % of a core'],
        rows: all.map((each) => [
          QUEUES[each.queue],
          each.streams.toLocaleString('en'),
          spread(each.termSeconds, 2),
          each.killSeconds.length === 0 ? '–' : spread(each.killSeconds, 2),
          each.lockPercent.toFixed(1),
        ]),
      },
    ],
    goals: short ? [] : goals,
    notes: missing.map((peer) => `Missing: ${peer}.`),
  }
}
