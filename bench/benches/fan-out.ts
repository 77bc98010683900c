import { type Bench, type Context, type Goal, PeerMissing, type Report } from '../lib/bench.ts'
import { startChild } from '../lib/child.ts'
import { type Fan, FLOOR, PEERS, WEIRS } from '../lib/fans.ts'
import { until, useWhile } from '../lib/measure.ts'
import { usageOf } from '../lib/process-tree.ts'
import { startWeir } from '../lib/weir.ts'
import type { Ask, Counted } from '../subjects/subscribers.ts'

const MESSAGE_BYTES = 400
/** The maximum of the topology, which batches changes for a tenth of a second. */
const PER_SECOND = 8
/** Weir's schedules run every 5 s: any other window would contain more or fewer of them by chance. */
const WINDOW_MS = 5_000
/** Deliveries in a window below which the CPU clock, with ticks of 10 ms, is too coarse for a single one. */
const FEW = 20_000
const ROUNDS = 1
/** Settling time after the start, before the measurement. */
const SETTLE_MS = 700
/** How long everyone serves one subscriber before memory is measured. */
const WARM_MS = 5_000
const SHORT = { settleMs: 200, windowMs: 400, warmMs: 400 }

/** The cost of serving this many subscribers. */
interface Served {
  name: string
  subscribers: number
  perSecond: number
  deliveries: number
  cpuSeconds: number
  /** CPU per second without any messages. */
  idleSeconds: number
  /** Size of a message on the wire. */
  wireBytes: number
  /** Memory above that with one subscriber. */
  bytesPerSubscriber: number
}

/** A program with all its subscribers. */
interface Crowd {
  fan: Fan
  ask(what: Ask): Promise<Counted>
  /** Memory with one subscriber that it has served for a while. */
  emptyBytes: number
  /** CPU per second without any messages. */
  idleSeconds: number
  /** By messages per second. */
  served: Map<number, Served>
}

export default {
  title: 'what does sending a message to many subscribers cost?',
  limits: [
    "Sending costs as much as with the bare stream: one encoded frame for all, written by Bun's direct streams. The rest is Weir's own work: the poll or report, and parsing, storing and measuring it, mostly in statements on the embedded database. With 1,000 subscribers that exceeds the cost of sending, so no way to send could reach the goal.",
    "Kept: the queries of many simultaneous subscribers are one statement, queues are polled less often, a worker's heartbeat is one statement. Tried, but not kept: polling all queues only every 5 s (a frozen worker's streams were once not found in time).",
  ],
  async run(context) {
    const all: Served[] = []
    const missing = new Set<string>()
    for (const subscribers of context.short ? [50] : [1_000, 5_000]) {
      all.push(...(await compare(subscribers, missing, context)))
    }
    return report(all, [...missing], context)
  },
} satisfies Bench

async function compare(subscribers: number, missing: Set<string>, context: Context): Promise<Served[]> {
  await using scope = new AsyncDisposableStack()
  const crowds: Crowd[] = []
  const own = () => startWeir('embedded', scope)
  const shared = context.short ? own() : undefined
  const starts = [...PEERS, ...WEIRS].map((start) => start(scope, () => shared ?? own()))
  const started = await Promise.allSettled(starts)
  for (const each of started) {
    if (each.status === 'fulfilled') crowds.push(await begin(each.value, scope))
    else if (each.reason instanceof PeerMissing) missing.add(each.reason.message)
    else throw each.reason
  }
  await Promise.all(crowds.map((crowd) => warm(crowd, context)))
  for (const crowd of crowds) await gather(crowd, subscribers)
  await Promise.all(crowds.map((crowd) => idle(crowd, context)))
  // Peers send at every rate that some part of Weir uses.
  const rates = new Set(crowds.map(rateOf))
  const peers = crowds.slice(0, -WEIRS.length)
  for (let round = 0; round < (context.short ? 1 : ROUNDS); round++) {
    for (const rate of rates) {
      const theirs = crowds.slice(peers.length).filter((crowd) => rateOf(crowd) === rate)
      const others = context.short && rate !== PER_SECOND ? [] : peers
      for (const crowd of [...others, ...theirs]) await measure(crowd, subscribers, rate, context)
    }
  }
  const all = crowds.flatMap(({ served }) => [...served.values()])
  for (const served of all) context.log(JSON.stringify(served))
  return all
}

