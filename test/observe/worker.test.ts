import { afterAll, expect, test } from 'bun:test'
import { spawnWeir } from '../support/process.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { readMetrics } from './exposition.ts'

const TOKEN = 'a-token-of-these-tests'
const setup = SETUPS.find(({ name }) => name === 'Postgres') as (typeof SETUPS)[number]
let open: OpenSetup | undefined
let child: Bun.Subprocess | undefined

afterAll(async () => {
  child?.kill('SIGKILL')
  await child?.exited
  await open?.close()
})

test.skipIf(isSkipped(setup))('a worker answers probes on OPS_PORT, and nothing else', async () => {
  open = await setup.open({ ownServer: true })
  const worker = spawnWeir({ ...open.environment, ROLE: 'worker', OPS_PORT: '0', WEIR_TOKEN: TOKEN })
  child = worker.child
  const port = await until('it listens', () => /metrics are served on port (\d+)/.exec(worker.output())?.[1])
  const ask = (path: string, token?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} })
  await until('it is ready', async () => (await ask('/readyz')).status === 200)
  expect((await ask('/healthz')).status).toBe(200)
  expect((await ask('/metrics')).status).toBe(401)
  const metrics = readMetrics(await (await ask('/metrics', TOKEN)).text())
  expect(metrics.get('weir_build_info')?.samples[0]?.labels.role).toBe('worker')
  expect(metrics.get('weir_source_up')?.samples.map(({ value }) => value)).toEqual([1, 1, 1, 1])
  expect((await ask('/api/streams', TOKEN)).status).toBe(404)
  await open.postgres?.stop()
  const report = await until('it is not ready any more', async () => {
    // A connection that was kept alive may be closed under a request.
    const response = await ask('/readyz').catch(() => undefined)
    return (
      response?.status === 503 && ((await response.json()) as { checks: { name: string; ok: boolean }[] })
    )
  })
  expect(report.checks.find(({ name }) => name === 'database')?.ok).toBe(false)
  expect((await ask('/healthz')).status).toBe(200)
})
