import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { StorageLog } from '../../src/storage/log.ts'
import { openAsItIs } from '../../src/storage/open.ts'
import { accountFor } from '../../src/storage/server/account.ts'
import { KilledError } from '../../src/storage/server/child.ts'
import { findPrograms } from '../../src/storage/server/programs.ts'
import { startServer } from '../../src/storage/server/server.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { isAlive } from '../faults/child.ts'
import { newDataDir } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

let dataDir: string
let opened: Storage[]
let warnings: string[]
const log: StorageLog = { info: () => {}, warn: (message) => void warnings.push(message) }

beforeEach(async () => {
  dataDir = await newDataDir('weir-server-')
  opened = []
  warnings = []
})
afterEach(async () => {
  for (const storage of opened) await storage.close().catch(() => {})
  rmSync(dataDir, { recursive: true, force: true })
})

async function open(directory = dataDir): Promise<Storage> {
  const storage = await openAsItIs({ databaseUrl: undefined, dataDir: directory }, log)
  opened.push(storage)
  return storage
}

async function close(storage: Storage): Promise<void> {
  opened.splice(opened.indexOf(storage), 1)
  await storage.close()
}

const pidFile = () => join(dataDir, 'database/postmaster.pid')
const serverPid = () => Number(readFileSync(pidFile(), 'utf8').split('\n')[0])

async function one(storage: Storage, query: string): Promise<unknown> {
  const { rows } = await storage.pool.query(query)
  return Object.values(rows[0] as Record<string, unknown>)[0]
}

