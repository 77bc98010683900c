import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { archiveDays, archives, bases } from '../../drizzle/schema.ts'
import { mayDrop } from '../../src/archive/days.ts'
import { archiveLine } from '../../src/archive/format.ts'
import { versionsWith } from '../../src/archive/read-through.ts'
import type { EntrySpan } from '../../src/archive/reader.ts'
import { canonicalJson } from '../../src/core/documents/document.ts'
import { documentOf, versionAt } from '../../src/streams/documents/documents.ts'
import { versionMarks, type Zoom } from '../../src/streams/documents/version-marks.ts'
import { versionsIn } from '../../src/streams/documents/versions.ts'
import type { Draft, Entry } from '../../src/streams/recording/entry.ts'
import { integer, seeded } from '../core/seeded.ts'
import { BUCKET, objectsOf, type S3, s3Environment, startFront, startS3 } from '../support/s3.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { AFTER, type Bench, DAYS, forgetArchive, never, oddDrafts, openBench } from './support.ts'

const random = seeded('archive.test.ts')
/** Over {@link DAYS}, half a day each. */
const COUNT = 300

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let bench: Bench
    let s3: S3

    beforeAll(async () => {
      services = await setup.open()
      bench = await openBench(services.environment)
    })
    afterAll(async () => {
      await bench.close()
      await services.close()
      await s3?.stop()
    })
    beforeEach(async () => {
      await s3?.stop()
      await forgetArchive(bench)
      s3 = await startS3()
    })

    const stored = (key: string) =>
      new Bun.S3Client({ endpoint: s3.url, bucket: BUCKET, accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' })
        .file(key)
        .bytes()
    const rows = () => bench.db.select().from(archives).orderBy(archives.streamId, archives.day)
    const days = () => bench.db.select().from(archiveDays).orderBy(archiveDays.day)
    const keyOf = (id: string, day: string) => `archive/stream=${id}/date=${day}/entries.ndjson.gz`
    const dayOf = ({ at }: Entry) => new Date(at).toISOString().slice(0, 10)
    const recorded = async (count = COUNT) => {
      const id = await bench.register()
      await bench.record(id, oddDrafts(random, count))
      return id
    }

    test('each stream has one object per day with all its lines, and its checksum is stored', async () => {
      const ids = [await recorded(), await recorded(), await recorded()].sort()
      const silent = await bench.register()
      await bench.record(ids[0] as string, [
        { at: AFTER, kind: 'event', wireBytes: 1, bodyBytes: 1, data: 'new' },
      ])
      const archive = bench.archive(s3.environment)
      await archive.run(never)
      expect(await objectsOf(s3)).toEqual(ids.flatMap((id) => DAYS.map((day) => keyOf(id, day))))
      const kept = await rows()
      expect(kept.length).toBe(6)
      expect(kept.map(({ streamId }) => streamId)).not.toContain(silent)
      for (const { streamId, day, key, bytes, sha256, entries, firstSeq, lastSeq, snapshotSeq } of kept) {
        const log = (await bench.log(streamId)).filter((entry) => dayOf(entry) === day)
        const object = await stored(key)
        expect([bytes, entries, firstSeq, lastSeq]).toEqual([
          object.length,
          log.length,
          log[0]?.seq as number,
          log.at(-1)?.seq as number,
        ])
        expect(sha256).toBe(new Bun.CryptoHasher('sha256').update(object).digest('hex'))
        expect(snapshotSeq).toBe(log.findLast(({ kind }) => kind === 'snapshot')?.seq ?? null)
        expect(gunzipSync(object).toString()).toBe(log.map((entry) => `${archiveLine(entry)}\n`).join(''))
      }
      const report = await archive.report()
      const bytes = kept.reduce((sum, row) => sum + row.bytes, 0)
      expect(report.totals).toEqual({ days: 2, objects: 6, bytes })
      expect(report.days.map(({ day, state, progress, streams }) => [day, state, progress, streams])).toEqual(
        [
          [DAYS[1], 'done', 1, 3],
          [DAYS[0], 'done', 1, 3],
        ],
      )
      expect(report.next).toEqual({
        day: '2026-01-07',
        closesAt: new Date('2026-01-08T00:10:00Z'),
        isClosed: false,
      })
    })

    test('a day is archived ten minutes after its end, and not before', async () => {
      await recorded()
      let now = Date.parse('2026-01-06T00:09:59Z')
      const archive = bench.archive(s3.environment, { now: () => now })
      await archive.run(never)
      expect(await days()).toEqual([])
      now += 1_000
      await archive.run(never)
      expect((await days()).map(({ day, state }) => [day, state])).toEqual([[DAYS[0], 'done']])
    })

    test('entries that left the database are read back byte for byte, from any starting point', async () => {
      const id = await recorded(800)
      const before = await bench.log(id)
      const reader = bench.archive(s3.environment).reader
      await bench.archive(s3.environment).run(never)
      const read = async (span: EntrySpan) => Array.fromAsync(reader.entries(id, span))
      expect(await read({})).toEqual([])
      await bench.drop(DAYS[0])
      const first = before.filter((entry) => dayOf(entry) === DAYS[0])
      expect(await read({})).toEqual(first)
      await bench.drop(DAYS[1])
      expect(await bench.log(id)).toEqual([])
      expect((await read({})).map(archiveLine)).toEqual(before.map(archiveLine))
      for (let round = 0; round < 60; round++) {
        const [a, b] = [integer(random, 900), integer(random, 900)].sort((x, y) => x - y) as [number, number]
        const [from, to] = round % 2 === 0 ? [a, b] : [undefined, undefined]
        const [fromAt, toAt] = round % 3 === 0 ? [before[a]?.at, before[b]?.at] : [undefined, undefined]
        const newestFirst = round % 4 < 2
        const wanted = before.filter(
          ({ seq, at }) =>
            (from === undefined || seq >= from) &&
            (to === undefined || seq <= to) &&
            (fromAt === undefined || at >= fromAt) &&
            (toAt === undefined || at <= toAt),
        )
        if (newestFirst) wanted.reverse()
        expect(await read({ from, to, fromAt, toAt, newestFirst })).toEqual(wanted)
      }
    })

    test('versions on archived days are located, and each can be read', async () => {
      const id = await recorded()
      const isVersion = ({ kind, bodyBytes }: Entry) =>
        kind === 'patch' || (kind === 'snapshot' && bodyBytes > 0)
      const made = (await bench.log(id)).filter(isVersion)
      const archive = bench.archive(s3.environment)
      await archive.run(never)
      await bench.drop(DAYS[0])
      const read = versionsWith(versionsIn(bench.db), archive.reader)
      const marksOf = (zoom: Zoom) =>
        versionMarks(bench.db, read, id, { zoom, around: new Date(`${DAYS[0]}T12:00:00Z`), now: AFTER })
      const day = await marksOf('day')
      expect(day?.stepMs).toBe(0)
      expect(day?.marks.map(({ seq, at }) => [seq, at.getTime()])).toEqual(
        made.filter((entry) => dayOf(entry) === DAYS[0]).map(({ seq, at }) => [seq, at]),
      )
      const all = await marksOf('all')
      expect(all?.stepMs).toBeGreaterThan(0)
      // Polls that brought no document yet may make a mark before the first.
      const marks = all?.marks.filter(({ seq }) => seq >= (made[0]?.seq ?? 0)) ?? []
      expect(marks.length).toBeGreaterThanOrEqual((all?.marks.length ?? 0) - 1)
      for (const mark of marks) {
        const last = made.findLast(({ at }) => at <= mark.at.getTime()) as Entry
        expect((await versionAt(read, { id, kind: 'poll' }, { seq: mark.seq })).seq).toBe(last.seq)
      }
      expect(all?.marks[0]?.at.getTime()).toBeLessThan(Date.parse(`${DAYS[1]}T00:00:00Z`))
    })

    test('a killed run is resumed: nothing is missing and nothing is duplicated', async () => {
      const ids = [await recorded(), await recorded(), await recorded()].sort()
      const killed = new AbortController()
      const front = startFront(s3, ({ method, url }) => {
        if (method !== 'PUT' || !url.includes(ids[1] as string)) return 'pass'
        killed.abort()
        return 'hang'
      })
      const environment = s3Environment(front.url)
      await bench.archive(environment).run(killed.signal)
      expect((await days()).map(({ day, state, cursor }) => [day, state, cursor])).toEqual([
        [DAYS[0], 'running', ids[0] as string],
      ])
      const archive = bench.archive(environment)
      expect((await archive.report()).days[0]?.progress).toBeCloseTo(1 / 3)
      expect((await rows()).length).toBe(1)
      front.meddle = () => 'pass'
      front.seen.length = 0
      await archive.run(never)
      const sent = front.seen.filter((request) => request.startsWith('PUT'))
      expect(sent.length).toBe(5)
      expect(sent.join()).not.toContain(keyOf(ids[0] as string, DAYS[0]))
      expect((await rows()).length).toBe(6)
      expect((await days()).map(({ state, streams }) => [state, streams])).toEqual([
        ['done', 3],
        ['done', 3],
      ])
      expect((await objectsOf(s3)).length).toBe(6)
      front.seen.length = 0
      await archive.run(never)
      expect(front.seen).toEqual([])
      await front.stop()
    })

    test('an object larger than a part is uploaded in parts and read back', async () => {
      const id = await bench.register()
      const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(45_000))).toString('base64')
      const drafts = Array.from({ length: 210 }, (_, n): Draft => {
        const at = Date.parse(`${DAYS[0]}T10:00:00Z`) + n
        return { at, kind: 'event', wireBytes: 60_000, bodyBytes: 60_000, data: noise() }
      })
      await bench.record(id, drafts)
      const before = await bench.log(id)
      const front = startFront(s3)
      const archive = bench.archive(s3Environment(front.url))
      await archive.run(never)
      const [row] = await rows()
      expect(row?.bytes).toBeGreaterThan(8_388_608)
      expect(front.seen.filter((request) => request.endsWith('?partNumber')).length).toBe(2)
      await bench.drop(DAYS[0])
      front.seen.length = 0
      expect(await Array.fromAsync(archive.reader.entries(id, { from: 150, to: 151 }))).toEqual(
        before.slice(149, 151),
      )
      // Of all its blocks, those two entries' only.
      expect(front.seen.length).toBeLessThanOrEqual(2)
      expect(await Array.fromAsync(archive.reader.entries(id, {}))).toEqual(before)
      await front.stop()
    })

    test('a day with late entries isn’t dropped until those are archived too', async () => {
      const id = await recorded()
      const archive = bench.archive(s3.environment)
      expect(await mayDrop(bench.db, DAYS[0])).toBe(false)
      await archive.run(never)
      expect(await mayDrop(bench.db, DAYS[0])).toBe(true)
      const late = {
        at: Date.parse(`${DAYS[0]}T23:59:59Z`),
        kind: 'event',
        wireBytes: 1,
        bodyBytes: 1,
      } as const
      await bench.drop(DAYS[0])
      await bench.record(id, [{ ...late, data: 'late' }])
      const before = await rows()
      expect(await mayDrop(bench.db, DAYS[0])).toBe(false)
      await archive.run(never)
      expect(await mayDrop(bench.db, DAYS[0])).toBe(true)
      const [again] = await rows()
      expect(again).toMatchObject({ entries: (before[0]?.entries ?? 0) + 1, lastSeq: COUNT + 1 })
      const keys = (await rows()).map(({ key }) => key)
      expect(await objectsOf(s3)).toEqual(keys.sort())
      await bench.drop(DAYS[0])
      const seqs = (await Array.fromAsync(archive.reader.entries(id, {}))).map(({ seq }) => seq)
      expect(seqs).toEqual([...Array.from({ length: COUNT / 2 }, (_, index) => index + 1), COUNT + 1])
      expect((await days()).map(({ streams }) => streams)).toEqual([1, 1])
    })

    test('documents are rebuilt from the archive and from bases in the database', async () => {
      const id = await recorded(240)
      const stream = await bench.streams.get(id)
      const inDatabase = versionsIn(bench.db)
      const made = (await bench.log(id)).filter(({ kind }) => kind === 'snapshot' || kind === 'patch')
      const texts = new Map<number, string>()
      const documentAt = async (read: typeof inDatabase, seq: number) =>
        (await documentOf(read, stream, await versionAt(read, stream, { seq }))).document
      for (const { seq } of made) texts.set(seq, canonicalJson(await documentAt(inDatabase, seq)))
      const archive = bench.archive(s3.environment)
      await archive.run(never)
      // The last patch of what goes: a base stands in its place.
      const kept = made.findLast(({ kind, seq }) => kind === 'patch' && seq <= 120) as Entry
      const data = texts.get(kept.seq) as string
      const { seq, hash = '' } = kept
      await bench.db.insert(bases).values({ streamId: id, seq, at: new Date(kept.at), hash, data })
      await bench.drop(DAYS[0])
      const read = versionsWith(inDatabase, archive.reader)
      for (const version of made) {
        expect(canonicalJson(await documentAt(read, version.seq))).toBe(texts.get(version.seq) as string)
      }
      const all = await read(id, { limit: 500, only: 'received' })
      const told = (version: { seq: number; kind: string }) => `${version.seq} ${version.kind}`
      expect(all.map(told)).toEqual(made.map(told))
      expect(await read(id, { limit: 500, only: 'received', newestFirst: true })).toEqual(all.toReversed())
      const small = await read(id, { limit: 500, maxDataBytes: 100 })
      expect(small.some(({ data }) => data === undefined)).toBe(true)
      expect(small.every(({ data = '' }) => Buffer.byteLength(data) <= 100)).toBe(true)
    })

    test('a day without entries may be dropped', async () => {
      expect(await mayDrop(bench.db, '2026-01-01')).toBe(true)
      expect(await days()).toEqual([])
    })

    test('archived objects of a removed stream are deleted by the next run', async () => {
      const [gone, stays] = [await recorded(), await recorded()]
      const archive = bench.archive(s3.environment)
      await archive.run(never)
      await bench.streams.remove(gone as string)
      await archive.run(never)
      expect(await objectsOf(s3)).toEqual(DAYS.map((day) => keyOf(stays as string, day)))
      expect((await rows()).map(({ streamId }) => streamId)).toEqual([stays as string, stays as string])
    })

    test('without a bucket any day may be dropped, and nothing is archived', async () => {
      await recorded()
      const archive = bench.archive({})
      await archive.run(never)
      expect(await archive.mayDrop(bench.db, DAYS[0])).toBe(true)
      expect(await days()).toEqual([])
      await expect(archive.runLater()).rejects.toMatchObject({ code: 'conflict' })
    })
  })
})
