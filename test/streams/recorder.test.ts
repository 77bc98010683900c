import { afterAll, beforeAll, expect, setSystemTime, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Database, Storage } from '../../src/storage/storage.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import { type RunStore, runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { readLog } from '../../src/streams/log/logs.ts'
import { type Draft, type Entry, entryJson } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

const EXPECTATION = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }

let directory: string
let storage: Storage
let streams: Streams
let runs: RunStore

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-recorder-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const control = { runLater: async () => {} }
  streams = new Streams({ db: storage.db, control, bus: testBus(), limits: LIMITS })
  runs = runStore(storage.db, 'tester', testBus(), new LargeDocuments())
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A recorder, what it says it stored and changed, and a database that can be away, or lose answers. */
function recording() {
  const stored: Entry[] = []
  const changed: (readonly string[])[] = []
  let away: PromiseWithResolvers<void> | undefined
  let statements = 0
  let losesAnswer: number | undefined
  const db = new Proxy(storage.db, {
    get: (target, name) =>
      name === 'execute'
        ? async (query: Parameters<Database['execute']>[0]) => {
            await away?.promise
            const result = await target.execute(query)
            if (statements++ === losesAnswer) throw new Error('the connection broke')
            return result
          }
        : Reflect.get(target, name),
  })
  const bus = testBus()
  bus.subscribe('the test', {
    'entries.stored': ({ entries = [] }) => void stored.push(...entries),
    'stream.updated': ({ streamIds }) => void changed.push(streamIds),
  })
  const recorder = new Recorder(db, () => EXPECTATION, bus)
  return {
    recorder,
    stored,
    changed,
    leave: () => {
      away = Promise.withResolvers()
    },
    comeBack: () => away?.resolve(),
    /** Loses the answer to a statement, of those to come: 0 is the next one's. */
    loseAnswer: (statement: number) => {
      losesAnswer = statements + statement
    },
    isAnswerLost: () => losesAnswer !== undefined && statements > losesAnswer,
  }
}

