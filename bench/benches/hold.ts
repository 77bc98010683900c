import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { PeerMissing } from '../lib/bench.ts'
import { startChild } from '../lib/child.ts'
import { until, useWhile } from '../lib/measure.ts'
import { usageOf } from '../lib/process-tree.ts'
import { startSseSource } from '../lib/sse-source.ts'
import { ask, register, type Setup, startWeir } from '../lib/weir.ts'

const EVENT_BYTES = 200
const PER_SECOND = 1
/** Settling time after connecting, before the measurement. */
const WARM_UP_MS = 5_000
/** Settling time after the start. */
const SETTLE_MS = 5_000
const WINDOW_MS = 12_000

/** Usage of one reader for a number of streams. */
interface Held {
  reader: string
  streams: number
  cpuMicrosPerEvent: number
  /** Memory above that without any stream. */
  bytesPerStream: number
  /** Sent events that are missing at the end; `undefined` for readers that store nothing. */
  lost: number | undefined
}

/** A program that reads streams. */
interface Reader {
  name: string
  roots: readonly number[]
  read(urls: readonly string[]): Promise<void>
  /** Number of stored events, after it has ended. */
  stored?(): Promise<number>
}

const READERS: readonly ((scope: AsyncDisposableStack) => Promise<Reader>)[] = [
  (scope) => counter('bare Bun fetch', ['bun', 'bench/subjects/bare-reader.ts'], scope),
  (scope) => counter('Node, eventsource', [node(), 'bench/subjects/eventsource-reader.mjs'], scope),
  (scope) => weir('embedded', scope),
  (scope) => weir('postgres', scope),
]

export default {
  title: 'what does an open event stream cost?',
  limits: [
    "However it is written, inserting a row costs Postgres about as much as a bare reader spends on a whole event (see store), and updating the stream's checkpoint costs another half. Reading the bytes costs what it costs the bare reader. The rest is parsing, comparing and hashing, the entry's JSON, and the stream's rollups and evidence.",
    'At 1,000 streams most of the cost is scheduled work and the fixed cost of a statement: a batch there is about a hundred entries.',
    'Kept: one statement that moves the checkpoints, which is the fence, and stores the entries; batches collected for up to 150 ms; rollups in turns; an event-stream parser without an EventSource object per stream; one heartbeat per worker instead of a lock per job; no messages to other processes while there are none.',
    'Tried, but not kept: rows as arrays of columns (the same on Postgres, a little less on the embedded database), prepared statements (within noise at a thousand rows).',
    "Memory: Bun's fetch keeps a buffer of 64 KiB for every open response, in the bare reader too. The heap counts them, which delays garbage collection. node:http takes 0.8 × the memory of a bare reader, has no such buffers, and uses as much CPU; Weir doesn't use it, because every egress check wraps fetch.",
  ],
  async run(context) {
    const sizes = context.short ? [50] : [1_000, 5_000, 10_000]
    const all: Held[] = []
    const missing: string[] = []
    for (const start of READERS) {
      try {
        for (const streams of sizes) all.push(await hold(start, streams, context))
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(error.message)
      }
    }
    return report(all, missing, context)
  },
} satisfies Bench

async function hold(
  start: (typeof READERS)[number],
  streams: number,
  { short, log }: Context,
): Promise<Held> {
  await using scope = new AsyncDisposableStack()
  const source = await startSseSource(streams, scope)
  const reader = await start(scope)
  // A new database first releases the memory used to create it.
  await Bun.sleep(short ? 0 : SETTLE_MS)
  const empty = usageOf(reader.roots).memoryBytes
  await reader.read(source.urls)
  await until(
    `${reader.name} reads ${streams} streams`,
    async () => (await source.ask({ do: 'tell' })).readers === streams,
  )
  await source.ask({ do: 'send', perSecond: PER_SECOND, bytes: EVENT_BYTES })
  await Bun.sleep(short ? 500 : WARM_UP_MS)
  const before = await source.ask({ do: 'tell' })
  const used = await useWhile(reader.roots, short ? 1_000 : WINDOW_MS)
  const after = await source.ask({ do: 'tell' })
  const { sent } = await source.ask({ do: 'hush' })
  const held = {
    reader: reader.name,
    streams,
    cpuMicrosPerEvent: (used.cpuSeconds * 1e6) / (after.sent - before.sent),
    bytesPerStream: (used.memoryBytes - empty) / streams,
    lost: reader.stored && sent - (await reader.stored()),
  }
  log(JSON.stringify(held))
  return held
}

