import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rollups, spells } from '../../drizzle/schema.ts'
import { periodOf, readReport } from '../../src/reports/report.ts'
import { randomFor } from '../../src/sim/random.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { openStorage } from '../support/data-dir.ts'
import { startUpstream } from '../support/upstream.ts'
import { startTestWeir } from '../support/weir.ts'
import { type PublishedReport, recalculate } from './recalculate.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Before retention could drop anything. */
const NOW = Date.parse('2026-06-15T12:00:00Z')

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Every figure of a report, as published and as calculated from its inputs. */
function check(report: PublishedReport): void {
  const own = recalculate(report)
  for (const { id, value } of report.figures) {
    const found = own.get(id)
    if (value === null || found == null) expect([id, found]).toEqual([id, value])
    else
      expect(
        `${id} ${Math.abs(found - value) <= 1e-5 * Math.abs(value) + 1e-9}, ${found} of ${value}`,
      ).toStartWith(`${id} true`)
  }
}

async function published(stream: Awaited<ReturnType<typeof add>>, days: number): Promise<PublishedReport> {
  const deps = { db: storage.db, version: '1', now: () => NOW }
  const period = periodOf({ from: new Date(NOW - days * DAY_MS) }, NOW)
  return JSON.parse(JSON.stringify(await readReport(deps, stream, period)))
}

async function add(url: string, kind: 'poll' | 'sse') {
  const createdAt = new Date(NOW - 30 * DAY_MS)
  const stream = newStream({ url, kind, name: url, intervalMs: 10_000, createdAt, updatedAt: createdAt })
  await insertStreams(storage.db, [stream])
  return stream
}

/** Minutes of a polled stream that changes with this chance, more at one time of the day than at another. */
async function record(streamId: string, days: number, chance: number): Promise<void> {
  const random = randomFor(1, 'polls')
  const rows: (typeof rollups.$inferInsert)[] = []
  for (let at = NOW - days * DAY_MS, seq = 1; at < NOW; at += MINUTE_MS, seq += 6) {
    const daily = 1 + 0.8 * Math.sin((2 * Math.PI * at) / DAY_MS)
    const changed = Array.from({ length: 6 }, () => random() < chance * daily).filter(Boolean).length
    const failed = random() < 0.02 ? 1 : 0
    const polls = 6 - failed
    rows.push({
      ...{
        streamId,
        minute: new Date(at),
        firstSeq: seq,
        lastSeq: seq + 5,
        entries: 6,
        polls,
        errors: failed,
      },
      ...{
        failures: failed,
        answered: polls,
        unanswered: failed,
        compared: polls,
        changed: Math.min(polls, changed),
      },
      ...{
        comparedMs: MINUTE_MS,
        changedMs: Math.min(polls, changed) * 10_000,
        notModified: 1,
        heldMs: MINUTE_MS,
      },
      ...{
        wireBytes: 6_000,
        bodyBytes: 30_000,
        headBytes: 1_500,
        failedHeadBytes: failed * 250,
        redirectBytes: 40,
      },
      ...{ plainBytes: polls * 5_000, gzipBytes: polls * 1_000, conditionalBytes: changed * 1_000 },
      ...{ patchBytes: changed * 80, frameBytes: changed * 120, deflatedBytes: changed * 100 },
      ...{ requests: 7, requestBytes: 1_750 },
    })
  }
  for (let from = 0; from < rows.length; from += 1_000) {
    await storage.db.insert(rollups).values(rows.slice(from, from + 1_000))
  }
}

test.each([
  ['rarely, over a week', 7, 0.002],
  ['often, over a week', 7, 0.2],
  ['in nearly every poll', 0.1, 0.99],
  ['never', 0.2, 0],
  ['for some minutes', 0.01, 0.3],
])('every figure of an API that changes %s follows from its inputs', async (_, days, chance) => {
  const stream = await add(`https://api.test/${days}/${chance}`, 'poll')
  await record(stream.id, days, chance)
  const report = await published(stream, days)
  expect(report.figures.filter(({ value }) => value !== null).length).toBeGreaterThan(20)
  check(report)
})

