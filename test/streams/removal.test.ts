import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { storedEvents } from '../../src/streams/log/logs.ts'
import { bodyKeyOf, deleteBodies } from '../../src/streams/recording/bodies.ts'
import { countStreams, listStreams } from '../../src/streams/registry/listing.ts'
import { removeStream } from '../../src/streams/registry/remove.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { Visibility, visibleAmong } from '../../src/streams/registry/visibility.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { testStorage } from '../support/storage.ts'

const own = testStorage()
const AT = new Date(Date.UTC(2026, 0, 5, 12))
const DAY = '2026-01-05'
const count = async (table: string, id: string) =>
  (
    await own.rows<{ n: number }>(
      sql`SELECT count(*)::int AS n FROM weir.${sql.raw(table)} WHERE stream_id = ${id}`,
    )
  )[0]?.n
const body = (text: string) =>
  own.db.execute(sql`INSERT INTO weir.bodies (day, key, data) VALUES (${DAY}, ${bodyKeyOf(text)}, ${text})`)
const entry = (id: string, seq: number, bodyKey: string | null = null, at = AT) =>
  own.db.execute(sql`INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes, body_key)
    VALUES (${id}, ${seq}, ${at.toISOString()}::timestamptz, 1, 'event', 1, 1, ${bodyKey})`)
const bodiesOf = async (...texts: string[]) => {
  const rows = await own.rows<{ data: string }>(sql`SELECT data FROM weir.bodies`)
  return texts.filter((text) => rows.some(({ data }) => data === text))
}

test('a removed stream leaves nothing of its log, however long it is', async () => {
  const { id } = await own.stream()
  await own.db.execute(sql`INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes)
    SELECT ${id}, seq, ${AT.toISOString()}::timestamptz, 1, 'event', 1, 1 FROM generate_series(1, 10001) AS seq`)
  const { id: other } = await own.stream()
  await entry(other, 1)
  const told: (number | undefined)[] = []
  await removeStream(own.db, id, () => told.push(1))
  expect(await count('entries', id)).toBe(0)
  expect(await count('entries', other)).toBe(1)
  expect(told).toEqual([1])
})

test('bodies that other entries of the day have stay', async () => {
  const [gone, kept] = [await own.stream(), await own.stream()]
  await body('only its own')
  await body('also of the other')
  await entry(gone.id, 1, bodyKeyOf('only its own'))
  await entry(gone.id, 2, bodyKeyOf('also of the other'))
  await entry(kept.id, 1, bodyKeyOf('also of the other'))
  // The same content on another day says nothing about this one's.
  await entry(kept.id, 2, bodyKeyOf('only its own'), new Date(AT.getTime() + 86_400_000))
  await removeStream(own.db, gone.id)
  expect(await bodiesOf('only its own', 'also of the other')).toEqual(['also of the other'])
})

test('a body isn’t deleted under an entry that is being stored', async () => {
  const stream = await own.stream()
  await body('shared')
  const other = await own.session()
  await other.run('BEGIN')
  await other.run('LOCK TABLE weir.bodies IN ROW EXCLUSIVE MODE')
  await other.run(
    `INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes, body_key)
     VALUES ($1, 1, $2, 1, 'event', 1, 1, $3)`,
    [stream.id, AT.toISOString(), bodyKeyOf('shared')],
  )
  // It waits for a moment, and then leaves the body to the day's end.
  await deleteBodies(own.db, [{ at: AT, bodyKey: bodyKeyOf('shared') }])
  await other.run('COMMIT')
  other.end()
  expect(await bodiesOf('shared')).toEqual(['shared'])
})

test('%, _ and \\ are searched for as they are', async () => {
  await own.stream({ name: '100% sure' })
  await own.stream({ name: '100 sure' })
  await own.stream({ name: 'a_b' })
  await own.stream({ name: 'axb' })
  await own.stream({ name: 'back\\slash' })
  const named = async (q: string) =>
    (await listStreams(own.db, { q, limit: 10 }, 0)).items.map(({ name }) => name).sort()
  expect(await named('0%')).toEqual(['100% sure'])
  expect(await named('a_b')).toEqual(['a_b'])
  expect(await named('\\')).toEqual(['back\\slash'])
  expect(await countStreams(own.db, { q: 'nul\0' })).toBe(0)
})

const reader = (id: string) => ({ id, name: id, scope: 'operate' }) as const

