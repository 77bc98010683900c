import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Storage } from '../../src/storage/storage.ts'
import { MAX_MARKS, versionMarks, type Zoom } from '../../src/streams/documents/version-marks.ts'
import { versionsIn } from '../../src/streams/documents/versions.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const FIRST_MS = Date.UTC(2026, 0, 5)
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const CONTROL = { runLater: async () => {} }

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let streams: Streams
    /** What was read of versions themselves, beside the sums. */
    let readings: number

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-marks-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
      streams = new Streams({ db: storage.db, control: CONTROL, bus: testBus(), limits })
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    /** A stream with so many versions every so many minutes, from the first instant on; of entries, only the first. */
    async function busy(minutes: number, everyMs: number, perMinute: number): Promise<string> {
      const { id } = await streams.register({ url: 'http://a.test/', kind: 'poll', start: false })
      await storage.db.execute(sql`
        INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries, polls, compared, changed)
        SELECT ${id}::uuid, ${new Date(FIRST_MS).toISOString()}::timestamptz + n * ${everyMs}::float8 * interval '1 ms',
          n * ${perMinute}::int + 1, (n + 1) * ${perMinute}::int, ${perMinute}::int, ${perMinute}::int,
          ${perMinute}::int - (n = 0)::int, ${perMinute}::int - (n = 0)::int
        FROM generate_series(0, ${minutes - 1}::int) AS n`)
      await entry(id, 1, FIRST_MS)
      return id
    }

    const entry = (id: string, seq: number, at: number) =>
      storage.db.execute(sql`
        INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes, hash, data)
        VALUES (${id}, ${seq}, ${new Date(at).toISOString()}, 1, 'snapshot', 1, 1, '', '{}')`)

    const marksOf = (id: string, zoom: Zoom, around: number, now: number) => {
      const read = versionsIn(storage.db)
      readings = 0
      return versionMarks(
        storage.db,
        (...asked) => {
          readings++
          return read(...asked)
        },
        id,
        { zoom, around: new Date(around), now },
      )
    }

    test('a hundred thousand versions all have a mark, within a bounded number of marks', async () => {
      const perMinute = 7
      const [minutes, everyMs] = [10 * 1_440, MINUTE_MS]
      const id = await busy(minutes, everyMs, perMinute)
      const end = FIRST_MS + minutes * everyMs
      for (const [zoom, versions] of [
        ['all', minutes * perMinute],
        ['day', 1_440 * perMinute],
        ['hour', 60 * perMinute],
      ] as const) {
        const around = FIRST_MS + 3.5 * DAY_MS
        const { marks, from, to, stepMs } = (await marksOf(id, zoom, around, end)) ?? never()
        expect(readings).toBe(0)
        expect(marks.length).toBeGreaterThan(30)
        expect(marks.length).toBeLessThanOrEqual(MAX_MARKS)
        expect(marks.reduce((sum, mark) => sum + mark.versions, 0)).toBe(versions)
        for (const [index, { seq, at }] of marks.entries()) {
          expect(at >= from && at < to).toBe(true)
          // The document as of the mark is that of the last version in its stretch.
          expect(seq).toBe(Math.floor((at.getTime() + 1 - FIRST_MS) / MINUTE_MS) * perMinute)
          const before = marks[index - 1]
          if (before) expect(at.getTime() - before.at.getTime()).toBe(stepMs)
        }
      }
    })

    test('a long life is shown by days, with a mark at each end', async () => {
      const id = await busy(400, DAY_MS, 3)
      const { marks, stepMs } = (await marksOf(id, 'all', FIRST_MS, FIRST_MS + 500 * DAY_MS)) ?? never()
      expect(stepMs % DAY_MS).toBe(0)
      expect(marks.length).toBeLessThanOrEqual(MAX_MARKS)
      expect(marks.at(-1)?.seq).toBe(1_200)
      expect(marks.reduce((sum, mark) => sum + mark.versions, 0)).toBe(1_200)
    })

    test('a few versions have their own marks, accurate to the millisecond', async () => {
      const id = await busy(5, MINUTE_MS, 1)
      const times = [0, 61_234, 130_500, 200_001, 250_000].map((ms) => FIRST_MS + ms)
      for (const [index, at] of times.slice(1).entries()) await entry(id, index + 2, at)
      const all = (await marksOf(id, 'all', FIRST_MS, FIRST_MS + DAY_MS)) ?? never()
      expect(all.stepMs).toBe(0)
      expect(all.marks.map(({ seq, at }) => [seq, at.getTime()])).toEqual(
        times.map((at, index) => [index + 1, at]),
      )
      expect([all.from.getTime(), all.to.getTime()]).toEqual([FIRST_MS, (times.at(-1) as number) + 1])
    })

    test('a day without versions has no mark, and a stream without any no slider', async () => {
      const id = await busy(5, MINUTE_MS, 1)
      const later = FIRST_MS + 3 * DAY_MS
      expect((await marksOf(id, 'day', later, later))?.marks).toEqual([])
      const { id: silent } = await streams.register({ url: 'http://a.test/', kind: 'poll', start: false })
      expect(await marksOf(silent, 'all', later, later)).toBeUndefined()
    })
  })
})

function never(): never {
  throw new Error('There are marks')
}
