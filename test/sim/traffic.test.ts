import { expect, test } from 'bun:test'
import type { Traffic } from '../../src/sim/graph/graph.ts'
import { randomFor } from '../../src/sim/random.ts'
import { TrafficControl, waits } from '../../src/sim/traffic.ts'
import type { World } from '../../src/sim/world.ts'
import { deadUrl, recordingServer, spec, start, until } from './support.ts'

const SEED = 20_261_122
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** A world whose clock stands until it is moved, and in which a service answers as it is told. */
function heldWorld(answer: () => Promise<Response> = async () => new Response()) {
  let now = 0
  let sleepers: { at: number; wake: () => void }[] = []
  const sent: { url: string; at: number }[] = []
  let sleeps = 0
  const world: World = {
    now: () => now,
    log: () => {},
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        sleeps++
        sleepers.push({ at: now + ms, wake: resolve })
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
    fetch: (url) => {
      sent.push({ url, at: now })
      return answer()
    },
  }
  /** Moves the clock, waking whoever is due on the way, each at its own moment. */
  const pass = async (ms: number) => {
    const end = now + ms
    for (;;) {
      // What was woken goes to sleep again before the next is.
      await new Promise(setImmediate)
      const next = sleepers.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      sleepers = sleepers.filter((sleeper) => sleeper !== next)
      now = next.at
      next.wake()
    }
    now = end
  }
  return { world, sent, pass, sleeps: () => sleeps }
}

function traffic(generators: Traffic[], held: ReturnType<typeof heldWorld>) {
  const closing = new AbortController()
  const services = ['a', 'b'].map((name) => ({ name, url: `http://${name}` }))
  const control = new TrafficControl({ services, seed: SEED, world: held.world, closing: closing.signal })
  control.set(generators)
  return {
    control,
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await control.ended
    },
  }
}

test.each(['steady', 'poisson', 'burst', 'daily'] as const)(
  '%s traffic sends its rate on average',
  async (shape) => {
    console.log(`seed ${SEED}`)
    const held = heldWorld()
    await using _ = traffic([{ entry: 'a', perMinute: 2, shape }], held)
    await held.pass(24 * HOUR_MS)
    expect(held.sent.length).toBeGreaterThan(2_880 * 0.9)
    expect(held.sent.length).toBeLessThan(2_880 * 1.1)
  },
)

test('each shape spreads its activations in its own way', () => {
  const drawn = (shape: Traffic['shape'], now = 0) => {
    const wait = waits({ perMinute: 60, ...(shape && { shape }) }, randomFor(SEED, 'shape'))
    return Array.from({ length: 5_000 }, () => wait(now))
  }
  const after = (shape: Traffic['shape'], now?: number) => drawn(shape, now).map(({ afterMs }) => afterMs)
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  expect(Math.min(...after('steady'))).toBeGreaterThanOrEqual(500)
  expect(Math.max(...after('steady'))).toBeLessThanOrEqual(1_500)
  // Of independent arrivals, 1 - 1/e come sooner than the mean.
  expect(after('poisson').filter((ms) => ms < 1_000).length / 5_000).toBeCloseTo(1 - 1 / Math.E, 1)
  expect(
    new Set(drawn('burst').map(({ afterMs, activations }) => `${activations} after ${afterMs}`)),
  ).toEqual(new Set(['10 after 10000']))
  expect(mean(after('daily', 0)) / mean(after('daily', 12 * HOUR_MS))).toBeCloseTo(9, 5)
})

test('a thousand a second are sent, though no timer is that fine', async () => {
  const held = heldWorld()
  await using _ = traffic([{ entry: 'a', perMinute: 60_000, concurrency: 1_000 }], held)
  await held.pass(2_000)
  expect(held.sent.length).toBeGreaterThan(1_900)
  expect(held.sent.length).toBeLessThan(2_100)
  expect(held.sleeps()).toBeLessThan(250)
})

test('at its bound of activations under way a generator leaves them out, until one is answered', async () => {
  const leave = Promise.withResolvers<Response>()
  const held = heldWorld(() => leave.promise)
  await using _ = traffic([{ entry: 'a', perMinute: 60, concurrency: 3 }], held)
  await held.pass(MINUTE_MS)
  expect(held.sent).toHaveLength(3)
  leave.resolve(new Response())
  await held.pass(MINUTE_MS)
  expect(held.sent.length).toBeGreaterThan(50)
})

