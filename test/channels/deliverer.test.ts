import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { channels, deliveries } from '../../drizzle/schema.ts'
import { Channels } from '../../src/channels/channels.ts'
import { ATTEMPT_MS, Deliverer, MAX_IN_FLIGHT, RETRY_DELAYS_MS } from '../../src/channels/deliverer.ts'
import {
  forgetDeliveries,
  KEEP_MS,
  KEEP_PER_CHANNEL,
  readDeliveries,
  reconcileDeliveries,
} from '../../src/channels/deliveries.ts'
import { Notifier, type Queued } from '../../src/channels/notifier.ts'
import { Egress } from '../../src/net/egress.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { type Receiver, SECRET, startReceiver } from './receiver.ts'

const T0 = Date.parse('2026-03-01T12:00:00Z')
const HOUR_MS = 3_600_000

let directory: string
let storage: Storage
let receiver: Receiver
let channelsOf: Channels
let notifier: Notifier
/** The clock of all that is tested here. */
let clock = T0
let random = 0.5
const queued: Queued[] = []
const control = {
  deliverLater: (list: readonly Queued[]) => void queued.push(...list),
  deliverAgain: (list: readonly Queued[]) => void queued.push(...list),
}
const bus = testBus()
const egress = new Egress({ allowHosts: [], isOpen: true })

const deliverer = (attemptMs = ATTEMPT_MS) =>
  new Deliverer({
    db: storage.db,
    bus,
    egress,
    now: () => clock,
    random: () => random,
    times: { retryDelaysMs: RETRY_DELAYS_MS, attemptMs },
  })

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-deliverer-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  receiver = startReceiver()
  channelsOf = new Channels({ db: storage.db, bus, egress, now: () => clock })
  notifier = new Notifier({ db: storage.db, bus, control, now: () => clock })
})

