import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { eq } from 'drizzle-orm'
import { channels, deliveries } from '../../drizzle/schema.ts'
import { Deliverer } from '../../src/channels/deliverer.ts'
import { forgetDeliveries, reconcileDeliveries, replay } from '../../src/channels/deliveries.ts'
import { Notifier } from '../../src/channels/notifier.ts'
import type { EgressFetch } from '../../src/net/egress.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { newDataDir } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { SECRET } from './receiver.ts'

const NOW = Date.UTC(2026, 2, 1, 12)

let directory: string
let storage: Storage
let clock = NOW
/** Attempts that wait for their receiver, and how to let it answer. */
const waiting: ((response: Response) => void)[] = []
const bus = testBus()
const again: { id: string }[] = []
const control = {
  deliverLater: () => {},
  deliverAgain: (list: readonly { id: string }[]) => void again.push(...list),
}

beforeAll(async () => {
  directory = await newDataDir('weir-claims-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  await storage.db.delete(channels)
  clock = NOW
  waiting.length = again.length = 0
})

function deliverer(): Deliverer {
  const fetch: EgressFetch = () => new Promise((resolve) => waiting.push(resolve))
  return new Deliverer({
    ...{ db: storage.db, bus, egress: { fetch } as never, now: () => clock, random: () => 0.5 },
  })
}

async function channel(name: string): Promise<string> {
  const id = Bun.randomUUIDv7()
  const at = new Date(NOW)
  await storage.db.insert(channels).values({
    ...{ id, name, kind: 'webhook', config: { url: 'https://hooks.test/', secret: SECRET } },
    ...{ tags: [], isDefault: false, createdAt: at, updatedAt: at },
  })
  return id
}

/** Stores deliveries of a channel, the oldest first. */
async function store(channelId: string, count: number, more: Partial<typeof deliveries.$inferInsert> = {}) {
  const rows = Array.from({ length: count }, () => ({
    ...{ id: Bun.randomUUIDv7(), channelId, type: 'notify', message: { title: '', text: '', streams: [] } },
    ...{ createdAt: new Date(NOW), status: 'pending' as const, nextAttemptAt: new Date(NOW), ...more },
  }))
  await storage.db.insert(deliveries).values(rows)
  return rows.map(({ id }) => id)
}

async function row(id = ''): Promise<typeof deliveries.$inferSelect> {
  const [found] = await storage.db.select().from(deliveries).where(eq(deliveries.id, id))
  return found as typeof deliveries.$inferSelect
}

test('four attempts at once to one channel; the fifth comes later, and other channels don’t wait', async () => {
  const [slow, other] = [await channel('slow'), await channel('other')]
  const ids = await store(slow, 5)
  const begun = ids.map((id) => deliverer().attempt(id))
  await until('four are being sent', () => waiting.length === 4)
  const late = await Promise.race(begun)
  expect(late?.getTime()).toBeGreaterThan(NOW)
  const [quick] = await store(other, 1)
  const done = deliverer().attempt(quick as string)
  await until('the other one is, too', () => waiting.length === 5)
  for (const answer of waiting) answer(new Response())
  await Promise.all([...begun, done])
  expect(waiting).toHaveLength(5)
})

test('while an attempt is made, no other worker makes one; if it is lost, another is made 20 s later', async () => {
  const [id] = (await store(await channel('a'), 1)) as [string]
  const first = deliverer().attempt(id)
  await until('it is being sent', () => waiting.length === 1)
  expect((await row(id)).sendingUntil).toEqual(new Date(NOW + 20_000))
  clock = NOW + 19_999
  expect(await deliverer().attempt(id)).toEqual(new Date(NOW + 20_000))
  clock = NOW + 20_000
  const second = deliverer().attempt(id)
  await until('it is sent again', () => waiting.length === 2)
  waiting[1]?.(new Response())
  expect(await second).toBeUndefined()
  // The lost one fails at last: what is stored stands.
  waiting[0]?.(new Response('', { status: 500 }))
  expect(await first).toBeUndefined()
  expect(await row(id)).toMatchObject({ status: 'delivered', attempts: 2, nextAttemptAt: null })
})

test('nothing is sent to a suspended channel, and its page hears of the attempt', async () => {
  const channelId = await channel('a')
  const [id] = (await store(channelId, 1)) as [string]
  await storage.db.update(channels).set({ suspendedAt: new Date(NOW) })
  const heard = heardOn(bus, 'channel.updated')
  expect(await deliverer().attempt(id)).toBeUndefined()
  expect(waiting).toEqual([])
  expect(heard).toEqual([{ type: 'channel.updated' }])
  expect(await row(id)).toMatchObject({ status: 'cancelled' })
})

test('of two workers that begin at once, one sends', async () => {
  const [id] = (await store(await channel('a'), 1)) as [string]
  const both = [deliverer().attempt(id), deliverer().attempt(id)]
  expect(await Promise.race(both)).toEqual(new Date(NOW + 20_000))
  await until('one is being sent', () => waiting.length === 1)
  waiting[0]?.(new Response())
  await Promise.all(both)
  expect(waiting).toHaveLength(1)
})

test('a delivery is lost once it is overdue for ten seconds, unless it is being sent', async () => {
  const channelId = await channel('a')
  const at = (ms: number) => new Date(NOW - ms)
  const [lost] = await store(channelId, 1, { nextAttemptAt: at(10_001) })
  await store(channelId, 1, { nextAttemptAt: at(9_999) })
  await store(channelId, 1, { nextAttemptAt: at(60_000), sendingUntil: new Date(NOW + 1) })
  const [broken] = await store(channelId, 1, { nextAttemptAt: at(60_000), sendingUntil: at(1) })
  expect(await reconcileDeliveries(storage.db, control, NOW)).toBe(2)
  expect(again.map(({ id }) => id)).toEqual([broken as string, lost as string])
})

test('each channel keeps its last thousand finished deliveries for 30 days, and all that wait', async () => {
  const [chatty, quiet] = [await channel('chatty'), await channel('quiet')]
  const day = (days: number) => new Date(NOW - days * 86_400_000)
  const [waits] = await store(chatty, 1, { createdAt: day(90) })
  const [first] = await store(chatty, 1, { status: 'failed', endedAt: day(1) })
  await store(chatty, 1_000, { status: 'delivered', endedAt: day(1) })
  const [old] = await store(quiet, 1, { status: 'delivered', endedAt: day(30.1) })
  const [young] = await store(quiet, 1, { status: 'delivered', endedAt: day(29.9) })
  expect(await forgetDeliveries({ db: storage.db, bus }, NOW)).toBe(2)
  const kept = await Promise.all([waits, first, old, young].map((id) => row(id)))
  expect(kept.map((each) => each !== undefined)).toEqual([true, false, false, true])
})

test('a delivery that waits isn’t sent once more', async () => {
  const channelId = await channel('a')
  const [waits] = (await store(channelId, 1)) as [string]
  const deps = { db: storage.db, control, bus, now: () => NOW }
  await expect(replay(deps, waits)).rejects.toMatchObject({ code: 'conflict' })
  const [ended] = (await store(channelId, 1, { status: 'failed', endedAt: new Date(NOW) })) as [string]
  expect(await replay(deps, ended)).toEqual({ id: ended, channelId })
  await expect(replay(deps, ended)).rejects.toMatchObject({ code: 'conflict' })
  expect(again).toEqual([{ id: ended, channelId }] as never)
})

test('a suspended channel isn’t responsible; the default one is', async () => {
  const notifier = new Notifier({ db: storage.db, control, bus, now: () => NOW })
  const { insertStreams, newStream } = await import('../../src/streams/registry/new-stream.ts')
  const [named, usual] = [await channel('named'), await channel('usual')]
  await storage.db.update(channels).set({ isDefault: true }).where(eq(channels.id, usual))
  const stream = newStream({
    url: 'http://a.test/',
    kind: 'poll',
    createdAt: new Date(NOW),
    notify: ['named'],
  } as never)
  await insertStreams(storage.db, [stream])
  expect(await notifier.responsible([stream.id])).toEqual(new Map([[named, [stream.id]]]))
  await storage.db
    .update(channels)
    .set({ suspendedAt: new Date(NOW) })
    .where(eq(channels.id, named))
  expect(await notifier.responsible([stream.id])).toEqual(new Map([[usual, [stream.id]]]))
})
