import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import type { Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { readEntry } from '../../src/streams/log/logs.ts'
import { emptyDelta, tallied } from '../../src/streams/measures/rollup-delta.ts'
import type { Draft, Entry, Exchange } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { owedTallies } from '../../src/streams/recording/store-rollups.ts'
import { testBus } from '../support/bus.ts'
import { testStorage } from '../support/storage.ts'

const own = testStorage()
const AT = Date.UTC(2026, 0, 5, 12, 30)

/** Stores entries of a new stream. */
async function stored(drafts: readonly Partial<Draft>[]): Promise<{ id: string; entries: Entry[] }> {
  const { id } = await own.stream()
  const { epoch } = (await runStore(own.db, 'a', testBus(), new LargeDocuments()).begin({
    ...{ streamId: id, attempt: 1, takeOver: true },
  })) as Run
  const base = { at: AT, kind: 'exchange', wireBytes: 1, bodyBytes: 1 } as const
  const entries = drafts.map((draft, index) => ({ ...base, ...draft, streamId: id, epoch, seq: index + 1 }))
  await storeEntries(
    own.db,
    entries.map((entry) => ({ entry, checkpoint: { seq: entry.seq } })),
  )
  return { id, entries }
}

function exchangeOf(sent: { bytes?: number; count?: number }, redirects?: Exchange['redirects']): Exchange {
  const request = { method: 'GET', url: 'http://a.test/', headers: {}, ...sent }
  return { request, response: { status: 200, headers: {}, firstByteMs: 1 }, ...(redirects && { redirects }) }
}

test('requests, redirects and heads of failed polls are rolled up, also when they are read back', async () => {
  const redirects = { count: 2, headBytes: 80, bodyBytes: 7 }
  const { id, entries } = await stored([
    { headBytes: 100, exchange: exchangeOf({ bytes: 50 }) },
    { headBytes: 180, wireBytes: 10, exchange: exchangeOf({ bytes: 150, count: 3 }, redirects) },
    {
      kind: 'error',
      headBytes: 90,
      wireBytes: 5,
      data: '{}',
      exchange: exchangeOf({ bytes: 60 }, redirects),
    },
    // Nothing was sent; the error of an open connection, which its first entry has counted; an event.
    { kind: 'error', data: '{}', exchange: exchangeOf({}) },
    { kind: 'event', data: 'x' },
  ])
  const recorded = [...tallied(emptyDelta(0), entries).minutes.values()]
  expect(recorded).toMatchObject([
    {
      ...{ requests: 5, request_bytes: 260, head_bytes: 370, failed_head_bytes: 90 },
      ...{ redirect_bytes: 7, wire_bytes: 18 },
    },
  ])
  const readBack = (await owedTallies(own.db, [{ streamId: id, seq: 5, summedSeq: 0 }])).get(id)
  expect([...(readBack?.minutes.values() ?? [])]).toEqual(recorded)
})

test('a long body of a failed answer is stored once a day, however often it comes', async () => {
  const body = `<html>${'é"\\'.repeat(2_000)}`
  const failures = [1, 2, 3].map((failures) => ({
    ...{ at: failures < 3 ? AT : AT + 86_400_000, kind: 'error' as const },
    data: JSON.stringify({ code: 'bad_status', message: 'Down.', failures, bodyTruncated: true, body }),
  }))
  const { id, entries } = await stored(failures)
  expect(await own.rows(sql`SELECT day FROM weir.bodies WHERE data = ${body}`)).toHaveLength(2)
  for (const { seq, data } of entries) expect((await readEntry(own.db, id, seq))?.data).toBe(data as string)
})

test.each(['short', undefined])('an error with the body %p is stored with its entry', async (body) => {
  const data = JSON.stringify({ code: 'bad_status', message: 'x'.repeat(3_000), ...(body && { body }) })
  const { id } = await stored([{ kind: 'error', data }])
  const rows = await own.rows<{ data: string }>(sql`SELECT data FROM weir.entries WHERE stream_id = ${id}`)
  expect(rows).toMatchObject([{ data }])
})
