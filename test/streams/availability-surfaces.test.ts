import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { rollups, spells } from '../../drizzle/schema.ts'
import { parseConfig } from '../../src/config/config.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { refreshAvailability } from '../../src/streams/status/refresh-availability.ts'
import { cliOf } from '../cli/support.ts'
import { newDataDir, openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface Available {
  share: number | null
  basis: string
  streams: number
  answered: number
  unanswered: number
  upMs: number
  downMs: number
}
type Windows = Record<'1h' | '24h' | '7d' | '30d' | '90d', Available>
interface Answer extends Available {
  windows: Windows
  steps: (Available & { at: string })[]
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

let storage: Storage
let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  const dataDir = await newDataDir('weir-availability-')
  const config = parseConfig({ PORT: '0', DATA_DIR: dataDir })
  const opening = openStorage(config)
  storage = await opening
  weir = await startTestWeir({ DATA_DIR: dataDir }, { storage: opening })
  upstream = startUpstream()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const availability = (id: string) => weir.json<Answer>(`/api/streams/${id}/availability`)

test('every surface says the same of the last day', async () => {
  const url = upstream.on('/prices', () => Response.json({}))
  const tags = ['told']
  const prices = await weir.register({ url, kind: 'poll', name: 'prices', tags, start: false })
  const orders = await weir.register({ url, kind: 'sse', name: 'orders', tags, start: false })
  const unknown = await weir.register({ url, kind: 'poll', name: 'unknown', tags, start: false })
  const now = Date.now()
  // An hour with 13 unanswered checks in its first half, four hours ago.
  const start = Math.floor(now / HOUR_MS - 4) * HOUR_MS
  await storage.db.insert(rollups).values(
    Array.from({ length: 60 }, (_, minute) => {
      const answered = minute >= 2 && minute < 15 ? 0 : 1
      const at = new Date(start + minute * MINUTE_MS)
      return { streamId: prices.id, minute: at, firstSeq: 1, lastSeq: 1, answered, unanswered: 1 - answered }
    }),
  )
  const of = { streamId: orders.id, epoch: 1, isSilenced: false }
  const [a, b, c] = [3, 2, 1].map((hours) => new Date(now - hours * HOUR_MS)) as [Date, Date, Date]
  await storage.db.insert(spells).values([
    { ...of, from: a, to: b, state: 'up' },
    { ...of, from: b, to: c, state: 'down' },
    { ...of, from: c, to: new Date(now - 1_000), state: 'up' },
  ])
  await storage.db.execute(sql`DELETE FROM weir.marks WHERE name = 'rolled'`)
  await rollUp({ db: storage.db, now: Date.now })
  await refreshAvailability({ db: storage.db, now: Date.now })

  const polled = await availability(prices.id)
  expect(polled).toMatchObject({ share: 47 / 60, basis: 'checks', answered: 47, unanswered: 13 })
  for (const window of ['24h', '7d', '30d', '90d'] as const)
    expect(polled.windows[window]).toMatchObject({ share: 47 / 60, answered: 47, unanswered: 13 })
  expect(polled.windows['1h'].share).toBeNull()
  const failed = polled.steps.reduce((sum, step) => sum + step.unanswered, 0)
  expect(failed).toBe(13)
  const timed = await availability(orders.id)
  expect(timed.share).toBeCloseTo(2 / 3, 3)
  expect(timed.windows['1h'].share).toBe(1)

  const listed = await weir.json<{ items: { name: string; availability: number | null }[] }>(
    '/api/streams?sort=availability&tag=told',
  )
  const shares = listed.items.map(({ name, availability }) => [name, availability])
  expect(shares.map(([name]) => name)).toEqual(['orders', 'prices', 'unknown'])
  expect(shares[1]?.[1]).toBe(0.783333)
  const status = await weir.json<{ availability: number }>(`/api/streams/${prices.id}/status`)
  expect(status.availability).toBe(0.783333)
  const { windows } = await weir.json<{ windows: Windows }>('/api/availability?tag=told')
  const mean = ((polled.share ?? 0) + (timed.share ?? 0)) / 2
  expect(windows['24h']).toMatchObject({ basis: 'mean', streams: 2 })
  expect(windows['24h'].share).toBeCloseTo(mean, 3)

  const cli = cliOf(weir.url)
  expect((await cli('availability', 'prices')).out).toMatch(/^24h +78\.33% +47 +13\b/m)
  expect((await cli('availability', 'orders')).out).toMatch(/^24h +66\.6\d% +2 h +1 h +/m)
  expect((await cli('availability', '--tag', 'told')).out).toMatch(/^24h +72\.\d\d% +2\b/m)
  expect(JSON.parse((await cli('availability', 'prices', '--json')).out).windows['24h'].answered).toBe(47)
  expect((await cli('status', 'prices')).out).toContain('78.33% in 24 h')
  expect((await cli('ls', '--tag', 'told')).out).toMatch(/stopped.* 78\.33% .*prices/)

  const metrics = await (await weir.get('/metrics')).text()
  expect(metrics).toContain('weir_availability_ratio{kind="poll"} 0.783333')
  const page = await (await weir.get(`/streams/${prices.id}`)).text()
  expect(page).toMatch(/<dt>Since .{0,200}<\/dt><dd>78\.33%<\/dd>/)
  expect(page).toMatch(/<dt>1 h<\/dt><dd>–<\/dd>/)
  expect(page).toContain('13 of 30 checks failed')
  const list = await (await weir.get('/streams?tag=told')).text()
  expect(list.match(/data-label="Available"[^>]*>[^<]*/g)?.map((cell) => cell.split('>')[1])).toEqual([
    '78.33%',
    expect.stringMatching(/^66\.6\d%$/),
    '–',
  ])
  const home = await (await weir.get('/')).text()
  expect(home).toMatch(/Availability<\/a><\/h2><p class="value">72\.\d\d%<\/p>.*mean of 2 streams in 24 h/s)
  expect(unknown.id).toBeString()
})

test('a polled API is measured as it is followed, and silenced checks count neither way', async () => {
  let isUp = true
  const url = upstream.on('/flaky', () => (isUp ? Response.json({}) : new Response('', { status: 500 })))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  await until('checks are answered', async () => ((await availability(id)).answered ?? 0) >= 2)
  expect(await availability(id)).toMatchObject({ share: 1, unanswered: 0 })
  isUp = false
  await until('checks fail', async () => (await availability(id)).unanswered >= 1)
  const silence = await weir.send('POST', '/api/silences', {
    reason: 'Move',
    streamId: id,
    endsAt: new Date(Date.now() + HOUR_MS).toISOString(),
  })
  expect(silence.status).toBe(201)
  const silencedAt = Date.now()
  await weir.entry(
    id,
    'a failure while silenced',
    ({ kind, at }) => kind === 'error' && Date.parse(at) > silencedAt,
  )
  isUp = true
  await weir.entry(
    id,
    'an answer while silenced',
    ({ kind, at }) => kind !== 'error' && Date.parse(at) > silencedAt,
  )
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  const logged = await weir.logs(id)
  await weir.summed(id, logged.length)
  const counted = await availability(id)
  const before = logged.filter(({ at }) => Date.parse(at) <= silencedAt)
  // Those that were being made when the silence was set may count.
  const answers = before.filter(({ kind }) => kind !== 'error').length
  expect(counted.answered).toBe(answers)
  expect(counted.unanswered).toBeGreaterThanOrEqual(1)
  expect(counted.unanswered).toBeLessThan(logged.length - answers + 5)
})

test('an event stream is measured as it is followed, and the time between two runs is unknown', async () => {
  const url = upstream.on(
    '/events',
    () =>
      new Response(
        new ReadableStream({ start: (out) => out.enqueue(new TextEncoder().encode('data: 1\n\n')) }),
        { headers: { 'Content-Type': 'text/event-stream' } },
      ),
  )
  const { id } = await weir.register({ url, kind: 'sse' })
  await weir.status(id, 'live')
  await weir.send('POST', `/api/streams/${id}/stop`)
  await until('its time is known', async () => (await availability(id)).upMs > 0)
  const first = await availability(id)
  expect(first).toMatchObject({ share: 1, basis: 'time', downMs: 0 })
  await weir.send('POST', `/api/streams/${id}/start`)
  await weir.status(id, 'live')
  await until('the next run has written down what was open', async () => {
    const rows = await storage.db.select().from(spells).where(sql`${spells.streamId} = ${id}`)
    return rows.length > 0
  })
  expect((await availability(id)).upMs).toBeGreaterThanOrEqual(first.upMs)
  // A silence begins while it is connected, and nothing else happens.
  await weir.send('POST', '/api/silences', {
    reason: 'Move',
    streamId: id,
    endsAt: new Date(Date.now() + HOUR_MS).toISOString(),
  })
  await until('the time until then is written down', async () => {
    const rows = await storage.db.select().from(spells).where(sql`${spells.streamId} = ${id}`)
    return rows.length > 1
  })
  const { upMs } = await availability(id)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  expect((await availability(id)).upMs).toBe(upMs)
})
