import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { Bus } from '../../src/bus/bus.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { csvRow } from '../../src/transfer/csv.ts'
import { exportStreams } from '../../src/transfer/export.ts'
import { importLines } from '../../src/transfer/import.ts'
import { membersOf } from '../../src/transfer/json-lines.ts'
import { type ImportLine, readImportLines } from '../../src/transfer/lines.ts'
import { portions } from '../../src/transfer/portions.ts'
import { newDataDir } from '../support/data-dir.ts'

const OPENAPI = { prefix: undefined, tag: undefined, headers: {} } as never
const OPTIONS = { dryRun: false, tag: undefined, defaults: {}, headers: {} }

let directory: string
let storage: Storage
let streams: Streams

beforeAll(async () => {
  directory = await newDataDir('weir-transfer-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  streams = new Streams({
    ...{ db: storage.db, bus: new Bus(() => {}), control: { runLater: async () => {} } as never },
    limits: { requestTimeoutMs: 1_000, maxBodyBytes: 10_000_000 },
  })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const stream = (more: object = {}) =>
  newStream({
    url: `http://${crypto.randomUUID()}.test/`,
    kind: 'poll',
    createdAt: new Date(),
    desired: 'stopped',
    ...more,
  } as never)
const run = async (lines: ImportLine[], options = {}) =>
  Array.fromAsync(importLines({ db: storage.db, streams }, lines, { ...OPTIONS, ...options }))
const line = (at: number, value: object): ImportLine => ({
  line: at,
  value: { kind: 'poll', start: false, ...value },
})

test('a hundred thousand lines are read, and no more', async () => {
  const text = '{}\n'.repeat(100_000)
  await readImportLines(text, 'ndjson', OPENAPI)
  await expect(readImportLines(`${text}{}`, 'ndjson', OPENAPI)).rejects.toMatchObject({ code: 'too_large' })
})

test('texts of an import are bounded together', async () => {
  const url = 'x'.repeat(1_000_000)
  const text = `[${Array.from({ length: 34 }, () => JSON.stringify({ url })).join()}]`
  await expect(readImportLines(text, 'json', OPENAPI)).rejects.toMatchObject({ code: 'too_large' })
})

test('YAML that merges again and again is refused', async () => {
  const lines = ['openapi: 3.0.0', 'a: &a', ...Array.from({ length: 1_500 }, (_, at) => `  k${at}: 1`)]
  for (let each = 0; each < 1_500; each++) lines.push(`m${each}:`, '  <<: *a')
  await expect(readImportLines(lines.join('\n'), 'openapi', OPENAPI)).rejects.toMatchObject({
    code: 'too_large',
  })
})

test('a text in JSON ends where its quote isn’t escaped', async () => {
  const values = ['a\\', '\\"', '\\\\', '"', ',]']
  const text = `[${values.map((value) => JSON.stringify({ value })).join()}]`
  const members = await Array.fromAsync(membersOf(text, 1, /^$/))
  expect(members.map(({ value }) => (value as { value: string }).value)).toEqual(values)
})

test('large streams are read eight megabytes at a time', async () => {
  const body = 'x'.repeat(5_000_000)
  const large = [stream({ body }), stream({ body }), stream(), stream()]
  await insertStreams(storage.db, large)
  const [a, b, c, d] = large.map(({ id }) => id)
  expect(await portions(storage.db, [a, b, c, d] as string[])).toEqual([[a], [b, c, d]] as string[][])
  await storage.db.execute(sql`DELETE FROM weir.streams`)
})

test('an import stores five hundred lines at a time; a preview stores none', async () => {
  const lines = Array.from({ length: 501 }, (_, at) => line(at + 1, { url: `http://a.test/${at}` }))
  const batches = await run(lines, { dryRun: true })
  expect(batches.map((batch) => batch.length)).toEqual([500, 1])
  const own = stream()
  await insertStreams(storage.db, [own])
  await run([line(1, { id: own.id, name: 'Renamed' })], { dryRun: true })
  expect((await streams.get(own.id)).name).toBe(own.name)
  await storage.db.execute(sql`DELETE FROM weir.streams`)
})

test('an import changes no private stream, and no stream twice', async () => {
  const [own, hidden] = [stream(), stream({ proxyKey: 'k', headers: { 'x-key': 'mine' } })]
  await insertStreams(storage.db, [own, hidden])
  const [outcomes] = await run([
    ...[line(1, { id: hidden.id, name: 'Mine' }), line(2, { id: own.id, name: 'A' })],
    line(3, { id: own.id.toUpperCase(), name: 'B' }),
  ])
  expect(outcomes?.map(({ outcome }) => outcome)).toEqual(['failed', 'updated', 'failed'] as never)
  expect(JSON.stringify(outcomes?.[0])).toContain('This ID is already in use.')
  expect([(await streams.get(own.id)).name, (await streams.get(hidden.id)).name]).toEqual(['A', hidden.name])
  await storage.db.execute(sql`DELETE FROM weir.streams`)
})

test('an export has all streams of people, a page at a time, and no header values', async () => {
  const all = Array.from({ length: 501 }, () => stream({ headers: { 'x-key': 'hush' } }))
  await insertStreams(storage.db, [...all, stream({ proxyKey: 'k' })])
  const text = async (secrets: boolean) =>
    (await Array.fromAsync(exportStreams(storage.db, { format: 'ndjson', tag: undefined, secrets }))).join('')
  const hidden = await text(false)
  expect(hidden.trim().split('\n')).toHaveLength(501)
  expect(hidden).not.toContain('hush')
  expect(await text(true)).toContain('hush')
})

test('a cell that a spreadsheet would run becomes text', () => {
  expect(csvRow({ name: '=1+1', headers: {} }, [])).toContain("'=1+1")
})
