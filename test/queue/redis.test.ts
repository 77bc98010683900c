import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Redis } from 'ioredis'
import { SCHEDULES } from '../../jobs/schedules.ts'
import { freeze } from '../support/freeze.ts'
import { isSkipped, type OpenSetup, SETUPS, type Setup } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

setDefaultTimeout(120_000)

const setup = SETUPS.find(({ name }) => name === 'Postgres with Redis') as Setup

/** Each makes Redis unwell. @returns undoes that */
const FAULTS: Record<string, (redis: Redis, pid: number) => Promise<() => unknown>> = {
  'a Redis without memory': async (redis) => {
    await redis.config('SET', 'maxmemory', '1')
    return () => redis.config('SET', 'maxmemory', '0')
  },
  'a Redis that became a replica': async (redis) => {
    await redis.replicaof('127.0.0.1', '1')
    return () => redis.replicaof('NO', 'ONE')
  },
  'a Redis that asks for a password': async (redis) => {
    await redis.config('SET', 'requirepass', 'secret')
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    return () => redis.config('SET', 'requirepass', '')
  },
  'a frozen Redis': async (_redis, pid) => freeze(pid),
}

describe.skipIf(isSkipped(setup))('Weir with', () => {
  let services: OpenSetup
  let upstream: Upstream
  let weir: TestWeir
  let redis: Redis
  let url = ''

  beforeAll(async () => {
    services = await setup.open()
    upstream = startUpstream()
    url = upstream.on('/document', (_request, hits) => Response.json({ hits }))
    redis = new Redis(services.environment.REDIS_URL as string)
    redis.on('error', () => {})
    weir = await startTestWeir(services.environment)
  })
  afterAll(async () => {
    redis.disconnect()
    await weir.close()
    await upstream.stop()
    await services.close()
  })

  const register = () => weir.register({ url, kind: 'poll', intervalMs: 1_000 })
  const lastOf = async (id: string) => (await weir.logs(id)).at(-1)?.seq ?? 0
  const grows = async (id: string) => {
    const before = await lastOf(id)
    await until('the log grows', async () => (await lastOf(id)) > before)
  }
  const readiness = async () => (await weir.get('/readyz')).status

  test.each(Object.keys(FAULTS))('%s goes on, says so, and catches up', async (name) => {
    const held = await register()
    await grows(held.id)
    const undo = await (FAULTS[name] as (typeof FAULTS)[string])(redis, services.redis?.pid ?? 0)
    let added: { id: string }
    try {
      await grows(held.id)
      await until('it is not ready', async () => (await readiness()) === 503)
      // What is wanted is in the database; the queue gets it later.
      added = await register()
      expect((await weir.send('POST', `/api/streams/${held.id}/stop`)).status).toBe(200)
      expect((await weir.get('/api/streams')).status).toBe(200)
    } finally {
      await undo()
    }
    await grows(added.id)
    await until('it is ready', async () => (await readiness()) === 200)
    await weir.status(held.id, 'stopped')
    await weir.send('POST', `/api/streams/${held.id}/start`)
    await grows(held.id)
    for (const { id } of [held, added]) {
      const kinds = (await weir.logs(id)).map(({ kind }) => kind)
      expect(kinds.filter((kind) => kind === 'error')).toEqual([])
    }
  })

  test('a flushed Redis gets its jobs and schedules back', async () => {
    const held = await register()
    await grows(held.id)
    await redis.flushall()
    await grows(held.id)
    const added = await register()
    await grows(added.id)
    const count = Object.keys(SCHEDULES).length
    await until('schedules are back', async () => (await redis.zcard('bull:schedules:repeat')) === count)
    const done = async () => (await redis.zcard('bull:schedules:completed')) > 0
    await until('a schedule has run', done)
    await weir.send('POST', `/api/streams/${held.id}/stop`)
    await weir.status(held.id, 'stopped')
    await weir.send('POST', `/api/streams/${held.id}/start`)
    await grows(held.id)
  })
})
