import { afterEach, expect, test } from 'bun:test'
import { DAY_MS } from '../../src/core/time.ts'
import { logSize } from '../../src/retention/drop.ts'
import { storageReport } from '../../src/retention/report.ts'
import { dayOf } from '../../src/storage/partitions.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import { firstSeq, lastSeq, readWholeLog } from '../../src/streams/log/logs.ts'
import { seeded } from '../core/seeded.ts'
import { SETUPS, type Setup } from '../support/setups.ts'
import { event, HOUR_MS, type Kept, keep, seqsOf } from './support.ts'

const BODY_BYTES = 4_096
const CAP_BYTES = 16_000_000

let kept: Kept
afterEach(() => kept.close())

async function begin(streams: number): Promise<Run[]> {
  const services = await (SETUPS[0] as Setup).open()
  kept = await keep(services, { retentionDays: 90, retentionMaxBytes: CAP_BYTES })
  const ids = await Promise.all(Array.from({ length: streams }, () => kept.register()))
  return Promise.all(ids.map((id) => kept.begin(id)))
}

/** One entry of every stream, of contents that can't be shared or compressed. */
async function recordAll(runs: readonly Run[], next: () => number): Promise<void> {
  for (const run of runs) {
    const words = new Uint32Array((BODY_BYTES * 3) / 16).map(() => next() * 2 ** 32)
    kept.recorder.append(run, event(kept.now, new Uint8Array(words.buffer).toBase64()))
  }
  await kept.recorder.settle(runs.at(-1) as Run, 30_000)
}

async function expectWhole(run: Run): Promise<void> {
  const { db } = kept.storage
  const first = (await firstSeq(db, run.stream.id)) ?? 0
  const seqs: number[] = []
  for await (const page of readWholeLog(db, run.stream.id, {})) {
    seqs.push(...seqsOf(page))
    for (const { data } of page) expect(data?.length).toBe(BODY_BYTES)
  }
  const last = await lastSeq(db, run.stream.id)
  expect(last).toBe(run.checkpoint.seq)
  expect(seqs).toEqual(Array.from({ length: last - first + 1 }, (_, index) => first + index))
}

test('200 streams that record for days stay below the limit, oldest days dropped first', async () => {
  const runs = await begin(200)
  const next = seeded('byte-cap.test.ts')
  for (let day = 0; day < 5; day++) {
    for (let round = 0; round < 6; round++) {
      await recordAll(runs, next)
      await kept.pass(DAY_MS / 6)
      expect((await logSize(kept.storage.db)).totalBytes).toBeLessThanOrEqual(CAP_BYTES)
    }
  }
  const report = await storageReport(kept.deps)
  expect(report.lastDrop?.reason).toBe('bytes')
  expect(report.days.map(({ day }) => day)).not.toContain('2026-03-10')
  expect(report.lastTrim).toBeNull()
  for (const run of runs.slice(0, 5)) await expectWhole(run)
  expect(kept.warnings).toEqual([])
})

test('a day that is too large alone loses its oldest entries in steps, and its files stop growing', async () => {
  // A trim asks for each stream, so that few streams with more entries each are as large in less time.
  const [streams, entriesEach] = [40, 5]
  const runs = await begin(streams)
  const next = seeded('byte-cap.test.ts')
  kept.now = Date.UTC(2026, 2, 10)
  const most: number[] = []
  for (let round = 0; round < 40; round++) {
    for (let entry = 0; entry < entriesEach; entry++) await recordAll(runs, next)
    await kept.pass(HOUR_MS / 2)
    most.push((await logSize(kept.storage.db)).totalBytes)
  }
  expect(dayOf(kept.now)).toBe('2026-03-10')
  // Twice the cap has been recorded.
  expect(40 * entriesEach * streams * BODY_BYTES).toBeGreaterThan(2 * CAP_BYTES)
  expect(Math.max(...most)).toBeLessThanOrEqual(CAP_BYTES)
  expect((await storageReport(kept.deps)).lastTrim).not.toBeNull()
  for (const run of runs.slice(0, 5)) await expectWhole(run)
  const first = (await firstSeq(kept.storage.db, (runs[0] as Run).stream.id)) ?? 0
  expect(first).toBeGreaterThan(10 * entriesEach)
  expect(first).toBeLessThan(38 * entriesEach)
})