const begin = async (streamId: string) => (await runs.begin({ streamId, attempt: 1, takeOver: true })) as Run
const sumsOf = async (table: 'rollups' | 'path_rollups', id: string) => {
  const which = sql.raw(table)
  const { rows } = (await storage.db.execute(
    sql`SELECT * FROM weir.${which} WHERE stream_id = ${id} ORDER BY 2, 3`,
  )) as { rows: Record<string, unknown>[] }
  return rows
}
const event = (data: string): Draft => ({ at: Date.now(), kind: 'event', wireBytes: 9, bodyBytes: 1, data })
const poll = (index: number): Draft => ({
  at: Date.now(),
  kind: 'exchange',
  wireBytes: 20 + index,
  bodyBytes: 40,
  headBytes: 100,
  plainBytes: 40,
  gzipBytes: 30,
  deflatedBytes: 12,
  exchange: {
    request: { method: 'GET', url: 'http://a.test/', headers: {} },
    response: {
      status: index % 2 === 0 ? 304 : 200,
      headers: {},
      firstByteMs: 3,
      durationMs: 2 ** index / 7,
    },
  },
})
/** Polls that were answered or failed, some of which decide more than one check, or none. */
const checking = (index: number): Draft => {
  const draft = poll(index)
  const { exchange } = draft
  const isFailed = index % 3 === 2
  const checks = ([undefined, [0, 0], [isFailed ? 0 : 1, index]] as const)[index % 3]
  const kind = isFailed ? 'error' : 'exchange'
  const more = {
    ...{ checks, comparedMs: 100 + index, redirects: { count: 1, headBytes: 10, bodyBytes: 20 + index } },
    ...(index % 2 === 1 && { isFresh: true as const, isOutdated: true as const, isCacheHit: true as const }),
  }
  const request = exchange && { ...exchange.request, bytes: 80 + index, ...(index % 2 === 1 && { count: 2 }) }
  return {
    ...{ ...draft, kind, data: isFailed ? '{}' : undefined, headBytes: 30 + index },
    exchange: exchange && { ...exchange, ...more, request: request ?? exchange.request },
  }
}
/** A stream's minutes, summed up in SQL from what its log holds. */
const recounted = async (id: string) => {
  const { rows } = (await storage.db.execute(sql`
    WITH counted AS (
      SELECT *, kind = 'snapshot' AND body_bytes = 0 AS is_keyframe,
        CASE WHEN changed THEN
          CASE kind WHEN 'patch' THEN patch_bytes WHEN 'snapshot' THEN snapshot_bytes WHEN 'exchange' THEN plain_bytes END
        END AS change_bytes,
        length(seq::text) + length('id: 01234567.') + length('event: data') + length('data: ') + 4
          + CASE kind WHEN 'patch' THEN 1 ELSE 0 END AS frame_bytes,
        (exchange #>> '{response,durationMs}')::float8 AS duration_ms,
        CASE WHEN kind = 'gap' THEN 0 ELSE greatest(0, coalesce(
          extract(epoch FROM at - lag(at) OVER (ORDER BY seq))::float8 * 1000,
          (exchange #>> '{response,durationMs}')::float8, 0)) END AS held_ms
      FROM weir.entries WHERE stream_id = ${id}
    )
    SELECT stream_id, date_trunc('minute', at) AS minute, min(seq) AS first_seq, max(seq) AS last_seq,
      count(*) AS entries,
      count(*) FILTER (WHERE kind IN ('event', 'snapshot', 'patch') AND NOT is_keyframe) AS events,
      count(*) FILTER (WHERE kind IN ('exchange', 'snapshot', 'patch') AND exchange IS NOT NULL) AS polls,
      count(*) FILTER (WHERE kind = 'error') AS errors,
      count(*) FILTER (WHERE kind = 'error' AND exchange IS NOT NULL) AS failures,
      sum(coalesce((exchange #>> '{checks,0}')::bigint,
        CASE WHEN kind <> 'error' AND duration_ms IS NOT NULL THEN 1 ELSE 0 END)) AS answered,
      sum(coalesce((exchange #>> '{checks,1}')::bigint,
        CASE WHEN kind = 'error' AND exchange IS NOT NULL THEN 1 ELSE 0 END)) AS unanswered,
      coalesce(sum((exchange ->> 'comparedMs')::bigint) FILTER (WHERE changed IS NOT NULL), 0) AS compared_ms,
      coalesce(sum((exchange ->> 'comparedMs')::bigint) FILTER (WHERE changed), 0) AS changed_ms,
      coalesce(sum(coalesce((exchange #>> '{request,count}')::bigint, 1))
        FILTER (WHERE (exchange #>> '{request,bytes}')::bigint > 0), 0) AS requests,
      coalesce(sum((exchange #>> '{request,bytes}')::bigint), 0) AS request_bytes,
      coalesce(sum(head_bytes) FILTER (WHERE kind = 'error'), 0) AS failed_head_bytes,
      coalesce(sum((exchange #>> '{redirects,bodyBytes}')::bigint) FILTER (WHERE kind <> 'error'), 0) AS redirect_bytes,
      count(*) FILTER (WHERE exchange ->> 'isCacheHit' = 'true') AS cache_hits,
      count(*) FILTER (WHERE exchange ->> 'isFresh' = 'true') AS fresh,
      count(*) FILTER (WHERE exchange ->> 'isFresh' = 'true'
        AND (changed OR exchange ->> 'isOutdated' = 'true')) AS fresh_changed,
      count(changed) AS compared, count(*) FILTER (WHERE changed) AS changed,
      count(*) FILTER (WHERE kind = 'exchange' AND exchange #>> '{response,status}' = '304') AS not_modified,
      sum(wire_bytes) AS wire_bytes, sum(body_bytes) AS body_bytes, coalesce(sum(head_bytes), 0) AS head_bytes,
      coalesce(sum(plain_bytes), 0) AS plain_bytes, coalesce(sum(gzip_bytes), 0) AS gzip_bytes,
      coalesce(sum(gzip_bytes) FILTER (WHERE changed IS DISTINCT FROM false), 0) AS conditional_bytes,
      coalesce(sum(change_bytes), 0) AS patch_bytes, coalesce(sum(change_bytes + frame_bytes), 0) AS frame_bytes,
      coalesce(sum(deflated_bytes), 0) AS deflated_bytes, sum(round(held_ms))::bigint AS held_ms,
      coalesce(string_agg(set_byte('\\x00'::bytea, 0, least(255, floor(ln(greatest(duration_ms, 1)) * 19))::int), ''::bytea
        ORDER BY seq) FILTER (WHERE duration_ms IS NOT NULL), ''::bytea) AS latencies
    FROM counted GROUP BY 1, 2 ORDER BY 2`)) as { rows: Record<string, unknown>[] }
  return rows
}
const register = () => streams.register({ url: 'http://a.test/', kind: 'sse' })
const logOf = async (id: string) => (await readLog(storage.db, id, { limit: 100 })).items

