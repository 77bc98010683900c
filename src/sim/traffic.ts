import type { Random } from './random.ts'
import type { World } from './world.ts'

/** Activations under way at a time. At the bound one is left out: the graph is slower than its traffic. */
const MAX_UNDER_WAY = 25
/** The wait between two activations is its mean plus or minus up to this part of it. */
const JITTER = 0.5
/** Longer than the slowest way through the sample graph. */
const TRAFFIC_TIMEOUT_MS = 30_000
const MINUTE_MS = 60_000

const COLORS = ['gold', 'orange', 'violet', 'cyan', 'lime'] as const

export interface TrafficOptions {
  /** The service that is activated. */
  target: { name: string; url: string }
  /** Activations per minute, more than 0. */
  perMinute: number
  random: Random
}

/**
 * Activates a service again and again, whatever it answers.
 * @throws AbortError when `closing` aborts.
 */
export async function sendTraffic(
  { target, perMinute, random }: TrafficOptions,
  world: World,
  closing: AbortSignal,
): Promise<never> {
  let underWay = 0
  const activate = async () => {
    underWay++
    await post(target, COLORS[Math.floor(random() * COLORS.length)] ?? COLORS[0], world, closing)
    underWay--
  }
  for (;;) {
    const meanMs = MINUTE_MS / perMinute
    await world.sleep(meanMs * (1 - JITTER + 2 * JITTER * random()), closing)
    if (underWay < MAX_UNDER_WAY) void activate()
  }
}

async function post(
  { name, url }: TrafficOptions['target'],
  color: string,
  world: World,
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