function rateOf({ fan }: Crowd): number {
  return fan.perSecond ?? PER_SECOND
}

/** Connects the first subscriber. */
async function begin(fan: Fan, scope: AsyncDisposableStack): Promise<Crowd> {
  const child = startChild(['bun', 'bench/subjects/subscribers.ts'], scope)
  const ask = (what: Ask) => child.ask<Counted>(what)
  await ask({ do: 'join', url: fan.url, count: 1 })
  return { fan, ask, emptyBytes: 0, idleSeconds: 0, served: new Map() }
}

/** Allocations on first use, and those of compiling hot code, aren't caused by subscribers. */
async function warm(crowd: Crowd, { short }: Context): Promise<void> {
  const { fan } = crowd
  await fan.ask({ do: 'send', perSecond: PER_SECOND, bytes: bytesOf(fan) })
  await Bun.sleep(short ? SHORT.warmMs : WARM_MS)
  await fan.ask({ do: 'hush' })
  await Bun.sleep(short ? SHORT.settleMs : SETTLE_MS)
  crowd.emptyBytes = usageOf(fan.roots).memoryBytes
}

/** Connects all subscribers. */
async function gather({ fan, ask }: Crowd, subscribers: number): Promise<void> {
  const { open } = await ask({ do: 'join', url: fan.url, count: subscribers - 1 })
  if (open !== subscribers) throw new Error(`${fan.name} has ${open} of ${subscribers} subscribers`)
}

/** Measures all of them at once, since they are idle. */
async function idle(crowd: Crowd, { short }: Context): Promise<void> {
  await Bun.sleep(short ? SHORT.settleMs : SETTLE_MS)
  const used = await useWhile(crowd.fan.roots, short ? SHORT.windowMs : WINDOW_MS)
  crowd.idleSeconds = used.cpuSeconds / used.seconds
}

async function measure(
  { fan, ask, emptyBytes, idleSeconds, served }: Crowd,
  subscribers: number,
  perSecond: number,
  { short }: Context,
): Promise<void> {
  const settleMs = short ? SHORT.settleMs : SETTLE_MS
  const { sent: sentBefore } = await fan.ask({ do: 'hush' })
  await Bun.sleep(settleMs)
  await ask({ do: 'reset' })
  await fan.ask({ do: 'send', perSecond, bytes: bytesOf(fan) })
  await Bun.sleep(settleMs)
  const before = await ask({ do: 'tell' })
  const used = await useWhile(fan.roots, short ? SHORT.windowMs : windowOf(subscribers, perSecond))
  const after = await ask({ do: 'tell' })
  const { sent } = await fan.ask({ do: 'hush' })
  await complete(fan, subscribers, sent - sentBefore, ask)
  const deliveries = after.messages - before.messages
  const last = served.get(perSecond)
  served.set(perSecond, {
    name: fan.name,
    subscribers,
    perSecond,
    deliveries: deliveries + (last?.deliveries ?? 0),
    cpuSeconds: used.cpuSeconds + (last?.cpuSeconds ?? 0),
    idleSeconds,
    wireBytes: (after.bytes - before.bytes) / deliveries,
    bytesPerSubscriber: (used.memoryBytes - emptyBytes) / subscribers,
  })
}

/** Length of a window, in milliseconds. */
function windowOf(subscribers: number, perSecond: number): number {
  const deliveries = (subscribers * perSecond * WINDOW_MS) / 1000
  return deliveries < FEW ? 2 * WINDOW_MS : WINDOW_MS
}

function bytesOf({ envelopeBytes = 0 }: Fan): number {
  return MESSAGE_BYTES - envelopeBytes
}

/**
 * Waits until every subscriber has received everything once.
 * @throws Error if one doesn't, or receives more
 */