async function counter(
  name: string,
  command: readonly string[],
  scope: AsyncDisposableStack,
): Promise<Reader> {
  const child = startChild(command, scope)
  await child.ask({})
  return {
    name,
    roots: [child.pid],
    read: async (urls) => void (await child.ask({ urls })),
  }
}

async function weir(setup: Setup, scope: AsyncDisposableStack): Promise<Reader> {
  const started = await startWeir(setup, scope)
  return {
    name: `Weir, ${setup}`,
    roots: started.roots,
    read: (urls) =>
      register(
        started.url,
        urls.map((url) => ({ url, kind: 'sse' })),
      ),
    async stored() {
      // What it has received is written before it ends.
      const rows = await ask<{ count: number }>(
        started,
        "SELECT count(*)::int AS count FROM weir.entries WHERE kind = 'event'",
      )
      return rows[0]?.count ?? 0
    },
  }
}

function node(): string {
  const path = Bun.which('node')
  if (path === null) throw new PeerMissing('Node is not on the PATH')
  return path
}

function report(all: readonly Held[], missing: readonly string[], { short }: Context): Report {
  const of = (reader: string, streams: number) =>
    all.find((held) => held.reader === reader && held.streams === streams)
  const rows = all.map((held) => {
    const floor = of('bare Bun fetch', held.streams)
    return [
      held.reader,
      held.streams.toLocaleString('en'),
      held.cpuMicrosPerEvent.toFixed(1),
      ratio(held.cpuMicrosPerEvent, floor?.cpuMicrosPerEvent),
      (held.bytesPerStream / 1024).toFixed(1),
      ratio(held.bytesPerStream, floor?.bytesPerStream),
      held.lost?.toString() ?? '–',
    ]
  })
  return {
    method: `Event streams of ${EVENT_BYTES} bytes of data, ${PER_SECOND}/s each, from one process on loopback. Each reader is a separate process, measured for ${short ? 1 : WINDOW_MS / 1000} s once all its streams are open and have settled. Weir parses, stores and measures each event; the others only count them. Lost: sent events that are not in the database after a SIGTERM.`,
    tables: [
      {
        columns: ['reader', 'streams', 'CPU µs/event', '× bare', 'KiB/stream', '× bare', 'lost'],
        rows,
      },
    ],
    goals: short ? [] : goals(of),
    notes: missing.map((peer) => `Missing: ${peer}.`),
  }
}

function goals(of: (reader: string, streams: number) => Held | undefined): Goal[] {
  const made: Goal[] = []
  for (const name of ['Weir, embedded', 'Weir, postgres']) {
    const [first, last] = [of(name, 1_000), of(name, 10_000)]
    const floor = of('bare Bun fetch', 10_000)
    const peer = of('Node, eventsource', 10_000)
    if (first === undefined || last === undefined || floor === undefined) continue
    const cpu = last.cpuMicrosPerEvent / floor.cpuMicrosPerEvent
    const memory = last.bytesPerStream / floor.bytesPerStream
    const growth = last.cpuMicrosPerEvent / first.cpuMicrosPerEvent
    made.push(
      {
        text: `${name}: CPU per event ≤ 2 × bare, 10,000 streams`,
        measured: `${cpu.toFixed(2)} ×`,
        reached: cpu <= 2,
      },
      {
        text: `${name}: memory per stream ≤ 2 × bare`,
        measured: `${memory.toFixed(2)} ×`,
        reached: memory <= 2,
      },
      { text: `${name}: CPU at 10,000 ≤ at 1,000`, measured: `${growth.toFixed(2)} ×`, reached: growth <= 1 },
      { text: `${name}: nothing lost`, measured: `${last.lost}`, reached: last.lost === 0 },
    )
    if (peer === undefined) continue
    const beside = last.cpuMicrosPerEvent / peer.cpuMicrosPerEvent
    made.push({
      text: `${name}: CPU per event below Node with eventsource`,
      measured: `${beside.toFixed(2)} ×`,
      reached: beside < 1,
    })
  }
  return made
}

function ratio(value: number, floor: number | undefined): string {
  return floor === undefined ? '–' : (value / floor).toFixed(2)
}
