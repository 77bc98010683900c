import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { rollups, states, streams } from '../../drizzle/schema.ts'
import { Problem } from '../../src/errors.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import {
  countStreams,
  type ListQuery,
  listStreams,
  ORDERS,
  SORTS,
  type Sort,
} from '../../src/streams/registry/listing.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { integer, type Random, seeded } from '../core/seeded.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const NOW = Date.parse('2026-11-20T12:00:30Z')
const MINUTE_MS = 60_000
const WORST_LAST = ['stopped', 'live', 'quiet', 'backing-off', 'stalled', 'dead'] as const

/** What a stream is sorted by, as a person would say it; null where there is nothing yet. */
interface Facts extends Record<Sort, string | number | null> {
  id: string
}

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let db: Database
    let facts: Facts[]
    const random = seeded('listing.test.ts')

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-listing-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      db = storage.db
      facts = []
      for (let index = 0; index < 60; index++) facts.push(await add(db, random, 'kept'))
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const both = SORTS.flatMap((sort) => ORDERS.map((order) => ({ sort, order })))
    test.each(both)(
      'by $sort, $order: every stream comes once, in order, while others come and go',
      async ({ sort, order }) => {
        const others: string[] = []
        for (let index = 0; index < 20; index++) others.push((await add(db, random, 'other')).id)
        const seen: string[] = []
        let after: string | undefined
        do {
          const page = await listStreams(db, { sort, order, after, limit: 7 }, NOW + seen.length * MINUTE_MS)
          seen.push(...page.items.filter(({ tags }) => tags.includes('kept')).map(({ id }) => id))
          after = page.next
          await db.delete(streams).where(eq(streams.id, others.shift() ?? ''))
          others.push((await add(db, random, 'other')).id)
        } while (after !== undefined)
        expect(seen).toEqual(inOrder(facts, sort, order))
        for (const id of others) await db.delete(streams).where(eq(streams.id, id))
      },
    )

    test('pages without a sort are in order of registration', async () => {
      const ids = facts.map(({ id }) => id)
      const first = await listStreams(db, { limit: 50 }, NOW)
      const rest = await listStreams(db, { limit: 50, after: first.next }, NOW)
      expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(ids.sort())
      expect(rest.next).toBeUndefined()
    })

    test('a filter applies to every sort, and to the count', async () => {
      const page = await listStreams(db, { sort: 'perMinute', kind: 'sse', limit: 100 }, NOW)
      expect(page.items.length).toBeGreaterThan(0)
      expect(page.items.every(({ kind }) => kind === 'sse')).toBe(true)
      expect(await countStreams(db, { kind: 'sse' })).toBe(page.items.length)
      expect(await countStreams(db, { q: 'nobody\0' })).toBe(0)
    })

    test.each<[string, Partial<ListQuery>]>([
      ['no cursor at all', { sort: 'name', after: 'x' }],
      ['the cursor of another sort', { sort: 'name', after: cursor('bytes', 'desc', 1) }],
      ['the cursor of another order', { sort: 'bytes', order: 'asc', after: cursor('bytes', 'desc', 1) }],
      ['a cursor with a text for a number', { sort: 'bytes', after: cursor('bytes', 'desc', '1; DROP') }],
      ['a cursor with a NUL', { sort: 'name', after: cursor('name', 'asc', 'a\0') }],
      ['an order of nothing', { order: 'asc' }],
    ])('%s is refused', async (_what, query) => {
      const refused = await listStreams(db, { limit: 5, ...query }, NOW).catch((error) => error)
      expect(refused).toBeInstanceOf(Problem)
      expect(refused).toMatchObject({ code: 'invalid_field' })
    })
  })
})

async function add(db: Database, random: Random, tag: string): Promise<Facts> {
  const pick = (below: number) => integer(random, below)
  // Few values, so that many streams share one and only their ids tell them apart.
  const createdAt = new Date(NOW - (10 + pick(4)) * MINUTE_MS)
  const kind = pick(2) === 0 ? 'sse' : 'poll'
  const name = `${pick(2) === 0 ? 'a' : 'A'}${'xyz'[pick(3)]}`
  const [stream] = await insertStreams(db, [
    newStream({ url: 'http://localhost/', kind, name, tags: [tag], createdAt }),
  ])
  const id = stream?.id ?? ''
  const status = WORST_LAST[pick(6)] ?? 'stopped'
  const lastEventAt = pick(3) === 0 ? null : NOW - pick(4) * 1_000
  const evidence = { phase: 'open', phaseSince: 0, failures: 0, ...(lastEventAt && { lastEventAt }) }
  const availability = pick(3) === 0 ? null : 1 - pick(4) / 100
  await db.update(states).set({ status, evidence, availability }).where(eq(states.streamId, id))
  const sums = { events: pick(4), polls: pick(4), wireBytes: pick(4) * 100, compared: pick(3), changed: 0 }
  sums.changed = Math.min(pick(3), sums.compared)
  const minute = Math.floor(NOW / MINUTE_MS) * MINUTE_MS
  const row = (at: number, of: typeof sums) => ({
    streamId: id,
    minute: new Date(at),
    firstSeq: 1,
    lastSeq: 1,
    ...of,
  })
  // The minute under way, and one long over, don't count. Changes are those of a day.
  const noise = { events: pick(99), polls: pick(99), wireBytes: pick(9_999), compared: 0, changed: 0 }
  await db
    .insert(rollups)
    .values([row(minute - MINUTE_MS, sums), row(minute, noise), row(minute - 6 * MINUTE_MS, noise)])
  return {
    id,
    name: name.toLowerCase(),
    status: WORST_LAST.indexOf(status),
    availability,
    lastEvent: lastEventAt,
    perMinute: kind === 'sse' ? sums.events : sums.polls,
    bytes: sums.wireBytes,
    change: sums.compared === 0 ? null : changesPerMinute(kind, sums, createdAt),
    created: createdAt.getTime(),
  }
}

/** An event stream shows every change since it was registered; polls a minute apart find those that they can. */
function changesPerMinute(
  kind: 'sse' | 'poll',
  { compared, changed }: { compared: number; changed: number },
  createdAt: Date,
): number {
  const from = Math.floor(NOW / MINUTE_MS) * MINUTE_MS
  if (kind === 'sse') return changed / ((from - createdAt.getTime()) / MINUTE_MS)
  return Math.log((compared + 0.5) / (compared - changed + 0.5))
}

function inOrder(facts: readonly Facts[], sort: Sort, order: 'asc' | 'desc'): string[] {
  const sign = order === 'asc' ? 1 : -1
  const compare = (a: Facts, b: Facts) => {
    const [x, y] = [a[sort], b[sort]]
    if (x === y) return a.id < b.id ? -sign : sign
    if (x === null || y === null) return x === null ? 1 : -1
    return x < y ? -sign : sign
  }
  return [...facts].sort(compare).map(({ id }) => id)
}

function cursor(sort: Sort, order: string, key: unknown): string {
  const id = '01900000-0000-7000-8000-000000000000'
  return Buffer.from(JSON.stringify([sort, order, NOW, key, id])).toString('base64url')
}
