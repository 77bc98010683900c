import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { SCHEDULES } from '../../jobs/schedules.ts'
import { Bus } from '../../src/bus/bus.ts'
import { parseConfig } from '../../src/config/config.ts'
import type { Log } from '../../src/observe/log.ts'
import { SCHEDULES_QUEUE, STREAMS_QUEUE } from '../../src/queue/names.ts'
import { openQueueEngine, type QueueEngine } from '../../src/queue/open.ts'
import { openStorage } from '../../src/storage/open.ts'
import { dayOf, partitionName } from '../../src/storage/partitions.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { startWeir, type Weir } from '../../src/weir.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'

const TOKEN = 'a-token-of-these-tests'
const OWNER = { Authorization: `Bearer ${TOKEN}` }
const setup = SETUPS.find(({ name }) => name === 'Postgres') as (typeof SETUPS)[number]
const isOff = isSkipped(setup)

let services: OpenSetup
let upstream: Upstream
let storage: Storage
let engine: QueueEngine
let web: Weir
let worker: Weir
/** What `Bun.serve` was asked for. */
let served: unknown
const feed = new Feed()
const ids: string[] = []
const lines: string[] = []
const log: Log = {
  ...{ debug() {}, info: (message) => void lines.push(message), warn() {}, error() {} },
  writes: () => false,
}
const config = (role: string, more: Record<string, string> = {}) =>
  parseConfig({
    ...services.environment,
    PORT: '0',
    WEIR_TOKEN: TOKEN,
    ROLE: role,
    ALLOW_HOSTS: '127.0.0.1',
    ...more,
  })
const warn = (message: string) => void lines.push(message)

/** Days without a partition: one can be created, the other has too many rows to move. */
const [tomorrow, crowded] = [1, 2].map((days) => dayOf(Date.now() + days * 86_400_000)) as [string, string]

beforeAll(async () => {
  if (isOff) return
  services = await setup.open()
  upstream = startUpstream()
  storage = await openStorage(config('web'))
  engine = await openQueueEngine(undefined, storage)
  const url = upstream.on('/feed', () => feed.response({}, 'retry: 10\n\n'))
  // Streams whose jobs got lost.
  const lost = { runLater: async () => {}, claims: async () => [], free: async () => {} }
  const streams = new Streams({
    ...{ db: storage.db, bus: new Bus(warn), control: lost as never, limits: config('web') },
    ...{ mayReach: async () => {}, fetch },
  })
  for (const name of ['one', 'two']) {
    const { id } = (await streams.register({ url: `${url}?${name}`, kind: 'sse' } as never)) as unknown as {
      id: string
    }
    ids.push(id)
  }
  await storage.db.execute(`DROP TABLE IF EXISTS weir.${partitionName('entries', tomorrow)}`)
  await storage.db.execute(`DROP TABLE IF EXISTS weir.${partitionName('entries', crowded)}`)
  await storage.db.execute(`INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes)
    SELECT '${ids[0]}', seq, '${crowded}', 1, 'exchange', 1, 1 FROM generate_series(1000001, 1010001) AS seq`)
  const serve = spyOn(Bun, 'serve')
  web = await startWeir(config('web'), warn, { log })
  served = serve.mock.calls[0]?.[0]
  serve.mockRestore()
})
afterAll(async () => {
  if (isOff) return
  await worker?.close()
  await web?.close()
  await storage.close()
  await upstream.stop()
  await services.close()
})

async function ask(url: string, path: string): Promise<Response> {
  return fetch(url.replace('localhost', '127.0.0.1') + path, { headers: OWNER })
}

async function rows<T>(statement: string): Promise<T[]> {
  return ((await storage.db.execute(statement)) as unknown as { rows: T[] }).rows
}

test.skipIf(isOff)('a web process prepares all that workers need, and follows no stream', async () => {
  const jobs = await engine.queue(STREAMS_QUEUE).getJobs()
  expect(jobs.map(({ id }) => id).sort()).toEqual([...ids].sort())
  const planned = await engine.queue(SCHEDULES_QUEUE).getJobSchedulers()
  expect(planned.map(({ key }) => key).sort()).toEqual(Object.keys(SCHEDULES).sort())
  const found = await rows(`SELECT FROM pg_class WHERE relname = '${partitionName('entries', tomorrow)}'`)
  expect(found).toHaveLength(1)
  expect(await rows('SELECT FROM weir.workers')).toEqual([])
  expect(lines.join()).toContain('Partitions not created yet')
  expect(lines.join()).toContain(partitionName('entries', crowded))
  expect(served).toMatchObject({ idleTimeout: 60 })
  const ready = await ask(web.url, '/readyz')
  expect(ready.status).toBe(200)
  const { checks } = (await ready.json()) as { checks: { name: string }[] }
  expect(checks.map(({ name }) => name)).toEqual(['process', 'database', 'schema'])
})

test.skipIf(isOff)(
  'a worker follows as many streams as it may, answers probes, and leaves when it closes',
  async () => {
    worker = await startWeir(
      config('worker', { STREAMS_PER_WORKER: '1', OPS_PORT: '0', PROXY_LINGER_MS: '10000' }),
      warn,
      { log },
    )
    expect(worker.url).toBe('')
    expect(worker.routes).toEqual([])
    const port = await until('it serves probes', () =>
      lines.map((line) => /metrics are served on port (\d+)/.exec(line)?.[1]).find(Boolean),
    )
    const probes = `http://127.0.0.1:${port}`
    const ready = await until('it is ready', async () => {
      const response = await ask(probes, '/readyz')
      return response.status === 200 && response
    })
    const { checks } = (await ready.json()) as { checks: { name: string }[] }
    expect(checks.map(({ name }) => name)).toEqual([
      'process',
      'database',
      'schema',
      'queue',
      'workers',
      'recording',
    ])
    expect((await fetch(`${probes}/metrics`)).status).toBe(401)
    await until('it follows one', () => feed.readers === 1)
    // The other one waits for a worker: this one looks for jobs once a second.
    await until('it has looked again', async () => {
      const [row] = await rows<{ streams: number }>('SELECT streams FROM weir.workers')
      return row?.streams === 1
    })
    expect((await engine.queue(STREAMS_QUEUE).getJobCounts('active')).active).toBe(1)
    const running = await until('it is known which', async () => {
      const [row] = await rows<{ stream_id: string }>(
        'SELECT stream_id FROM weir.states WHERE worker IS NOT NULL',
      )
      return row?.stream_id
    })
    const ending = new AbortController()
    const events = await fetch(`${web.url.replace('localhost', '127.0.0.1')}/api/streams/${running}/events`, {
      ...{ headers: OWNER, signal: ending.signal },
    })
    feed.send('data: through both\n\n')
    let text = ''
    for await (const chunk of events.body as unknown as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(chunk)
      if (text.includes('through both')) break
    }
    ending.abort()
    // Nobody has subscribed for a quarter of a minute.
    await rows(`UPDATE weir.streams SET always_on = false WHERE id = '${running}'`)
    await rows(
      `UPDATE weir.states SET subscribed_at = now() - interval '15 s' WHERE stream_id = '${running}'`,
    )
    await until('it is idle', async () => {
      const [row] = await rows<{ desired: string }>(
        `SELECT desired FROM weir.streams WHERE id = '${running}'`,
      )
      return row?.desired === 'idle'
    })
    await worker.close()
    expect(await rows('SELECT FROM weir.workers')).toEqual([])
    await expect(fetch(`${probes}/healthz`)).rejects.toThrow()
  },
)
