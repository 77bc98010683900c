import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { rollups, spells } from '../../drizzle/schema.ts'
import { parseConfig } from '../../src/config/config.ts'
import { removeMark } from '../../src/retention/marks.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { readPast } from '../../src/streams/status/overview.ts'
import { refreshAvailability } from '../../src/streams/status/refresh-availability.ts'
import { cliOf } from '../cli/support.ts'
import { newDataDir, openStorage } from '../support/data-dir.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

let storage: Storage
let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  const dataDir = await newDataDir('weir-young-')
  const opening = openStorage(parseConfig({ PORT: '0', DATA_DIR: dataDir }))
  storage = await opening
  weir = await startTestWeir({ DATA_DIR: dataDir }, { storage: opening })
  upstream = startUpstream()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

type Windows = Record<'1h' | '24h' | '7d' | '30d' | '90d', { share: number; observedFrom: string | null }>

/** A stream that was registered so long ago, and has been checked since. */
async function aged(kind: 'poll' | 'sse', ageMs: number, name: string) {
  const { id } = await weir.register({ url: upstream.url, kind, name, tags: [name], start: false })
  const now = Date.now()
  const from = new Date(Math.floor((now - ageMs) / MINUTE_MS) * MINUTE_MS)
  await storage.db.execute(
    sql`UPDATE weir.streams SET created_at = ${from.toISOString()}::timestamptz WHERE id = ${id}::uuid`,
  )
  const stepMs = Math.max(MINUTE_MS, Math.floor(ageMs / 60 / MINUTE_MS) * MINUTE_MS)
  const rows = Array.from({ length: 60 }, (_, index) => from.getTime() + index * stepMs).filter(
    (at) => at < now,
  )
  if (kind === 'poll')
    await storage.db.insert(rollups).values(
      rows.map((at, index) => ({
        ...{ streamId: id, minute: new Date(at), firstSeq: index + 1, lastSeq: index + 1 },
        ...{ entries: 1, polls: 1, answered: 1, unanswered: index === 0 ? 1 : 0, headBytes: 100 },
      })),
    )
  else
    await storage.db
      .insert(spells)
      .values({ streamId: id, state: 'up', epoch: 1, from, to: new Date(now), isSilenced: false })
  // Weir has rolled up the hours before it started, in which these minutes weren't yet.
  await removeMark(storage.db, 'rolled')
  return { id, from }
}

const windowsOf = async (id: string) =>
  (await weir.json<{ windows: Windows }>(`/api/streams/${id}/availability`)).windows
const textOf = async (path: string) =>
  (await (await weir.get(path)).text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')

test.each(['poll', 'sse'] as const)(
  'a window longer than the life of a %s stream says since when',
  async (kind) => {
    const { id, from } = await aged(kind, 10 * MINUTE_MS, `young-${kind}`)
    const windows = await windowsOf(id)
    for (const name of ['1h', '24h', '90d'] as const)
      expect([name, windows[name].observedFrom]).toEqual([name, from.toISOString()])
    const since = `Since ${from.toISOString().slice(0, 16).replace('T', ' ')}`
    const page = await textOf(`/streams/${id}`)
    const facts = page.slice(page.indexOf('now '), page.indexOf('Outages as a table'))
    expect(facts).toContain(since)
    expect(facts.split(since)).toHaveLength(2)
    for (const name of [' 1 h ', ' 24 h ', ' 90 d ']) expect(facts).not.toContain(name)
    const { out } = await cliOf(weir.url)('availability', id)
    expect(out).toMatch(/SINCE/)
    expect(out).toContain(from.toISOString().slice(0, 16).replace('T', ' '))
    expect(await textOf(`/streams/${id}/report`)).toContain(`(since ${since.slice(6)} UTC)`)
  },
)

test('windows that a stream has seen whole say nothing more, and the first that it hasn’t says since when', async () => {
  const { id, from } = await aged('sse', 3 * DAY_MS, 'older')
  const windows = await windowsOf(id)
  expect(Date.now() - Date.parse(windows['24h'].observedFrom ?? '')).toBeWithin(
    DAY_MS - 2 * 60 * MINUTE_MS,
    DAY_MS + MINUTE_MS,
  )
  expect(windows['7d'].observedFrom).toBe(from.toISOString())
  const page = await textOf(`/streams/${id}`)
  const facts = page.slice(page.indexOf('now '), page.indexOf('Outages as a table'))
  expect(facts).toContain(' 24 h ')
  expect(facts).toContain('Since ')
  expect(facts).not.toContain(' 30 d ')
})

test('nothing is said of a stream of which nothing is known, and a tag begins with its first stream', async () => {
  const { id } = await weir.register({ url: upstream.url, kind: 'poll', start: false })
  expect((await windowsOf(id))['1h'].observedFrom).toBeNull()
  const { from } = await aged('poll', 20 * MINUTE_MS, 'tagged')
  const { windows } = await weir.json<{ windows: Windows }>('/api/availability?tag=tagged')
  expect(windows['7d'].observedFrom).toBe(from.toISOString())
})

test('the bar of availability covers 90 days, too', async () => {
  const { id } = await aged('poll', 60 * DAY_MS, 'long')
  const page = await (await weir.get(`/streams/${id}?range=90d`)).text()
  expect(page.replace(/<[^>]*>/g, '')).toContain('last 90 d')
  expect(page).toContain('Last 90 days')
})

test('the list says as of when its availability is', async () => {
  await refreshAvailability({ db: storage.db, now: Date.now })
  expect(await textOf('/streams')).toMatch(/Availability of the last 24 h, as of \d\d:\d\d:\d\d/)
})

test('Home counts events and polls, and each once', async () => {
  const dataDir = await newDataDir('weir-home-')
  const opening = openStorage(parseConfig({ PORT: '0', DATA_DIR: dataDir }))
  const { db } = await opening
  const other = await startTestWeir({ DATA_DIR: dataDir }, { storage: opening })
  const SSE = { headers: { 'Content-Type': 'text/event-stream' } }
  const registrations = [
    { url: upstream.on('/changing', (_, hit) => Response.json({ hit })), kind: 'poll', intervalMs: 500 },
    {
      url: upstream.on('/events', () => new Response('retry: 3600000\ndata: 1\n\ndata: 2\n\n', SSE)),
      kind: 'sse',
    },
  ]
  const ids = await Promise.all(registrations.map(async (each) => (await other.register(each)).id))
  for (const id of ids) {
    await other.summed(id, 3)
    await other.send('POST', `/api/streams/${id}/stop`)
    await other.status(id, 'stopped')
  }
  const kinds = (await Promise.all(ids.map((id) => other.logs(id)))).map((log) => log.map(({ kind }) => kind))
  for (const [index, id] of ids.entries()) await other.summed(id, kinds[index]?.length ?? 0)
  // By then, all of it is in the last hour, and none in the current minute.
  const past = await readPast(db, Date.now() + 10 * MINUTE_MS, 'all')
  const counted = past.minutes.reduce((sum, { messages }) => sum + messages, 0)
  expect(kinds[0]?.filter((kind) => kind === 'patch' || kind === 'snapshot').length).toBeGreaterThan(1)
  expect(counted).toBe((kinds[0]?.length ?? 0) + 2)
  await other.close()
})