test('a replaced run writes nothing more, and is aborted', async () => {
  const { id } = await register()
  const { recorder, stored } = recording()
  const first = await begin(id)
  recorder.append(first, event('a'))
  await recorder.settle(first)
  const second = await begin(id)
  recorder.append(first, event('late'))
  recorder.append(second, event('b'))
  await recorder.settle(second)
  expect(first.fenced.signal.aborted).toBe(true)
  expect((await logOf(id)).map(({ seq, epoch, data }) => [seq, epoch, data])).toEqual([
    [1, 1, 'a'],
    [2, 2, 'b'],
  ])
  expect(stored.map(({ data }) => data)).toEqual(['a', 'b'])
  await recorder.close()
})

test('a run that is stopped leaves its last evidence, and the status stays stopped', async () => {
  const { id } = await streams.register({ url: 'http://a.test/', kind: 'sse' })
  const { recorder } = recording()
  const run = await begin(id)
  run.evidence.lastByteAt = Date.now() - 60_000
  recorder.append(run, event('first'))
  await recorder.settle(run)
  const states = () =>
    storage.db.execute(sql`
      SELECT verdict, evidence->>'lastByteAt' AS "lastByteAt" FROM weir.states WHERE stream_id = ${id}`) as Promise<{
      rows: { verdict: string; lastByteAt: string }[]
    }>
  await streams.stop(id)
  run.evidence.lastByteAt = Date.now()
  recorder.append(run, event('last'))
  await recorder.settle(run)
  expect((await states()).rows).toEqual([{ verdict: 'stopped', lastByteAt: String(run.evidence.lastByteAt) }])
  await recorder.close()
})

test('entries of two runs in one batch are separated by their epochs', async () => {
  const { id } = await register()
  const { recorder, stored, leave, comeBack } = recording()
  const first = await begin(id)
  recorder.append(first, event('a'))
  await recorder.settle(first)
  leave()
  for (const data of ['b', 'c', 'd']) recorder.append(first, event(data))
  const second = await begin(id)
  for (const data of ['B', 'C']) recorder.append(second, event(data))
  comeBack()
  await recorder.settle(second)
  expect((await logOf(id)).map(({ seq, epoch, data }) => [seq, epoch, data])).toEqual([
    [1, 1, 'a'],
    [2, 2, 'B'],
    [3, 2, 'C'],
  ])
  expect(stored.map(({ data }) => data)).toEqual(['a', 'B', 'C'])
  await recorder.close()
})

test.each([
  ['entries', 0],
  ['their sums', 1],
])('%s written again after a lost reply are neither duplicated nor counted twice', async (_, which) => {
  const { id } = await register()
  const { recorder, loseAnswer, isAnswerLost } = recording()
  const run = await begin(id)
  recorder.append(run, event('a'))
  loseAnswer(which)
  await recorder.settle(run)
  expect(isAnswerLost()).toBe(true)
  recorder.append(run, event('b'))
  await recorder.settle(run)
  expect((await logOf(id)).map(({ data }) => data)).toEqual(['a', 'b'])
  expect(await sumsOf('rollups', id)).toEqual(await recounted(id))
  await recorder.close()
})

