import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { startJsonSource } from '../lib/json-source.ts'
import { usageOf } from '../lib/process-tree.ts'
import { type MeasuredWeir, register, type Setup, startWeir } from '../lib/weir.ts'

/** After the start, or after all streams were polled for the first time. */
const SETTLE_MS = 60_000
const MEASURE_MS = 120_000
const SHORT_MS = 2_000
const STREAMS = 1_000
const BYTES = 2_000

/** What a process tree uses while nobody asks it for anything. */
interface Idle {
  setup: Setup
  streams: number
  corePercent: number
  memoryMiB: number
}

/** Of a core, and proportional set size. */
const MOST = new Map([
  [0, { corePercent: 0.5, memoryMiB: 160 }],
  [STREAMS, { corePercent: 3, memoryMiB: 300 }],
])

export default {
  title: 'what does it take while nothing happens, or little?',
  limits: [
    'On PGlite, which Weir used before, the same machine took 3.28% of a core and 268 MiB without streams.',
    'What is left without streams is asked by the clock: schedules every 5 s, the queue, the heartbeat of the worker, the position of the log once a second.',
  ],
  async run(context) {
    const measured: Idle[] = []
    for (const setup of ['embedded', 'postgres'] as const) {
      const weir = await startWeir(setup, context.scope)
      measured.push(await idle(weir, { setup, streams: 0 }, context))
      const streams = context.short ? 10 : STREAMS
      await register(weir.url, await polled(streams, context))
      measured.push(await idle(weir, { setup, streams }, context))
      await weir.child.end('SIGTERM')
    }
    return report(measured, context)
  },
} satisfies Bench

async function idle(
  { roots }: MeasuredWeir,
  form: Pick<Idle, 'setup' | 'streams'>,
  { short, log }: Context,
): Promise<Idle> {
  await Bun.sleep(short ? SHORT_MS : SETTLE_MS)
  const [before, from] = [usageOf(roots), performance.now()]
  await Bun.sleep(short ? SHORT_MS : MEASURE_MS)
  const [after, to] = [usageOf(roots), performance.now()]
  const corePercent = (100 * 1_000 * (after.cpuSeconds - before.cpuSeconds)) / (to - from)
  const measured = { ...form, corePercent, memoryMiB: after.memoryBytes / 2 ** 20 }
  log(`${form.setup}, ${form.streams} streams: ${figures(measured).join(', ')}`)
  return measured
}

/** Streams that are polled once a minute. */
async function polled(apis: number, { scope, seed }: Context): Promise<object[]> {
  const { urls } = await startJsonSource({ apis, bytes: BYTES, seed }, scope)
  return urls.map((url) => ({ url, kind: 'poll', intervalMs: 60_000 }))
}

function figures({ corePercent, memoryMiB }: Idle): [core: string, memory: string] {
  return [`${corePercent.toFixed(2)}% of a core`, `${memoryMiB.toFixed(0)} MiB`]
}

function report(measured: readonly Idle[], { short }: Context): Report {
  const goals = measured.flatMap((each): Goal[] => {
    const most = MOST.get(each.streams)
    if (most === undefined || short || each.setup === 'postgres') return []
    const [core, memory] = figures(each)
    const what = `${each.setup} with ${each.streams.toLocaleString('en')} streams`
    return [
      {
        text: `${what}: at most ${most.corePercent}% of a core`,
        measured: core,
        reached: each.corePercent <= most.corePercent,
      },
      {
        text: `${what}: at most ${most.memoryMiB} MiB`,
        measured: memory,
        reached: each.memoryMiB <= most.memoryMiB,
      },
    ]
  })
  return {
    method: `Weir and its database: CPU time over ${MEASURE_MS / 1_000} s, ${SETTLE_MS / 1_000} s after the start, and the proportional set size after it; then the same with streams that poll documents of ${BYTES.toLocaleString('en')} bytes once a minute, which don't change. Nobody has a page open.`,
    tables: [
      {
        columns: ['database', 'streams', 'CPU', 'memory'],
        rows: measured.map((each) => [each.setup, each.streams.toLocaleString('en'), ...figures(each)]),
      },
    ],
    goals,
    notes: [],
  }
}