test('a private stream exists for its key and for admins only', async () => {
  const { id } = await own.stream({
    proxyKey: 'private',
    headers: { a: 'secret' },
    owner: 'key:1',
    name: 'private',
  })
  const { id: unowned } = await own.stream({ proxyKey: 'unowned', headers: { a: 's' }, owner: null })
  const { id: shared } = await own.stream({ proxyKey: 'shared', owner: 'key:1' })
  const admin = { ...reader('key:9'), scope: 'admin' } as const
  const seenBy = async (caller: Parameters<typeof visibleAmong>[2]) => {
    const visibility = new Visibility(own.db)
    const one = await Promise.all(
      [id, unowned, shared].map((each) =>
        visibility.check(caller, each).then(
          () => true,
          () => false,
        ),
      ),
    )
    const among = await visibleAmong(own.db, [id, unowned, shared], caller)
    expect(among).toEqual([id, unowned, shared].filter((_, index) => one[index]))
    const listed = (await listStreams(own.db, { limit: 100, ...(caller && { caller }) }, 0)).items
    expect(listed.filter((each) => [id, unowned, shared].includes(each.id))).toHaveLength(among.length)
    return one
  }
  expect(await seenBy(undefined)).toEqual([false, false, true])
  expect(await seenBy(reader('key:1'))).toEqual([true, false, true])
  expect(await seenBy(reader('key:2'))).toEqual([false, false, true])
  expect(await seenBy(admin)).toEqual([true, true, true])
  // However its ID is written.
  expect(new Visibility(own.db).check(reader('key:2'), id.toUpperCase())).rejects.toThrow('not found')
})

test('starting and stopping by tag leaves out what the caller doesn’t see', async () => {
  const told: (readonly string[])[] = []
  const control = { runLater: async (ids: readonly string[]) => void told.push(ids) }
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
  const streams = new Streams({ db: own.db, control, bus: testBus(), limits })
  const { id } = await own.stream({ tags: ['mine'], desired: 'stopped' })
  await own.stream({ tags: ['mine'], desired: 'stopped', proxyKey: 'p', headers: { a: 's' }, owner: 'key:1' })
  expect(await streams.desireTagged('mine', 'running', reader('key:2'))).toEqual({ matched: 1, changed: 1 })
  expect(told).toEqual([[id]])
  expect(await streams.desireTagged('mine', 'running', reader('key:1'))).toEqual({ matched: 2, changed: 1 })
})

test('a change of what defines a stream starts it over, with an epoch of its own', async () => {
  const control = { runLater: async () => {} }
  const bus = testBus()
  const heard = heardOn(bus, 'run.interrupt')
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
  const streams = new Streams({ db: own.db, control, bus, limits })
  const { id } = await own.stream()
  await own.db.execute(sql`UPDATE weir.checkpoints SET etag = 'e', body_hash = 'h', last_event_id = 'i', last_modified = 'm',
    snapshot_seq = 1, epoch = 4 WHERE stream_id = ${id}`)
  const kept = () =>
    own.rows(sql`SELECT epoch, etag, body_hash, last_event_id, last_modified, snapshot_seq
    FROM weir.checkpoints WHERE stream_id = ${id}`)
  await streams.change(id, { name: 'another' })
  expect(await kept()).toMatchObject([{ epoch: 4, etag: 'e' }])
  await streams.change(id, { url: 'http://b.test/' })
  const none = { etag: null, body_hash: null, last_event_id: null, last_modified: null, snapshot_seq: null }
  expect(await kept()).toEqual([{ epoch: 5, ...none }])
  expect(heard).toHaveLength(2)
})

test('a start forgets the wait that an earlier run owed', async () => {
  const control = { runLater: async () => {} }
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
  const streams = new Streams({ db: own.db, control, bus: testBus(), limits })
  const { id } = await own.stream({ desired: 'stopped' })
  await own.db.execute(
    sql`UPDATE weir.states SET evidence = '{"phase":"waiting","failures":3,"nextRetryAt":9,"failingSince":1}' WHERE stream_id = ${id}`,
  )
  await streams.start(id)
  const [row] = await own.rows<{ evidence: object }>(
    sql`SELECT evidence FROM weir.states WHERE stream_id = ${id}`,
  )
  expect(row?.evidence).toEqual({ phase: 'waiting', failures: 0 })
})

test('of an ID that comes more than once, the last event counts, and only within the stretch', async () => {
  const { id } = await own.stream()
  for (const seq of [1, 2, 3, 4]) {
    await entry(id, seq)
    await own.db.execute(
      sql`UPDATE weir.entries SET event_id = 'x', data = ${`${seq}`} WHERE stream_id = ${id} AND seq = ${seq}`,
    )
  }
  const seqIn = async (after: number, until: number) =>
    (await storedEvents(own.db, id, ['x'], { after, until })).get('x')?.seq
  expect([await seqIn(0, 4), await seqIn(0, 3), await seqIn(3, 4), await seqIn(4, 9)]).toEqual([
    4,
    3,
    4,
    undefined,
  ])
})