test('entries that a killed worker didn’t roll up are rolled up by the next run', async () => {
  const { id } = await register()
  const killed = await begin(id)
  const entries = [...Array(40).keys()].map(
    (index): Entry => ({
      ...(index % 7 === 3 ? checking(index) : event(`${index}`)),
      changed: index % 3 === 0,
      at: Date.now() - 60_000 * (index % 2),
      streamId: id,
      epoch: killed.epoch,
      seq: index + 1,
    }),
  )
  await storeEntries(
    storage.db,
    entries.map((entry) => ({ entry, checkpoint: { seq: entry.seq } })),
  )
  expect(await sumsOf('rollups', id)).toEqual([])
  const { recorder } = recording()
  const next = await begin(id)
  recorder.append(next, event('more'))
  await recorder.settle(next)
  expect(await sumsOf('rollups', id)).toEqual(await recounted(id))
  expect((await readLog(storage.db, id, { limit: 100, from: new Date(0) })).items).toHaveLength(41)
  await recorder.close()
})

test('entries that aren’t rolled up yet are found by time', async () => {
  const { id } = await register()
  const run = await begin(id)
  const { recorder } = recording()
  recorder.append(run, { ...event('summed'), at: Date.UTC(2026, 0, 1) })
  await recorder.settle(run)
  const entry: Entry = { ...event('not'), at: Date.UTC(2026, 0, 2), streamId: id, epoch: run.epoch, seq: 2 }
  await storeEntries(storage.db, [{ entry, checkpoint: { seq: 2 } }])
  const found = async (from: number, to: number) => {
    const { items } = await readLog(storage.db, id, { limit: 9, from: new Date(from), to: new Date(to) })
    return items.map(({ data }) => data)
  }
  expect(await found(Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 1))).toEqual(['summed'])
  expect(await found(Date.UTC(2026, 0, 2), Date.UTC(2026, 0, 3))).toEqual(['not'])
  expect(await found(Date.UTC(2025, 0, 1), Date.UTC(2027, 0, 1))).toEqual(['summed', 'not'])
  expect(await found(Date.UTC(2026, 0, 3), Date.UTC(2026, 0, 4))).toEqual([])
  await recorder.close()
})

test('a wait for the database ends in time, also if the clock is set back', async () => {
  const { id } = await streams.register({ url: 'http://a.test/', kind: 'sse' })
  const run = await begin(id)
  const { recorder, leave, comeBack } = recording()
  leave()
  recorder.append(run, event('waiting'))
  const settled = recorder.settle(run, 50)
  setSystemTime(Date.now() - 3_600_000)
  await settled
  setSystemTime()
  expect(recorder.waiting).toBe(1)
  comeBack()
  await recorder.close()
})

test('evidence claims nothing that isn’t in the log yet', async () => {
  const { id } = await streams.register({ url: 'http://a.test/', kind: 'sse' })
  const run = await begin(id)
  const away = recording()
  Object.assign(run.evidence, { missedSince: 1, heardAt: 2, lastPollAt: 3, lastByteAt: 4 })
  // More than one batch: the evidence is written between two of them.
  for (let number = 0; number < 1_001; number++) away.recorder.append(run, event(String(number)))
  Object.assign(run.evidence, { missedSince: undefined, heardAt: 12, lastPollAt: 13, lastByteAt: 14 })
  away.recorder.touch(run, true)
  away.loseAnswer(2)
  await until('the evidence is stored', away.isAnswerLost)
  const { evidence } = await begin(id)
  expect(evidence).toMatchObject({ missedSince: 1, heardAt: 2, lastPollAt: 3, lastByteAt: 4 })
  await away.recorder.close()
})

test('a repeated write that a later one has overtaken doesn’t move the checkpoint back', async () => {
  const { id } = await streams.register({ url: 'http://a.test/', kind: 'sse' })
  const { epoch } = await begin(id)
  const toStore = (seq: number) => ({
    entry: { ...event(String(seq)), streamId: id, epoch, seq } as Entry,
    checkpoint: { seq, lastEventId: `id-${seq}` },
  })
  const [first, second] = [toStore(1), toStore(2)]
  await storeEntries(storage.db, [first, second], true)
  await storeEntries(storage.db, [first], true)
  expect((await begin(id)).checkpoint).toMatchObject({ seq: 2, lastEventId: 'id-2' })
})

