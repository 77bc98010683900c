import { afterEach, beforeEach, expect, test } from 'bun:test'
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { Readiness } from '../../src/observe/readiness.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import { oddDrafts, openBench } from '../archive/support.ts'
import { seeded } from '../core/seeded.ts'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

const PAGE_BYTES = 8_192

let dataDir: string
let weir: WeirProcess | undefined
beforeEach(async () => {
  dataDir = await newDataDir('weir-damaged-')
})
afterEach(async () => {
  weir?.child.kill('SIGKILL')
  await weir?.child.exited
  rmSync(dataDir, { recursive: true, force: true })
})

/** Has a stream whose log can't be read any more. */
async function damagedStream(table: 'entries' | 'entries_rest'): Promise<string> {
  const bench = await openBench({ DATA_DIR: dataDir })
  if (table === 'entries') await makePartitions(bench.db, Date.now())
  const id = await bench.register()
  await bench.record(id, oddDrafts(seeded('damaged'), 50, [new Date().toISOString().slice(0, 10)]))
  await bench.streams.stop(id)
  const { rows } = (await bench.db.execute(sql`
    SELECT pg_relation_filepath(tableoid) AS path FROM weir.entries LIMIT 1`)) as unknown as {
    rows: { path: string }[]
  }
  await bench.close()
  const path = join(dataDir, 'database', (rows[0] as { path: string }).path)
  const file = openSync(path, 'r+')
  for (let at = 5_000; at < statSync(path).size; at += PAGE_BYTES) writeSync(file, 'damage', at)
  closeSync(file)
  return id
}

test('a damaged log is a typed error with the way back, and everything else is served', async () => {
  const id = await damagedStream('entries')
  weir = spawnWeir({ DATA_DIR: dataDir, RETENTION_DAYS: '3650' })
  const url = await weir.url()
  const logs = await fetch(`${url}/api/streams/${id}/logs?limit=5`)
  expect([logs.status, await logs.json()]).toEqual([
    500,
    expect.objectContaining({ code: 'damaged', detail: expect.stringContaining('weir restore FILE') }),
  ])
  await until('the log names the table', () =>
    /The database is damaged: .*, which is weir\.entries_/.test(weir?.output() ?? ''),
  )
  expect((await fetch(`${url}/api/streams/${id}`)).status).toBe(200)
  const { checks } = (await (await fetch(`${url}/readyz`)).json()) as {
    checks: { name: string; detail: string }[]
  }
  expect(checks.find(({ name }) => name === 'database')?.detail).toBe('Reachable, but damaged. See the log.')
  expect(await (await fetch(`${url}/storage`)).text()).toContain('The database is damaged: ')
})

test('damage in the way of a start is named instead of the statement that met it', async () => {
  await damagedStream('entries_rest')
  weir = spawnWeir({ DATA_DIR: dataDir, RETENTION_DAYS: '3650' })
  const { code, output } = await weir.ended()
  expect(code).toBe(1)
  expect(output).toMatch(
    /^weir: Weir can't start: the database is damaged \(invalid page .*\)\. .*weir restore FILE/m,
  )
  expect(output).not.toContain('SELECT')
})

test.each([
  [undefined, true, 'Entries are stored.'],
  ['53100', false, 'Entries wait in memory: the database has no space left.'],
  ['XX001', false, 'Entries wait in memory: the database is damaged. See the log.'],
  ['25006', false, 'Entries wait in memory: the database is read-only, so nothing can be stored.'],
] as const)('a write that fails with %s makes recording ready: %p', async (code, ok, detail) => {
  const failure = code && Object.assign(new Error('secret'), { code })
  const db = { execute: () => Promise.reject(new Error('away')) } as never
  const { checks } = await new Readiness({ db, schema: 0, queue: undefined, recorder: { failure } }).report()
  expect(checks.at(-1)).toEqual({ name: 'recording', ok, detail })
})
