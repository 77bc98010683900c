import type { Traffic } from './graph/graph.ts'
import { type Random, randomFor } from './random.ts'
import { type SimWorld, untilClosed } from './world.ts'

/** Maximum generators. */
export const MAX_GENERATORS = 50
/** Maximum rate of one generator: a thousand a second. */
export const MAX_PER_MINUTE = 60_000
/** Concurrent activations: the default, and the maximum. */
const DEFAULT_CONCURRENCY = 25
export const MAX_CONCURRENCY = 1_000
/** The wait between two steady activations is its mean plus or minus up to this share of it. */
const JITTER = 0.5
/** Activations of one burst. */
const BURST = 10
/** How far the daily peak, at 12:00 UTC, and the trough, at 0:00, are from the mean, as a share of it. */
const DAILY_SWING = 0.8
/** Shorter waits are combined: timers aren't more precise, and each has a cost. */
const SHORTEST_SLEEP_MS = 10
/** Up to this much timer lateness is made up for; a machine that slept doesn't catch up. */
const MAX_CAUGHT_UP_MS = 1_000
/** Longer than the slowest path through the sample graph. */
const TRAFFIC_TIMEOUT_MS = 30_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const COLORS = ['gold', 'orange', 'violet', 'cyan', 'lime'] as const

interface Target {
  name: string
  url: string
}

export interface TrafficOptions {
  services: readonly Target[]
  seed: number
  world: SimWorld
  closing: AbortSignal
}

/** The traffic of a simulation, which can be replaced at any time. */
export class TrafficControl {
  readonly #options: TrafficOptions
  readonly #running = new Set<Promise<void>>()
  #current: readonly Traffic[] = []
  #stop = new AbortController()

  constructor(options: TrafficOptions) {
    this.#options = options
  }

  get current(): readonly Traffic[] {
    return this.#current
  }

  /** Resolves once the simulation is closing and no generator runs any more. */
  get ended(): Promise<void> {
    const { closing } = this.#options
    const closed = closing.aborted
      ? Promise.resolve()
      : new Promise<void>((resolve) => closing.addEventListener('abort', () => resolve(), { once: true }))
    return closed.then(async () => void (await Promise.all(this.#running)))
  }

  /** Replaces all generators; each starts its random choices over. A generator for an unknown service sends nothing. */
  set(traffic: readonly Traffic[]): void {
    const { services, seed, world, closing } = this.#options
    this.#stop.abort()
    this.#stop = new AbortController()
    this.#current = traffic
    const stop = AbortSignal.any([this.#stop.signal, closing])
    for (const [position, each] of traffic.entries()) {
      const target = services.find(({ name }) => name === each.entry)
      if (target === undefined || each.perMinute <= 0) continue
      const random = randomFor(seed, position === 0 ? 'traffic' : `traffic ${position}`)
      const run = untilClosed(stop, () =>
        sendTraffic({ target, traffic: each, random, closing }, world, stop),
      )
      this.#running.add(run)
      void run.finally(() => this.#running.delete(run))
    }
  }
}

interface Generator {
  target: Target
  traffic: Traffic
  random: Random
  closing: AbortSignal
}

/**
 * Activates a service again and again, whatever it responds.
 * @throws AbortError when `stop` aborts; requests in progress continue until they are answered, or `closing` aborts.
 */
async function sendTraffic(
  { target, traffic, random, closing }: Generator,
  world: SimWorld,
  stop: AbortSignal,
): Promise<never> {
  const { concurrency = DEFAULT_CONCURRENCY } = traffic
  const wait = waits(traffic, random)
  let underWay = 0
  const activate = async () => {
    underWay++
    await post(target, COLORS[Math.floor(random() * COLORS.length)] ?? COLORS[0], world, closing)
    underWay--
  }
  for (let lateMs = 0; ; ) {
    let sleepMs = -lateMs
    let due = 0
    while (sleepMs < SHORTEST_SLEEP_MS) {
      const { afterMs, activations } = wait(world.now())
      sleepMs += afterMs
      due += activations
    }
    const asleepAt = world.now()
    await world.sleep(sleepMs, stop)
    lateMs = Math.min(MAX_CAUGHT_UP_MS, Math.max(0, world.now() - asleepAt - sleepMs))
    for (; due > 0; due--) if (underWay < concurrency) void activate()
  }
}

/** The wait until the next activations, and how many there are then. */
interface Wait {
  afterMs: number
  activations: number
}

/** Draws the waits of a generator with `perMinute` above 0. */
export function waits(
  { perMinute, shape }: Pick<Traffic, 'perMinute' | 'shape'>,
  random: Random,
): (now: number) => Wait {
  const meanMs = MINUTE_MS / perMinute
  const exponentialMs = () => -Math.log1p(-random()) * meanMs
  if (shape === 'poisson') return () => ({ afterMs: exponentialMs(), activations: 1 })
  if (shape === 'daily') return (now) => ({ afterMs: exponentialMs() / dailyFactor(now), activations: 1 })
  if (shape === 'burst') return () => ({ afterMs: BURST * meanMs, activations: BURST })
  return () => ({ afterMs: meanMs * (1 - JITTER + 2 * JITTER * random()), activations: 1 })
}

/** The traffic at a time of day as a multiple of the mean, in UTC. */
function dailyFactor(now: number): number {
  return 1 - DAILY_SWING * Math.cos((2 * Math.PI * (now % DAY_MS)) / DAY_MS)
}

async function post(
  { name, url }: Target,
  color: string,
  world: SimWorld,
  closing: AbortSignal,
): Promise<void> {
  try {
    const response = await world.fetch(`${url}/activate`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ item: name, color }),
      keepalive: false,
      signal: AbortSignal.any([AbortSignal.timeout(TRAFFIC_TIMEOUT_MS), closing]),
    })
    await response.body?.cancel()
  } catch {
    // The service counts and reports its failures itself.
  }
}