test('the same seed sends at the same moments', async () => {
  const moments = async () => {
    const held = heldWorld()
    await using _ = traffic(
      [
        { entry: 'a', perMinute: 60, shape: 'poisson' },
        { entry: 'b', perMinute: 10 },
      ],
      held,
    )
    await held.pass(10 * MINUTE_MS)
    return held.sent
  }
  const first = await moments()
  expect(new Set(first.map(({ url }) => url))).toEqual(new Set(['http://a/activate', 'http://b/activate']))
  expect(await moments()).toEqual(first)
})

test('other traffic takes the place of all that was', async () => {
  const held = heldWorld()
  await using running = traffic([{ entry: 'a', perMinute: 60 }], held)
  await held.pass(MINUTE_MS)
  const before = held.sent.length
  running.control.set([{ entry: 'b', perMinute: 60 }])
  await held.pass(MINUTE_MS)
  expect(before).toBeGreaterThan(50)
  expect(new Set(held.sent.slice(before).map(({ url }) => url))).toEqual(new Set(['http://b/activate']))
  running.control.set([])
  const after = held.sent.length
  await held.pass(HOUR_MS)
  expect(held.sent).toHaveLength(after)
})

async function controlled() {
  const sim = await start({
    services: [spec('a', { timeoutMs: 1 }), spec('b', { timeoutMs: 1 })],
    web: await deadUrl(),
    traffic: [{ entry: 'a', perMinute: 0 }],
    controlPort: 0,
  })
  const put = (body: unknown) =>
    fetch(`${sim.controlUrl}/traffic`, {
      method: 'PUT',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { ...sim, put }
}

test('the control port shows what runs, and changes the traffic while it does', async () => {
  await using sim = await controlled()
  const shown = await (await fetch(sim.controlUrl ?? '')).json()
  expect(shown).toMatchObject({ seed: 1, traffic: [{ to: 'a', perMinute: 0 }] })
  expect(shown.services).toHaveLength(2)
  const requests = async () => (await (await fetch(`${sim.services[1]?.url}/state`)).json()).requests
  expect(await requests()).toBe(0)
  const changed = await sim.put([{ to: 'b', perSecond: 50, shape: 'poisson', concurrency: 5 }])
  expect(await changed.json()).toEqual([{ to: 'b', perMinute: 3_000, shape: 'poisson', concurrency: 5 }])
  let seen = 0
  void (async () => {
    while (seen === 0) seen = await requests()
  })()
  await until(() => seen > 0)
  expect(await (await fetch(`${sim.controlUrl}/traffic`)).json()).toHaveLength(1)
})

test.each([
  ['no JSON', '{', 'traffic', 'traffic: expected a list, got nothing'],
  ['fields', {}, 'traffic', 'traffic: expected a list, got fields'],
  ['nobody', [{ to: 'z', perMinute: 1 }], 'traffic[0].to', 'traffic[0].to: there is no service "z"'],
  [
    'too many',
    [{ to: 'a', perSecond: 1_001 }],
    'traffic[0].perSecond',
    'traffic[0].perSecond: expected a number from 0 to 1000, got 1001',
  ],
])('traffic that is %s is refused, and what was goes on', async (_, body, field, detail) => {
  await using sim = await controlled()
  const refused = await sim.put(body)
  expect(refused.status).toBe(422)
  expect(refused.headers.get('Content-Type')).toContain('application/problem+json')
  expect((await refused.json()) as object).toMatchObject({
    code: 'invalid_traffic',
    field,
    detail: expect.stringContaining(detail),
  })
  expect(await (await fetch(`${sim.controlUrl}/traffic`)).json()).toEqual([{ to: 'a', perMinute: 0 }])
})

test('a control port that is taken is said, and nothing stays open', async () => {
  await using other = recordingServer(() => new Response())
  const failure = await start({
    services: [spec('a')],
    web: await deadUrl(),
    controlPort: Number(new URL(other.url).port),
  }).catch((error: unknown) => error)
  expect(String(failure)).toContain('--control')
})