afterAll(async () => {
  await storage.close()
  await receiver.upstream.stop()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(async () => {
  await storage.db.delete(channels)
  clock = T0
  random = 0.5
  queued.length = 0
})

function channel(url: string, name = 'Hook') {
  return channelsOf.add({ name, kind: 'webhook', config: { url, secret: SECRET } })
}

function message(title = 'Something') {
  return { type: 'notify', title, text: 'text', at: new Date(clock), severity: 'info' as const, streams: [] }
}

async function send(channelId: string): Promise<string> {
  const [id] = await notifier.send(message(), [channelId])
  if (id === undefined) throw new Error('Nothing was stored')
  return id
}

async function row(id: string) {
  const [found] = await storage.db.select().from(deliveries).where(eq(deliveries.id, id))
  if (found === undefined) throw new Error('It is gone')
  return found
}

test('the delays add up to the documented time', () => {
  const sumMs = RETRY_DELAYS_MS.reduce((sum, each) => sum + each, 0)
  expect(sumMs).toBe(47 * HOUR_MS + 51 * 60_000 + 10_000)
})

test('a webhook that always returns 500 is retried after each of the jittered delays, then given up', async () => {
  const url = receiver.take('/always-500', () => new Response(null, { status: 500 }))
  const id = await send((await channel(url)).id)
  const waits: number[] = []
  for (;;) {
    const next = await deliverer().attempt(id)
    if (next === undefined) break
    expect(await deliverer().attempt(id)).toEqual(next)
    waits.push(next.getTime() - clock)
    clock = next.getTime()
  }
  expect(waits).toEqual(RETRY_DELAYS_MS.map((ceilingMs) => ceilingMs * random))
  expect(receiver.received('/always-500')).toHaveLength(RETRY_DELAYS_MS.length + 1)
  expect(await row(id)).toMatchObject({ status: 'failed', nextAttemptAt: null })
})

test.each([
  { name: 'seconds', header: '1800', waitMs: 1_800_000 },
  { name: 'a date', header: 'Sun, 01 Mar 2026 12:20:00 GMT', waitMs: 1_200_000 },
  { name: 'sooner than the backoff', header: '1', waitMs: 5_000 },
])('Retry-After is respected: $name', async ({ header, waitMs }) => {
  const url = receiver.take(
    '/busy',
    () => new Response(null, { status: 429, headers: { 'Retry-After': header } }),
  )
  const id = await send((await channel(url)).id)
  expect(await deliverer().attempt(id)).toEqual(new Date(T0 + waitMs))
})

test.each([400, 401, 403, 404, 422])('%p ends a delivery', async (status) => {
  const url = receiver.take('/refuses', () => new Response(null, { status }))
  const id = await send((await channel(url)).id)
  expect(await deliverer().attempt(id)).toBeUndefined()
  expect((await row(id)).status).toBe('failed')
})

test.each([301, 408, 425, 429, 500, 502, 503])('%p is retried', async (status) => {
  const url = receiver.take('/passes', () => new Response(null, { status }))
  const id = await send((await channel(url)).id)
  expect(await deliverer().attempt(id)).toBeInstanceOf(Date)
})

test('a refused connection is retried', async () => {
  const id = await send((await channel('http://127.0.0.1:1/hook')).id)
  expect(await deliverer().attempt(id)).toBeInstanceOf(Date)
  const [delivery] = (await readDeliveries(storage.db, (await row(id)).channelId, { limit: 1 })).items
  expect(delivery?.attempts[0]).toMatchObject({ response: null, error: { code: 'connection_failed' } })
})

test('an attempt without a response ends at its deadline, and is retried', async () => {
  const url = receiver.take('/hangs', () => new Promise<Response>(() => {}))
  const id = await send((await channel(url)).id)
  expect(await deliverer(50).attempt(id)).toBeInstanceOf(Date)
  const [delivery] = (await readDeliveries(storage.db, (await row(id)).channelId, { limit: 1 })).items
  expect(delivery?.attempts[0]).toMatchObject({ error: { code: 'timeout' }, request: { method: 'POST' } })
})

test('a delivery in progress isn’t started a second time before it must have ended', async () => {
  const held = Promise.withResolvers<Response>()
  const url = receiver.take('/slow', () => held.promise)
  const id = await send((await channel(url)).id)
  const first = deliverer().attempt(id)
  await until('it is under way', () => receiver.received('/slow').length === 1)
  const other = await deliverer().attempt(id)
  expect(other?.getTime()).toBeGreaterThan(T0 + ATTEMPT_MS)
  held.resolve(new Response(null, { status: 204 }))
  expect(await first).toBeUndefined()
  clock = (other as Date).getTime()
  expect(await deliverer().attempt(id)).toBeUndefined()
  expect(receiver.received('/slow')).toHaveLength(1)
})

test('a delivery whose sender crashed is found in the table, and resent with the same ID', async () => {
  const url = receiver.take('/after-crash')
  const id = await send((await channel(url)).id)
  await storage.db.update(deliveries).set({ sendingUntil: new Date(T0 + 20_000), attempts: 1 })
  queued.length = 0
  clock = T0 + 15_000
  expect(await reconcileDeliveries(storage.db, control, clock)).toBe(0)
  clock = T0 + 21_000
  expect(await reconcileDeliveries(storage.db, control, clock)).toBe(1)
  expect(queued.map((each) => each.id)).toEqual([id])
  expect(await deliverer().attempt(id)).toBeUndefined()
  expect(receiver.received('/after-crash')[0]?.headers['webhook-id']).toBe(id)
})

test('a slow channel has a few concurrent attempts; its other deliveries wait, those of other channels don’t', async () => {
  const held = Promise.withResolvers<Response>()
  const slow = await channel(
    receiver.take('/stuck', () => held.promise.then((response) => response.clone())),
    'Slow',
  )
  const fast = await channel(receiver.take('/fast'), 'Fast')
  const ids = await Promise.all(Array.from({ length: MAX_IN_FLIGHT * 3 }, () => send(slow.id)))
  const made = ids.map((id) => deliverer().attempt(id))
  await until('as many are under way as may be', () => receiver.received('/stuck').length === MAX_IN_FLIGHT)
  const waits = await Promise.all(made.slice(MAX_IN_FLIGHT))
  expect(waits.every((next) => next !== undefined && next.getTime() > clock)).toBe(true)
  expect(await deliverer().attempt(await send(fast.id))).toBeUndefined()
  expect(receiver.received('/fast')).toHaveLength(1)
  expect(receiver.received('/stuck')).toHaveLength(MAX_IN_FLIGHT)
  held.resolve(new Response(null, { status: 204 }))
  await Promise.all(made)
  clock = Math.max(...waits.map((next) => next?.getTime() ?? 0))
  expect(await deliverer().attempt(ids.at(-1) as string)).toBeUndefined()
})

test('closing ends attempts in progress, which are retried', async () => {
  const url = receiver.take('/closed-on', () => new Promise<Response>(() => {}))
  const id = await send((await channel(url)).id)
  const closing = deliverer()
  const attempt = closing.attempt(id)
  await until('it is under way', () => receiver.received('/closed-on').length === 1)
  closing.close()
  expect(await attempt).toBeInstanceOf(Date)
  const { channelId, ...delivery } = await row(id)
  expect(delivery).toMatchObject({ status: 'pending', sendingUntil: null })
  const { items } = await readDeliveries(storage.db, channelId, { limit: 1 })
  expect(items[0]?.attempts[0]?.error?.code).toBe('interrupted')
})

test('old deliveries are deleted by age and count; pending ones never are', async () => {
  const { id: channelId } = await channel(receiver.take('/history'))
  const stored = await notifier.store(storage.db, message('old'), [channelId])
  await storage.db.update(deliveries).set({ status: 'delivered', endedAt: new Date(T0) })
  const waiting = await send(channelId)
  const later = new Date(T0 + 1_000)
  const many = Array.from({ length: KEEP_PER_CHANNEL + 5 }, () => ({
    id: Bun.randomUUIDv7('hex', later),
    channelId,
    type: 'test',
    message: {},
    status: 'delivered' as const,
    createdAt: later,
    endedAt: later,
  }))
  await storage.db.insert(deliveries).values(many)
  expect(await forgetDeliveries({ db: storage.db, bus }, T0 + 2_000)).toBe(6)
  const left = await storage.db.select({ id: deliveries.id }).from(deliveries)
  expect(left).toHaveLength(KEEP_PER_CHANNEL + 1)
  expect(left.map(({ id }) => id)).toContain(waiting)
  expect(left.map(({ id }) => id)).not.toContain(stored[0]?.id)
  expect(await forgetDeliveries({ db: storage.db, bus }, T0 + 500 + KEEP_MS)).toBe(0)
  expect(await forgetDeliveries({ db: storage.db, bus }, T0 + 1_500 + KEEP_MS)).toBe(KEEP_PER_CHANNEL)
  expect(await row(waiting)).toMatchObject({ status: 'pending' })
})
