import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { states, workers } from '../../drizzle/schema.ts'
import type { ServiceSpec } from '../../src/sim/graph/graph.ts'
import { loadGraph } from '../../src/sim/graph/load-graph.ts'
import { randomFor } from '../../src/sim/random.ts'
import { startSimulation } from '../../src/sim/start.ts'
import { worldOn } from '../incidents/support.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { addPast, addSolved, type Before, type Outage } from './past.ts'

/** A Weir that has followed the simulated shop for weeks, on a day on which some of it goes wrong. */
export interface Scene {
  weir: TestWeir
  /** Ids by what they are of. */
  ids: { feed: string; change: number; incident: string; channel: string }
}

/** The shop's own ports first, so that the pictures show the same addresses each time. */
const PORT_BASES = [5_100, 15_100, 25_100, 35_100]
const STATE_INTERVAL_MS = 5_000
/** What one service tells, as the shop's traffic makes it on average. */
const EVENTS_A_MINUTE = 62
/** Eight weeks: what a week looks like is told by so many. */
const FEED_HOURS = 8 * 7 * 24
const SHORT_SILENCE_MS = 5_000
/** What has to be there before anything is shown: a log with changes, and services with calls. */
const CHANGES = 12
const CALLS = 25
/** So much less than usual is asked of the shop: a machine that is slow doesn't add failures of its own. */
const CALM = 2
/** Longest that a state of things is waited for, in milliseconds. */
const PATIENCE_MS = 180_000

/** What went wrong before, by stream. */
const OUTAGES: Record<string, Outage> = {
  'price feed': { hoursAgo: 9, minutes: 22 },
  'catalog feed': { hoursAgo: 33, minutes: 7 },
}

/** What is wrong in the shop today, by service. */
const FAULTS: Record<string, object> = {
  bank: { reset: true },
  fraud: { sse: { stall: true } },
  recommendations: { errorRate: 0.6, latencyMs: { p50: 120, p90: 300, p99: 900 } },
  search: { latencyMs: { p50: 90, p90: 250, p99: 600 } },
}

/** Starts it all; what is deferred in `scope` ends it. */
export async function startScene(seed: number, scope: AsyncDisposableStack): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-shots-'))
  scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const { services, traffic } = await shop(seed)
  const port = freePort()
  const simulation = await startSimulation({
    ...{ services, traffic, seed },
    web: `http://127.0.0.1:${port}`,
    register: false,
  })
  scope.defer(() => simulation.close())
  const urlOf = (name: string) => simulation.services.find((service) => service.name === name)?.url as string
  await remember(directory, services, urlOf, seed)
  const weir = await startTestWeir({ DATA_DIR: directory, PORT: String(port) })
  scope.defer(() => weir.close())
  for (const [name, faults] of Object.entries(FAULTS))
    await fetch(`${urlOf(name)}/faults`, { method: 'PUT', body: JSON.stringify(faults) })
  const channel = await addPeople(weir, scope)
  await weir.register({
    ...{ url: `${urlOf('stock')}/feed`, kind: 'poll', intervalMs: 1_000, twin: true },
    ...{ name: 'stock feed', tags: ['shop', 'warehouse'] },
  })
  await weir.send('POST', '/api/streams/stop?tag=reporting')
  return { weir, ids: { channel, ...(await settled(weir)) } }
}

async function shop(seed: number) {
  const portBase = PORT_BASES.find((base) => range(base).every(isFree))
  const loaded = await loadGraph({ which: 'shop', portBase: portBase ?? 0 }, seed)
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'))
  const { services, traffic } = loaded.graph
  const calm = traffic.map((each) => ({ ...each, perMinute: each.perMinute / CALM }))
  return { services, traffic: calm }
}

function range(base: number): number[] {
  return Array.from({ length: 25 }, (_, index) => base + index)
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop()
    return true
  } catch {
    return false
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop()
  return port
}

/** Stores what was before: the shop's streams with their weeks, and a supplier that went away an hour ago. */
async function remember(
  directory: string,
  services: readonly ServiceSpec[],
  urlOf: (name: string) => string,
  seed: number,
): Promise<void> {
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const now = Date.now()
  const world = worldOn(storage, () => storage.close())
  world.now = now - 3_600_000
  const ids = await world.add(1, () => 'supplier.test', {
    name: 'supplier prices',
    url: 'https://supplier.test/prices',
    tags: ['supplier'],
  })
  await world.set(ids, 'dead', {
    lastError: { code: 'dns_failed', message: 'supplier.test was not found.', at: world.now },
  })
  await storage.db
    .update(states)
    .set({ statusReason: 'Failed 7 times in 15 min. Last error: supplier.test was not found.' })
  await world.look(20)
  await storage.db.delete(workers)
  const past = services.flatMap((service) => streamsOf(service, urlOf(service.name)))
  const added = await addPast(storage.db, past, randomFor(seed, 'past'), now)
  const idOf = (name: string) => added.get(name) as string
  await addSolved(
    storage.db,
    [
      {
        streamId: idOf('price feed'),
        title: 'price feed is stalled',
        detail: 'No answer for 41 s.',
        ...(OUTAGES['price feed'] as Outage),
      },
      {
        streamId: idOf('catalog feed'),
        title: 'catalog feed is stalled',
        detail: 'No answer for 47 s.',
        ...(OUTAGES['catalog feed'] as Outage),
      },
    ],
    now,
  )
  await world.close()
}