test('rollups of too many streams for one second lag, and it is reported which', async () => {
  const list = [...Array(1_300).keys()].map((index) =>
    newStream({ url: `http://a.test/${index}`, kind: 'sse' }),
  )
  await insertStreams(storage.db, list)
  const runs = await Promise.all(list.map(({ id }) => begin(id)))
  const { recorder, changed } = recording()
  // No time goes by, so that there are no more turns.
  setSystemTime(new Date())
  for (const run of runs) recorder.append(run, event('a'))
  const summed = async () => {
    const { rows } = (await storage.db.execute(sql`
      SELECT count(*) FILTER (WHERE summed_seq = 1)::int AS summed, count(*) FILTER (WHERE seq = 1)::int AS stored
      FROM weir.checkpoints WHERE stream_id = ANY (${`{${list.map(({ id }) => id).join()}}`}::uuid[])`)) as {
      rows: { summed: number; stored: number }[]
    }
    return rows[0]
  }
  const first = await until('all are stored, and some summed up', async () => {
    const now = await summed()
    return now?.stored === 1_300 && now.summed >= 1_000 ? now : undefined
  })
  setSystemTime()
  expect(first.summed).toBe(1_000)
  await until('all are summed up', async () => ((await summed())?.summed === 1_300 ? true : undefined))
  const late = new Set(list.slice(1_000).map(({ id }) => id))
  // By themselves: with their evidence, all of them are said to have changed.
  const told = () => changed.filter((ids) => ids.every((id) => late.has(id))).flat()
  await until('it is told of those that came later', () => new Set(told()).size === late.size)
  expect(await sumsOf('rollups', list[1_299]?.id ?? '')).toEqual(await recounted(list[1_299]?.id ?? ''))
  await recorder.close()
})

test('an entry that the database refuses becomes a gap, and the others are stored', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  recorder.append(run, event('before'))
  recorder.append(run, { ...event('huge'), wireBytes: 2 ** 40 })
  recorder.append(run, event('after'))
  await recorder.settle(run)
  const log = await logOf(id)
  expect(log.map(({ seq, kind }) => [seq, kind])).toEqual([
    [1, 'event'],
    [2, 'gap'],
    [3, 'event'],
  ])
  expect(JSON.parse(log[1]?.data ?? '')).toMatchObject({ reason: 'not_storable', count: 1 })
  await recorder.close()
})

test('entries without room while the database is down are counted in a gap', async () => {
  const { id } = await register()
  const { recorder, leave, comeBack } = recording()
  const run = await begin(id)
  leave()
  let refused = 0
  for (let index = 0; index < 100_500; index++) if (!recorder.append(run, event('x'))) refused++
  expect(refused).toBeGreaterThanOrEqual(500)
  comeBack()
  await recorder.settle(run, 30_000)
  const log = await readLog(storage.db, id, { limit: 10, kinds: ['gap'] })
  expect(log.items.map(({ data }) => JSON.parse(data ?? '').count)).toEqual([refused])
  const { rows } = (await storage.db.execute(
    sql`SELECT count(*)::int AS n, max(seq)::int AS last FROM weir.entries WHERE stream_id = ${id}`,
  )) as { rows: { n: number; last: number }[] }
  expect(rows[0]?.n).toBe(rows[0]?.last as number)
  await recorder.close()
})

/** A minute that no test's clock can leave. */
const AT = Date.UTC(2026, 0, 5, 12, 30)
const answered = (status: number) => ({
  exchange: {
    request: { method: 'GET', url: 'http://a.test/', headers: {} },
    response: { status, headers: {}, firstByteMs: 1 },
  },
})
const polled = (draft: Partial<Draft> & Pick<Draft, 'kind'>, status = 200): Draft => ({
  at: AT,
  wireBytes: 50,
  bodyBytes: 100,
  headBytes: 30,
  plainBytes: 100,
  gzipBytes: 40,
  ...answered(status),
  ...draft,
})
const DRAFTS: Draft[] = [
  polled({ kind: 'snapshot', snapshotBytes: 90 }),
  polled({ kind: 'patch', changed: true, patchBytes: 11, snapshotBytes: 91, paths: ['/a'] }),
  { at: AT, kind: 'snapshot', wireBytes: 0, bodyBytes: 0, snapshotBytes: 91, hash: 'h', data: '{}' },
  polled({ kind: 'snapshot', changed: true, patchBytes: 400, snapshotBytes: 92, paths: [''] }),
  polled({ kind: 'exchange', changed: false, patchBytes: 0 }),
  polled({ kind: 'exchange', changed: false, patchBytes: 0, wireBytes: 0, bodyBytes: 0 }, 304),
  polled({ kind: 'exchange', changed: true, plainBytes: 7, gzipBytes: 27, bodyBytes: 7 }),
  { at: AT, kind: 'error', wireBytes: 5, bodyBytes: 0, ...answered(500) },
]

