import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { hashDocument } from '../../src/core/documents/document.ts'
import { DAY_MS } from '../../src/core/time.ts'
import { keepBasesOfDay } from '../../src/retention/bases.ts'
import { dayOf } from '../../src/storage/partitions.ts'
import { documentOf, versionAt } from '../../src/streams/documents/documents.ts'
import { versionsIn } from '../../src/streams/documents/versions.ts'
import { firstSeq, readLog } from '../../src/streams/log/logs.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { type Kept, keep, seqsOf } from './support.ts'

const FILLER = 'x'.repeat(2_500)
const document = (n: number) => ({ n, FILLER })
const snapshot = (n: number): Partial<Draft> => ({
  kind: 'snapshot',
  changed: true,
  data: JSON.stringify(document(n)),
  hash: hashDocument(document(n)),
})
const patch = (n: number): Partial<Draft> => ({
  kind: 'patch',
  changed: true,
  data: JSON.stringify([{ op: 'replace', path: '/n', value: n }]),
  hash: hashDocument(document(n)),
})

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let kept: Kept

    beforeAll(async () => {
      services = await setup.open()
    })
    afterEach(() => kept.close())
    afterAll(() => services.close())

    const current = async (id: string, moment: Parameters<typeof versionAt>[2] = 'now') => {
      const read = versionsIn(kept.storage.db)
      const stream = { id, kind: 'poll' as const }
      return (await documentOf(read, stream, await versionAt(read, stream, moment))).document
    }

    test('a document whose snapshot is dropped is rebuilt from its base, by readers and by the next run', async () => {
      kept = await keep(services, { retentionDays: 2 })
      const id = await kept.register()
      const run = await kept.begin(id)
      await kept.record(run, snapshot(1), patch(2), { kind: 'exchange', changed: false, data: undefined })
      await kept.pass(DAY_MS)
      await kept.record(run, patch(3), patch(4))
      await kept.pass(DAY_MS)
      await kept.record(run, patch(5))
      await kept.pass(DAY_MS)
      expect(await firstSeq(kept.storage.db, id)).toBe(4)
      expect(await current(id)).toEqual(document(5))
      expect(await current(id, { seq: 4 })).toEqual(document(3))
      expect(await kept.begin(id)).toMatchObject({ followed: { document: document(5), patches: 3 } })
      await kept.pass(DAY_MS)
      expect(await current(id)).toEqual(document(5))
      expect(await current(id, { seq: 6 })).toEqual(document(5))
      // Nothing of it is left in the log, and it still goes on from there.
      await kept.pass(DAY_MS)
      expect(await firstSeq(kept.storage.db, id)).toBeUndefined()
      expect(await current(id)).toEqual(document(5))
      const next = await kept.begin(id)
      expect(next.followed).toMatchObject({ document: document(5), patches: 0 })
      await kept.record(next, patch(6))
      expect(await current(id)).toEqual(document(6))
      expect(next.checkpoint.seq).toBe(7)
      expect(kept.warnings).toEqual([])
    })

    test('a base is replaced by the next snapshot', async () => {
      kept = await keep(services, { retentionDays: 1 })
      const run = await kept.begin(await kept.register())
      await kept.record(run, snapshot(1), patch(2))
      await kept.pass(DAY_MS)
      await kept.pass(DAY_MS)
      await kept.record(run, patch(3), snapshot(4), patch(5))
      expect(await current(run.stream.id)).toEqual(document(5))
      expect(await current(run.stream.id, { seq: 3 })).toEqual(document(3))
      expect(await kept.begin(run.stream.id)).toMatchObject({
        followed: { document: document(5), patches: 1 },
      })
    })

    test('a base stored before its day is dropped changes nothing', async () => {
      kept = await keep(services)
      const run = await kept.begin(await kept.register())
      await kept.record(run, snapshot(1), patch(2))
      await keepBasesOfDay(kept.deps, dayOf(kept.now))
      await kept.record(run, patch(3))
      expect(await current(run.stream.id)).toEqual(document(3))
      expect(await current(run.stream.id, { seq: 1 })).toEqual(document(1))
      expect(await current(run.stream.id, { seq: 2 })).toEqual(document(2))
      expect(await kept.begin(run.stream.id)).toMatchObject({
        followed: { document: document(3), patches: 1 },
      })
    })

    test('a lost document makes the next run fetch all of it', async () => {
      kept = await keep(services)
      const run = await kept.begin(await kept.register())
      kept.recorder.append(run, { ...patchless(kept.now), ...snapshot(1) }, { bodyHash: 'b', etag: 'e' })
      await kept.recorder.settle(run)
      await kept.storage.db.execute(sql`DELETE FROM weir.entries`)
      const next = await kept.begin(run.stream.id)
      expect(next.followed).toBeUndefined()
      expect(next.checkpoint).toMatchObject({ seq: 1, bodyHash: undefined, etag: undefined })
    })

    test('limits of one stream delete its oldest entries, with their bodies', async () => {
      kept = await keep(services)
      const ids = await Promise.all([1, 2, 3, 4].map(() => kept.register()))
      const bounds = [{ maxEntries: 3 }, { maxBytes: 6_000 }, { maxAgeMs: 3_600_000 }, null]
      for (const [index, id] of ids.entries()) {
        const retention = JSON.stringify(bounds[index])
        await kept.storage.db.execute(
          sql`UPDATE weir.streams SET retention = nullif(${retention}::jsonb, 'null') WHERE id = ${id}::uuid`,
        )
      }
      const runs = await Promise.all(ids.map((id) => kept.begin(id)))
      for (const [index, run] of runs.entries()) {
        await kept.record(run, snapshot(1), patch(2), { data: `${index}${FILLER}` })
      }
      kept.now += 2 * 3_600_000
      for (const [index, run] of runs.entries()) {
        await kept.record(run, patch(3), { data: `${index}${FILLER}2` })
      }
      await kept.pass(0)
      const logs = await Promise.all(
        ids.map(async (id) => (await readLog(kept.storage.db, id, { limit: 9 })).items),
      )
      expect(logs.map(seqsOf)).toEqual([
        [3, 4, 5],
        [3, 4, 5],
        [4, 5],
        [1, 2, 3, 4, 5],
      ])
      for (const log of logs) for (const { data } of log) expect(data).toBeString()
      for (const id of ids) expect(await current(id)).toEqual(document(3))
      // The snapshots are equal, and one stream still has it; of the texts, one went.
      const bodies = await kept.rows<{ n: number }>(sql`SELECT count(*)::int AS n FROM weir.bodies`)
      expect(bodies[0]?.n).toBe(1 + 7)
      const [next] = await Promise.all([kept.begin(ids[0] as string)])
      expect(next?.followed).toMatchObject({ document: document(3) })
    })
  })
})

const patchless = (at: number): Draft => ({ at, kind: 'snapshot', wireBytes: 1, bodyBytes: 1 })
