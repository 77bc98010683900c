import type { Traffic } from './graph/graph.ts'
import { type Random, randomFor } from './random.ts'
import { untilClosed, type World } from './world.ts'

/** Generators at a time. */
export const MAX_GENERATORS = 50
/** The most that one generator sends: a thousand a second. */
export const MAX_PER_MINUTE = 60_000
/** Activations under way at a time, unless a generator says otherwise, and at most. */
const DEFAULT_CONCURRENCY = 25
export const MAX_CONCURRENCY = 1_000
/** The wait between two steady activations is its mean plus or minus up to this part of it. */
const JITTER = 0.5
/** Activations of one burst. */
const BURST = 10
/** How far a day's peak, at 12:00 UTC, and its trough, at 0:00, lie from the mean, as a part of it. */
const DAILY_SWING = 0.8
/** Shorter waits are gathered: a timer is no finer, and each costs. */
const SHORTEST_SLEEP_MS = 10
/** What a timer was late by is made up for up to this; a machine that slept doesn't catch up. */
const MAX_CAUGHT_UP_MS = 1_000
/** Longer than the slowest way through the sample graph. */
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
  world: World
  closing: AbortSignal
}

/** The traffic of a simulation, which may be another at any time. */
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

  /** Resolves once the simulation closes and no generator runs any more. */
  get ended(): Promise<void> {
    const { closing } = this.#options
    const closed = closing.aborted
      ? Promise.resolve()
      : new Promise<void>((resolve) => closing.addEventListener('abort', () => resolve(), { once: true }))
    return closed.then(async () => void (await Promise.all(this.#running)))
  }

  /** Replaces all generators; each begins its random choices anew. One for a service that isn't there sends nothing. */
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
 * Activates a service again and again, whatever it answers.
 * @throws AbortError when `stop` aborts; what is under way goes on until it is answered, or `closing` aborts.
 */
async function sendTraffic(
  { target, traffic, random, closing }: Generator,
  world: World,
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

/** The wait until activations come, and how many come then. */
interface Wait {
  afterMs: number
  activations: number
}

/** Draws the waits of a generator whose `perMinute` is more than 0. */
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

/** How many times the mean is sent at that moment, by the clock of UTC. */
function dailyFactor(now: number): number {
  return 1 - DAILY_SWING * Math.cos((2 * Math.PI * (now % DAY_MS)) / DAY_MS)
}

async function post({ name, url }: Target, color: string, world: World, closing: AbortSignal): Promise<void> {
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