test('every figure of an event stream follows from its inputs', async () => {
  const stream = await add('https://api.test/events', 'sse')
  const random = randomFor(2, 'events')
  const minutes = Array.from({ length: 1_000 }, (_, index) => {
    const events = Math.floor(random() * 4)
    const counts = { entries: events, events, compared: events, changed: events, wireBytes: 90 * events }
    const minute = new Date(NOW - (index + 1) * MINUTE_MS)
    return {
      ...counts,
      streamId: stream.id,
      minute,
      firstSeq: index,
      lastSeq: index,
      patchBytes: 20 * events,
    }
  })
  await storage.db.insert(rollups).values(minutes)
  const spell = (state: 'up' | 'down', from: number, to: number) => ({
    ...{
      streamId: stream.id,
      state,
      epoch: 1,
      from: new Date(NOW + from),
      to: new Date(NOW + to),
      isSilenced: false,
    },
  })
  await storage.db
    .insert(spells)
    .values([spell('up', -DAY_MS, -7_000_000), spell('down', -7_000_000, -6_000_000)])
  const report = await published(stream, 1)
  check(report)
  const values = new Map(report.figures.map(({ id, value }) => [id, value]))
  expect(values.get('size.meanEvent')).toBe(90)
  expect(values.get('availability.period')).toBeGreaterThan(0.98)
})

test('a real stream, through the API, as JSON and as NDJSON', async () => {
  const weir = await startTestWeir()
  const upstream = startUpstream()
  const url = upstream.on('/real', (_, hit) =>
    Response.json({ hit: Math.floor(hit / 3), rows: 'x'.repeat(300) }),
  )
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  await weir.summed(id, 8)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  const report = await weir.json<PublishedReport & { formulas: object }>(`/api/streams/${id}/report`)
  check(report)
  for (const { formula } of report.figures) expect(Object.keys(report.formulas)).toContain(formula)
  const to = new Date().toISOString()
  const asked = `/api/streams/${id}/report?to=${to}`
  const whole = await weir.json<PublishedReport>(asked)
  const byFormat = await weir.get(`${asked}&format=ndjson`)
  expect(byFormat.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = (await byFormat.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string })
  const of = (type: string) => lines.filter((line) => line.type === type).map(({ type: _, ...rest }) => rest)
  expect(of('figure') as unknown).toEqual(whole.figures)
  expect(of('comparison') as unknown).toEqual(whole.comparisons)
  expect(lines[0]?.type).toBe('report')
  const accepting = await fetch(weir.url + asked, { headers: { Accept: 'application/x-ndjson' } })
  expect((await accepting.text()).split('\n').length).toBe(lines.length + 1)
  // The same figures as everywhere else.
  const window = `?from=${new Date(Date.parse(to) - 7 * DAY_MS).toISOString()}&to=${to}&step=day`
  const savings = await weir.json<{ saving: number }>(`/api/streams/${id}/savings${window}`)
  const change = await weir.json<{ frequency: { perHour: number } }>(`/api/streams/${id}/change${window}`)
  const values = new Map(whole.figures.map(({ id, value }) => [id, value]))
  expect(values.get('savings.client.conditional')).toBe(savings.saving)
  expect(values.get('change.perHour')).toBe(change.frequency.perHour)
  await weir.close()
  await upstream.stop()
})

test('a period is at most 367 days, and not in the future', () => {
  const at = (ms: number) => new Date(NOW + ms)
  expect(periodOf({}, NOW)).toEqual({ from: at(-7 * DAY_MS), to: at(0) })
  expect(periodOf({ to: at(DAY_MS) }, NOW).to).toEqual(at(0))
  for (const period of [{ from: at(0) }, { from: at(1) }, { from: at(-368 * DAY_MS) }]) {
    expect(() => periodOf(period, NOW)).toThrow()
  }
})