test('polls are rolled up with their bytes, and with those of other ways of polling', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  for (const draft of DRAFTS) recorder.append(run, draft)
  await recorder.settle(run)
  const [sums, ...more] = await sumsOf('rollups', id)
  const frames = [
    'event: patch\nid: 01234567.2\ndata: \n\n',
    'event: data\nid: 01234567.4\ndata: \n\n',
    'event: data\nid: 01234567.7\ndata: \n\n',
  ]
  expect(more).toEqual([])
  expect(numbers(sums)).toMatchObject({
    entries: 8,
    events: 3,
    polls: 6,
    errors: 1,
    compared: 5,
    changed: 3,
    not_modified: 1,
    wire_bytes: 5 * 50 + 5,
    body_bytes: 4 * 100 + 7,
    head_bytes: 6 * 30,
    plain_bytes: 5 * 100 + 7,
    gzip_bytes: 5 * 40 + 27,
    conditional_bytes: 3 * 40 + 27,
    patch_bytes: 11 + 92 + 7,
    frame_bytes: 11 + 92 + 7 + frames.join('').length,
  })
  await recorder.close()
})

test('entries keep their sizes, and the next run knows the last body by them', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  const sizes = { plainBytes: 100, gzipBytes: 40 }
  recorder.append(run, DRAFTS[1] as Draft, { bodyHash: 'b', ...sizes })
  await recorder.settle(run)
  const [entry] = await logOf(id)
  expect(entry).toMatchObject({ headBytes: 30, ...sizes, patchBytes: 11, snapshotBytes: 91 })
  // They were counted, and are no part of the log.
  expect(Object.keys(entry as Entry)).not.toContain('paths')
  expect(entryJson({ ...(entry as Entry), paths: ['/a'] })).not.toContain('paths')
  expect((await begin(id)).checkpoint).toMatchObject({ bodyHash: 'b', ...sizes })
  await recorder.close()
})

test('changed paths are counted by the hour, once per stored entry', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  const patched = (paths: string[], at = AT) => ({ ...event('x'), at, paths })
  recorder.append(run, patched(['/a', '/b']))
  recorder.append(run, patched(['/a', '/nul\0', '/nul\uFFFD'], AT + 59 * 60_000))
  await recorder.settle(run)
  // Written again, as after a lost answer, and something more.
  run.checkpoint = { ...run.checkpoint, seq: 1 }
  recorder.append(run, patched(['/a'], AT + 59 * 60_000))
  recorder.append(run, patched(['/a']))
  await recorder.settle(run)
  const rows = await sumsOf('path_rollups', id)
  const hours = rows.map(({ hour, path, changes }) => [
    new Date(hour as string).getUTCHours(),
    path,
    Number(changes),
  ])
  expect(hours).toEqual([
    [12, '/a', 2],
    [12, '/b', 1],
    [13, '/a', 1],
    [13, '/nul\uFFFD', 1],
  ])
  await recorder.close()
})

test('beyond a hundred paths, a run counts the changes of others together', async () => {
  const { id } = await register()
  const { recorder } = recording()
  const run = await begin(id)
  for (let n = 0; n < 110; n++) recorder.append(run, { ...event('x'), at: AT, paths: [`/${n}`, `/-${n}`] })
  await recorder.settle(run)
  const rows = await sumsOf('path_rollups', id)
  expect(rows.length).toBe(101)
  expect(rows.filter(({ path }) => path === '*').map(({ changes }) => Number(changes))).toEqual([60])
  await recorder.close()
})

/** Sums come as text where a driver takes them for larger than a number. */
function numbers(sums: Record<string, unknown> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, Number(value)]))
}