async function complete(
  { name, gathers = false }: Fan,
  subscribers: number,
  sent: number,
  ask: Crowd['ask'],
): Promise<void> {
  let counted = await ask({ do: 'tell' })
  const isComplete = () =>
    counted.fewest === counted.most && (gathers ? counted.most > 0 : counted.most >= sent)
  const look = async () => {
    counted = await ask({ do: 'tell' })
    return isComplete()
  }
  await until(`${name}: all have what was sent`, look, 10_000)
  if (counted.most <= sent && counted.open === subscribers) return
  throw new Error(`${name}: ${sent} messages were sent: ${JSON.stringify(counted)}`)
}

function report(all: readonly Served[], missing: readonly string[], { short }: Context): Report {
  const rows = all.map((served) => {
    const floor = beside(all, FLOOR, served)
    return [
      served.name,
      served.subscribers.toLocaleString('en'),
      served.perSecond.toString(),
      Math.round(perCpuSecond(served)).toLocaleString('en'),
      floor === undefined ? '–' : (perCpuSecond(served) / perCpuSecond(floor)).toFixed(2),
      (served.idleSeconds * 1000).toFixed(0),
      served.wireBytes.toFixed(0),
      (served.bytesPerSubscriber / 1024).toFixed(1),
    ]
  })
  return {
    method:
      `Messages of about ${MESSAGE_BYTES} bytes from one source to all subscribers, which are raw sockets of a process that isn’t ` +
      `measured, for ${short ? SHORT.windowMs / 1000 : `${(ROUNDS * WINDOW_MS) / 1000}`} s in turns (${(2 * ROUNDS * WINDOW_MS) / 1000} s for fewer than ${FEW.toLocaleString('en')} deliveries). Each program is a separate process; ` +
      'its subscribers connect before the measurement, and it serves one of them for a while before its memory is first read. Weir polls, parses, stores and measures what it sends, on its ' +
      'embedded database, and all of that counts; its usage without any messages is listed separately. The proxy is polled at its ' +
      'shortest interval. Every subscriber is checked to receive every message once.',
    tables: [
      {
        columns: [
          'program',
          'subscribers',
          'messages/s',
          'deliveries/CPU s',
          '× bare',
          'idle ms/s',
          'bytes/message',
          'KiB/subscriber',
        ],
        rows,
      },
    ],
    goals: short ? [] : goals(all),
    notes: missing.map((peer) => `Missing: ${peer}.`),
  }
}

function goals(all: readonly Served[]): Goal[] {
  return all
    .filter(({ name }) => name.startsWith('Weir'))
    .flatMap((served) => {
      const who = `${served.name}, ${served.subscribers.toLocaleString('en')}`
      const others = ['nginx, nchan', 'better-sse, Node'].flatMap((name) => beside(all, name, served) ?? [])
      const floor = beside(all, FLOOR, served)
      const share = perCpuSecond(served) / perCpuSecond(floor ?? served)
      const nchan = others.find(({ name }) => name === 'nginx, nchan')
      return [
        {
          text: `${who}: deliveries per CPU second ≥ 0.9 × the bare stream`,
          measured: `${share.toFixed(2)} ×`,
          reached: share >= 0.9,
        },
        ...others.map((other) => ({
          text: `${who}: deliveries per CPU second above ${other.name}`,
          measured: `${(perCpuSecond(served) / perCpuSecond(other)).toFixed(2)} ×`,
          reached: perCpuSecond(served) > perCpuSecond(other),
        })),
        ...(nchan === undefined
          ? []
          : [
              {
                text: `${who}: memory per subscriber below nchan`,
                measured: `${(served.bytesPerSubscriber / nchan.bytesPerSubscriber).toFixed(2)} ×`,
                reached: served.bytesPerSubscriber < nchan.bytesPerSubscriber,
              },
            ]),
      ]
    })
}

/** Another program under the same load. */
function beside(
  all: readonly Served[],
  name: string,
  { subscribers, perSecond }: Served,
): Served | undefined {
  return all.find(
    (each) => each.name === name && each.subscribers === subscribers && each.perSecond === perSecond,
  )
}

function perCpuSecond({ deliveries, cpuSeconds }: Served): number {
  // In a short run, a clock with ticks of 10 ms may not have advanced.
  return deliveries / Math.max(0.01, cpuSeconds)
}