describe('the embedded server', () => {
  test('syncs, checks its pages, speaks UTF-8, and listens where only its owner gets', async () => {
    const storage = await open()
    const { rows } = await storage.pool.query(`
      SELECT name, setting FROM pg_settings
      WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'listen_addresses', 'jit')`)
    expect(
      Object.fromEntries(rows.map(({ name, setting }: Record<string, string>) => [name, setting])),
    ).toEqual({
      data_checksums: 'on',
      fsync: 'on',
      full_page_writes: 'on',
      jit: 'off',
      listen_addresses: '',
      synchronous_commit: 'on',
    })
    const about = `SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database
      WHERE datname = current_database()`
    expect(await one(storage, about)).toBe('UTF8 C')
    // Searches find a name in either case.
    expect(await one(storage, `SELECT 'PREÇOS É' ILIKE '%preços é%'`)).toBe(true)
    expect(await one(storage, `SELECT rolsuper FROM pg_roles WHERE rolname = current_user`)).toBe(false)
    const mode = (path: string) => statSync(join(dataDir, path)).mode & 0o777
    expect([mode('postgres.password'), mode('database'), mode('database/.s.PGSQL.5432')]).toEqual([
      0o600, 0o700, 0o600,
    ])
  })

  test.each([
    ['weir', 'weir', 'wrong'],
    ['weir', 'postgres', undefined],
    ['postgres', 'weir', undefined],
    ['postgres', 'postgres', undefined],
  ])('lets %s into %s with the password %p not in', async (user, database, given) => {
    await open()
    const password = given ?? readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()
    const client = new Client({ host: join(dataDir, 'database'), user, database, password })
    client.on('error', () => {})
    expect(
      await client.connect().then(
        () => 'in',
        (error) => error.code,
      ),
    ).toMatch(/^28/)
  })

  test('that is killed is started again, with all that it had acknowledged', async () => {
    const storage = await open()
    await storage.pool.query('CREATE TABLE counted (n int)')
    const acknowledged: number[] = []
    const failed: number[] = []
    let n = 0
    const counting = new AbortController()
    const count = (async () => {
      while (!counting.signal.aborted) {
        const next = ++n
        await storage.pool.query('INSERT INTO counted VALUES ($1)', [next]).then(
          () => acknowledged.push(next),
          // At once: who doesn't wait must not keep the server from coming back.
          () => failed.push(next),
        )
      }
    })()
    try {
      for (const _ of [1, 2]) {
        const [pid, before] = [serverPid(), acknowledged.length]
        await until('some are in', () => acknowledged.length > before + 20)
        process.kill(pid, 'SIGKILL')
        // Its sessions go on until they notice.
        await until('another one runs', () => existsSync(pidFile()) && serverPid() !== pid)
        const then = acknowledged.length
        await until('it goes on', () => acknowledged.length > then + 20)
      }
    } finally {
      counting.abort()
      await count
    }
    const { rows } = await storage.pool.query('SELECT n FROM counted')
    const stored = new Set(rows.map((row: { n: number }) => row.n))
    expect(acknowledged.filter((each) => !stored.has(each))).toEqual([])
    expect(failed.length).toBeGreaterThan(0)
    expect(warnings.filter((warning) => warning.includes('will be restarted'))).toHaveLength(2)
  })

  test.each([
    [2, 'starts'],
    [9, 'ends'],
  ])('that is killed %i times before it is ready: %s', async (times, outcome) => {
    const directory = join(dataDir, 'database')
    const account = accountFor([directory])
    const { postgres } = await findPrograms(dataDir, account)
    const wrapper = join(directory, 'killed.sh')
    const killed = `echo x >> tries\n[ $(wc -l < tries) -gt ${times} ] || kill -9 $$`
    writeFileSync(wrapper, `#!/bin/sh\n${killed}\nexec '${postgres}' "$@"\n`, { mode: 0o755 })
    const starting = startServer(
      { directory, account },
      { postgres: './killed.sh', log, check: async () => {} },
    )
    const ended = await starting.then(
      async (server) => {
        await server.close()
        return 'starts'
      },
      (error) => (error instanceof KilledError ? 'ends' : error),
    )
    expect(ended).toBe(outcome)
    expect(readFileSync(join(directory, 'tries'), 'utf8').split('\n').length - 1).toBe(Math.min(times + 1, 6))
    expect(warnings.every((warning) => warning.includes('status 137'))).toBe(true)
    expect(warnings).toHaveLength(Math.min(times, 5))
  })

  test('that is killed during a long query is started again without waiting for that', async () => {
    const storage = await open()
    const { promise: begun, resolve } = Promise.withResolvers<void>()
    const client = await storage.pool.connect()
    client.on('notice' as 'notification', () => resolve())
    const query = client.query(`DO $$ BEGIN RAISE NOTICE 'begun';
      PERFORM count(*) FROM generate_series(1, 100000000000); END $$`)
    const ended = query.then(
      () => 'done',
      () => 'failed',
    )
    await begun
    process.kill(serverPid(), 'SIGKILL')
    expect(await ended).toBe('failed')
    client.release()
    await until('it answers', () => one(storage, 'SELECT 1').catch(() => undefined))
  })

  test('one of whose sessions is killed goes on', async () => {
    const storage = await open()
    process.kill(Number(await one(storage, 'SELECT pg_backend_pid()')), 'SIGKILL')
    await until('it answers', () => one(storage, 'SELECT 1').catch(() => undefined))
    expect(warnings).toEqual([])
  })

  test('ends in order, leaves nothing behind, and is there again at the next start', async () => {
    const first = await open()
    const pid = serverPid()
    await first.pool.query('CREATE TABLE kept AS SELECT 7 AS n')
    await close(first)
    expect([isAlive(pid), await Bun.file(pidFile()).exists()]).toEqual([false, false])
    expect(await one(await open(), 'SELECT n FROM kept')).toBe(7)
    expect(warnings).toEqual([])
  })

  test('is reached below a path that is longer than that of a socket may be', async () => {
    const long = join(dataDir, 'x'.repeat(60), 'y'.repeat(60))
    mkdirSync(long, { recursive: true, mode: 0o700 })
    renameSync(join(dataDir, 'database'), join(long, 'database'))
    renameSync(join(dataDir, 'postgres.password'), join(long, 'postgres.password'))
    expect(await one(await open(long), 'SELECT 1')).toBe(1)
  })

  test('starts although its file of a crash names a process that has its number now', async () => {
    writeFileSync(pidFile(), `${process.pid}\n${join(dataDir, 'database')}\n1\n5432\n.\n\n 1 1\n`)
    expect(await one(await open(), 'SELECT 1')).toBe(1)
  })

  test.if(process.platform === 'linux')('needs nothing of /dev/shm', async () => {
    const storage = await open()
    expect(await one(storage, 'SHOW dynamic_shared_memory_type')).toBe('sysv')
    const { stdout } = Bun.spawnSync(['ls', '-l', `/proc/${serverPid()}/map_files`])
    expect(String(stdout)).not.toContain('/dev/shm')
  })

  test('that cannot start says why, and what to do', async () => {
    rmSync(join(dataDir, 'database/global/pg_control'))
    expect(await open().catch((error) => error.message)).toMatch(/can't start.*pg_control/s)
    // The directory is free again.
    expect(await open().catch((error) => error.message)).toMatch(/can't start.*pg_control/s)
  })

  test('whose password is lost is not left running', async () => {
    writeFileSync(join(dataDir, 'postgres.password'), 'another')
    expect(await open().catch((error) => error.message)).toMatch(/postgres\.password/)
    expect(await Bun.file(pidFile()).exists()).toBe(false)
  })
})