/** As the simulation itself registers them; the stock's feed is left for a twin. */
function streamsOf({ name, lab }: ServiceSpec, url: string): Before[] {
  const tags = [
    'shop',
    ...(lab?.group === undefined ? [] : [lab.group]),
    ...(name === 'reporting' ? [name] : []),
  ]
  const shared = { changeRate: 0.9, hours: 3, answerMs: 4, hasRhythm: false }
  const silenceMs = name === 'fraud' ? SHORT_SILENCE_MS : null
  const state = {
    name: `${name} state`,
    url: `${url}/state`,
    kind: 'poll',
    intervalMs: STATE_INTERVAL_MS,
  } as const
  const events = { name: `${name} events`, url: `${url}/events`, kind: 'sse', silenceMs } as const
  const { feed } = lab ?? {}
  const both: Before[] = [
    { ...shared, stream: { ...state, tags }, documentBytes: 300, perMinute: 60_000 / STATE_INTERVAL_MS },
    { ...shared, stream: { ...events, tags }, documentBytes: 140, perMinute: EVENTS_A_MINUTE },
  ]
  if (feed === undefined || name === 'stock') return both
  const { intervalMs, items, itemBytes, changeRate } = feed
  const stream = { name: `${name} feed`, url: `${url}/feed`, kind: 'poll', intervalMs, tags } as const
  const documentBytes = items * (itemBytes + 34)
  const perMinute = 60_000 / intervalMs
  const outage = OUTAGES[stream.name]
  const outages = outage === undefined ? [] : [outage]
  return [
    ...both,
    {
      stream,
      documentBytes,
      changeRate,
      perMinute,
      outages,
      answerMs: 6,
      hours: FEED_HOURS,
      hasRhythm: true,
    },
  ]
}

/** Who is told, what they asked for, and when they want their peace. @returns id of a channel */
async function addPeople(weir: TestWeir, scope: AsyncDisposableStack): Promise<string> {
  const sink = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('ok') })
  scope.defer(() => sink.stop(true))
  const url = `http://127.0.0.1:${sink.port}`
  const secret = `whsec_${btoa('0123456789abcdef0123456789abcdef')}`
  const channels = [
    { name: 'Night shift', kind: 'webhook', config: { url: `${url}/night`, secret }, isDefault: true },
    {
      name: 'Shop team',
      kind: 'slack',
      config: { url: `${url}/services/shop` },
      tags: ['orders', 'catalog'],
    },
    { name: 'On call', kind: 'ntfy', config: { url: `${url}/on-call` }, tags: ['supplier'] },
  ]
  const ids: string[] = []
  for (const channel of channels) {
    const added = await weir.send('POST', '/api/channels', channel)
    if (added.status !== 201) throw new Error(`No channel: ${await added.text()}`)
    const { id } = (await added.json()) as { id: string }
    ids.push(id)
    await weir.send('POST', `/api/channels/${id}/test`)
  }
  const endsAt = new Date(Date.now() + 7_200_000).toISOString()
  await weir.send('POST', '/api/silences', { reason: 'The bank moves its servers', tag: 'outside', endsAt })
  await weir.send('POST', '/api/rules', {
    name: 'Too many errors',
    kind: 'errorRate',
    params: { above: 0.5 },
  })
  return ids[0] as string
}

/** Waits until every page has something to show. */
async function settled(weir: TestWeir): Promise<Omit<Scene['ids'], 'channel'>> {
  const wait = <T>(what: string, look: () => Promise<T | undefined | false>) => until(what, look, PATIENCE_MS)
  const { items } = await weir.json<{ items: { id: string; name: string }[] }>('/api/streams?q=price+feed')
  const feed = items.find(({ name }) => name === 'price feed')?.id as string
  const patches = await wait('a document has changed often', async () => {
    const found = await weir.logs(feed, '&kind=patch')
    return found.length >= CHANGES && found
  })
  await wait('each status is there', async () => {
    const { statuses } = await weir.json<{ statuses: Record<string, number> }>('/api/status')
    const { live = 0, stalled = 0, dead = 0, stopped = 0 } = statuses
    return live > 40 && stalled > 0 && dead > 0 && stopped > 0 && (statuses['backing-off'] ?? 0) > 0
  })
  await wait('the availability of the last 24 h is there', async () => {
    const { availability } = await weir.json<{ availability: number | null }>(`/api/streams/${feed}/status`)
    return availability !== null
  })
  await wait('the services have called each other', async () => {
    const { calls } = await weir.json<{ calls: { from: string; count: number }[] }>('/api/topology')
    const made = calls.filter(({ from }) => from === 'web').reduce((sum, { count }) => sum + count, 0)
    return made >= CALLS
  })
  const open = await weir.json<{ items: { id: string }[] }>('/api/incidents?state=open')
  return { feed, change: Math.max(...patches.map(({ seq }) => seq)), incident: open.items[0]?.id as string }
}
