import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { startPatiently } from '../../src/storage/patience.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { createDatabase, POSTGRES_BIN, REDIS_BIN, startPostgres, startRedis } from '../support/servers.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(90_000)

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function spawn(environment: Record<string, string>): WeirProcess {
  const weir = spawnWeir(environment)
  closing.push(() => weir.child.kill('SIGKILL'))
  return weir
}

async function ready(weir: WeirProcess): Promise<string> {
  const url = await weir.url()
  await until(
    'it is ready',
    async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200,
  )
  return url
}

// Postgres and Redis may not be installed; CI installs both, and allows no skips.
describe.skipIf(POSTGRES_BIN === undefined)('a start without a database', () => {
  test('waits until it is there', async () => {
    const postgres = await startPostgres()
    closing.push(() => postgres.stop())
    const environment = { DATABASE_URL: await createDatabase(postgres) }
    await postgres.kill()
    const weir = spawn(environment)
    await until('it waits', () =>
      weir.output().includes("Weir can't start yet: The database can't be reached."),
    )
    await postgres.restart()
    await ready(weir)
    expect(weir.child.exitCode).toBeNull()
  })

  test('ends at once if it would wait in vain', async () => {
    const postgres = await startPostgres()
    closing.push(() => postgres.stop())
    const weir = spawn({ DATABASE_URL: postgres.url.replace(/\/postgres$/, '/missing') })
    const { code, output } = await weir.ended()
    expect(code).toBe(1)
    expect(output).toMatch(
      /^weir: Can't reach .* \(database "missing" does not exist\)\. Check DATABASE_URL\.\n$/,
    )
  })

  test('ends on SIGTERM while it waits', async () => {
    const weir = spawn({ DATABASE_URL: 'postgres://weir@127.0.0.1:1/weir' })
    await until('it waits', () => weir.output().includes("Weir can't start yet"))
    weir.child.kill('SIGTERM')
    expect((await weir.ended()).code).toBe(0)
  })
})

test.skipIf(POSTGRES_BIN === undefined || REDIS_BIN === undefined)(
  'a start without Redis serves pages, and is ready once Redis is there',
  async () => {
    const [postgres, redis] = [await startPostgres(), await startRedis()]
    closing.push(
      () => postgres.stop(),
      () => redis.stop(),
    )
    const environment = { DATABASE_URL: await createDatabase(postgres), REDIS_URL: redis.url }
    await redis.kill()
    const weir = spawn(environment)
    const url = await weir.url()
    expect((await fetch(`${url}/api/streams`)).status).toBe(200)
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    await redis.restart()
    await ready(weir)
  },
)

test('a start gives up after its patience, with the reason', async () => {
  const why: string[] = []
  const refused = Object.assign(new Error('connect ECONNREFUSED'), {
    syscall: 'connect',
    code: 'ECONNREFUSED',
  })
  const start = () =>
    startPatiently(
      () => Promise.reject(refused),
      async (ms, reason) => {
        why.push(reason)
        await Bun.sleep(ms)
      },
      300,
    )
  expect(await start().catch((error: unknown) => error)).toBe(refused)
  expect(why).toEqual(["The database can't be reached. (connect ECONNREFUSED)"])
})
