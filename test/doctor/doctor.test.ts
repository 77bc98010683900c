import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import type { Finding } from '../../src/core/findings.ts'
import { clockFinding } from '../../src/doctor/database.ts'
import { packageHome } from '../../src/files.ts'
import { PACKAGE } from '../../src/storage/server/programs.ts'
import { MAIN, spawnCli } from '../cli/support.ts'
import { fillDataDir, openStorage } from '../support/data-dir.ts'
import { inMounts, withMounts } from '../support/mounts.ts'
import { spawnWeir } from '../support/process.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weir-doctor-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

async function findings(environment: Record<string, string>) {
  const { code, out, err } = await spawnCli(['doctor', '--json'], environment).ended()
  const { ok, findings: all } = JSON.parse(out) as { ok: boolean; findings: Finding[] }
  const statuses = Object.fromEntries(all.map(({ check, status }) => [check, status]))
  const details = Object.fromEntries(all.map(({ check, detail }) => [check, detail]))
  const measured = Object.assign({}, ...all.map((each) => each.measured))
  return { code, ok, err, statuses, details, measured }
}

test('a machine that has all that Weir needs is well, and nothing is left on it', async () => {
  const dataDir = join(home, 'not yet/there')
  const { code, ok, statuses, details, measured } = await findings({ DATA_DIR: dataDir })
  expect([code, ok]).toEqual([0, true])
  expect(statuses).toMatchObject({ 'data directory': 'ok', lock: 'ok', 'embedded Postgres': 'ok' })
  expect(details['data directory']).toStartWith(
    `${dataDir} will be created at the first start. Writing a page takes `,
  )
  expect(details['embedded Postgres']).toContain('18.4')
  expect(measured).toEqual({
    writeMs: expect.any(Number),
    lockMs: expect.any(Number),
    medianMs: expect.any(Number),
    longestMs: expect.any(Number),
    freeBytes: expect.any(Number),
  })
  expect(readdirSync(home)).toEqual([])
  const text = await spawnCli(['doctor'], { DATA_DIR: dataDir }).ended()
  expect(text.code).toBe(0)
  expect(text.out).toMatch(/^STATUS +CHECK +DETAIL\nok +data directory .*\n(.*\n)*Weir can run here\.\n$/)
})

test('the lock of a running Weir is seen, and stays', async () => {
  await fillDataDir(home)
  const storage = await openStorage({ databaseUrl: undefined, dataDir: home })
  const before = readdirSync(home)
  const { code, details } = await findings({ DATA_DIR: home })
  expect([code, details.lock]).toEqual([
    0,
    expect.stringMatching(/^A running Weir has the lock\. Locking takes [\d.]+ ms\.$/),
  ])
  expect(readdirSync(home)).toEqual(before)
  await storage.close()
  expect((await findings({ DATA_DIR: home })).details.lock).toStartWith(
    'Locks work, and no Weir is running here.',
  )
})

test('a Weir that runs elsewhere goes on while it is measured', async () => {
  await fillDataDir(home)
  const weir = spawnWeir({ DATA_DIR: home })
  try {
    const url = await weir.url()
    const { code, ok, measured } = await findings({ DATA_DIR: home })
    expect([code, ok]).toEqual([0, true])
    expect(Object.keys(measured).sort()).toEqual(['freeBytes', 'lockMs', 'longestMs', 'medianMs', 'writeMs'])
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect(readdirSync(home).filter((name) => name.startsWith('.doctor'))).toEqual([])
  } finally {
    weir.child.kill('SIGTERM')
  }
  const { code, output } = await weir.ended()
  expect([code, output]).toEqual([0, expect.not.stringContaining('weir:')])
})

test('what is wrong ends with 1, and says what to do', async () => {
  const file = join(home, 'file')
  writeFileSync(file, '')
  const { code, ok, details } = await findings({ DATA_DIR: file })
  expect([code, ok]).toEqual([1, false])
  expect(details['data directory']).toBe(`${file} isn't a directory. Set DATA_DIR to a directory.`)
  const text = await spawnCli(['doctor'], { DATA_DIR: file }).ended()
  expect(text.out).toEndWith("Weir can't run here until the errors are fixed.\n")
  const settings = await findings({ PORT: 'abc', STREAMS_PER_WORKER: 'x' })
  expect([settings.code, settings.statuses]).toEqual([1, { settings: 'error' }])
  expect(settings.details.settings).toMatch(/PORT.*STREAMS_PER_WORKER/s)
})

test('servers that are away are named, without their passwords', async () => {
  const { code, statuses, details } = await findings({
    DATABASE_URL: 'postgres://me:hush-hush@127.0.0.1:1/weir',
    REDIS_URL: 'redis://:hush-hush@127.0.0.1:1',
  })
  expect([code, statuses]).toEqual([1, { database: 'error', Redis: 'error' }])
  expect(details.database).toMatch(/ECONNREFUSED.*DATABASE_URL/)
  expect(details.Redis).toMatch(/ECONNREFUSED.*REDIS_URL/)
  expect(JSON.stringify(details)).not.toContain('hush')
})

inMounts('programs that are missing, and a disk that is read-only, are found', async () => {
  const hide = `mount -t tmpfs none '${dirname(packageHome(PACKAGE))}' &&
    mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"`
  const program = `
    const { diagnose } = await import(${JSON.stringify(join(dirname(MAIN), '../doctor/diagnose.ts'))})
    console.log(JSON.stringify(await diagnose({ dataDir: process.argv[1] })))`
  const found = JSON.parse(await withMounts(hide, program, home)) as Finding[]
  expect(found).toEqual([
    { check: 'data directory', status: 'error', detail: expect.stringContaining('read-only') },
    { check: 'embedded Postgres', status: 'error', detail: expect.stringContaining('bun install') },
  ])
  expect(existsSync(join(home, 'lock.sqlite'))).toBe(false)
})

test.each([
  [0, 'ok', "The database's clock is 0 ms ahead."],
  [-999, 'ok', "The database's clock is 999 ms behind."],
  [1_001, 'warning', "The database's clock is 1001 ms ahead. Synchronize both machines with NTP."],
  [-5_001, 'error', "The database's clock is 5001 ms behind. Synchronize both machines with NTP."],
] as const)('a clock that is off by %d ms is %s', (offsetMs, status, detail) => {
  expect(clockFinding(offsetMs)).toEqual({ check: 'clock', status, detail, measured: { offsetMs } })
})

const servers = SETUPS[2] as (typeof SETUPS)[number]
describe.skipIf(isSkipped(servers))('with servers', () => {
  test('they are asked for their answer, schema and clock, and whether Redis evicts jobs', async () => {
    const { environment, close } = await servers.open({ emptyDatabase: true })
    try {
      const first = await findings(environment)
      expect(first.statuses).toEqual({ database: 'ok', schema: 'ok', clock: 'ok', Redis: 'ok' })
      expect(first.details.schema).toBe("The schema doesn't exist yet; the first start creates it.")
      expect(first.measured.offsetMs).toEqual(expect.any(Number))
      await (await openStorage({ databaseUrl: environment.DATABASE_URL, dataDir: home })).close()
      const redis = new Redis(environment.REDIS_URL as string)
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
      redis.disconnect()
      const second = await findings(environment)
      expect([second.code, second.details.schema]).toEqual([0, 'The schema is up to date.'])
      expect([second.statuses.Redis, second.details.Redis]).toEqual([
        'warning',
        expect.stringContaining('allkeys-lru'),
      ])
    } finally {
      await close()
    }
  })
})
