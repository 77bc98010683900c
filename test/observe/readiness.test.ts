import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readiness } from '../../src/observe/readiness.ts'
import { readMigrations } from '../../src/storage/migrations.ts'
import { fillDataDir, openStorage } from '../support/data-dir.ts'
import { spawnWeir } from '../support/process.ts'
import { until } from '../support/until.ts'

interface Report {
  status: string
  checks: { name: string; ok: boolean; detail: string }[]
}

const dataDir = mkdtempSync(join(tmpdir(), 'weir-ready-'))
const children: Bun.Subprocess[] = []

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

const wrong = ({ checks }: Report) => checks.filter(({ ok }) => !ok).map(({ name }) => name)

test('the missing part is named: start, schema, database, queue, workers', async () => {
  const storage = await openStorage({ dataDir: join(dataDir, 'alone'), databaseUrl: undefined })
  let running = true
  const queue = { isAway: false }
  const readiness = new Readiness({
    db: storage.db,
    schema: readMigrations().at(-1)?.madeAt as number,
    queue: Promise.resolve({
      getJobCounts: () => (queue.isAway ? Promise.reject(new Error('away')) : Promise.resolve({ active: 0 })),
    }),
  })
  expect(wrong(await readiness.report())).toEqual(['process', 'workers'])
  readiness.started()
  readiness.workersStarted({ areRunning: () => running })
  expect(await readiness.report()).toMatchObject({ status: 'ready' })
  running = false
  queue.isAway = true
  expect(wrong(await readiness.report())).toEqual(['queue', 'workers'])
  running = true
  queue.isAway = false
  await storage.db.execute(
    'DELETE FROM drizzle.__drizzle_migrations WHERE id = (SELECT max(id) FROM drizzle.__drizzle_migrations)',
  )
  expect(wrong(await readiness.report())).toEqual(['schema'])
  await storage.close()
  expect(wrong(await readiness.report())).toEqual(['database'])
})

test('on shutdown it first becomes not ready, and keeps responding for the drain time', async () => {
  await fillDataDir(join(dataDir, 'draining'))
  const weir = spawnWeir({ DATA_DIR: join(dataDir, 'draining'), DRAIN_MS: '1500', LOG_FORMAT: 'json' })
  children.push(weir.child)
  const url = (await weir.url()).replace(/"}$/, '')
  await until('it is ready', async () => (await fetch(`${url}/readyz`)).status === 200)
  weir.child.kill('SIGTERM')
  const draining = await until('it is not', async () => {
    const response = await fetch(`${url}/readyz`)
    return response.status === 503 && ((await response.json()) as Report)
  })
  expect(wrong(draining)).toEqual(['process'])
  expect(draining.status).toBe('not_ready')
  expect((await fetch(`${url}/api/status`)).status).toBe(200)
  const { code, output } = await weir.ended()
  expect(code).toBe(0)
  const lines = output.trim().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg).at(-1)).toBe('Shutting down…')
})
