import { Client } from 'pg'
import { REDIS_BIN, startRedis } from '../../test/support/servers.ts'
import { PeerMissing } from './bench.ts'
import type { Child } from './child.ts'
import { until } from './measure.ts'
import { ownPostgres, startMain } from './weir.ts'

/** Where the jobs of several processes are; the data is in Postgres. */
export type Queue = 'postgres' | 'redis'

/** Weir as several processes: one web process, and workers that come and go. */
export interface Fleet {
  readonly url: string
  readonly workers: Set<Child>
  /** Roots of all its processes, including database and queue. */
  roots(): number[]
  addWorker(): Promise<Child>
  /** Sends a signal to a worker without waiting. */
  signal(worker: Child, signal: NodeJS.Signals): void
  query<Row>(text: string, values?: unknown[]): Promise<Row[]>
}

/** @throws PeerMissing if Postgres or Redis isn't installed */
export async function startFleet(
  queue: Queue,
  workers: number,
  scope: AsyncDisposableStack,
  environment: Record<string, string> = {},
): Promise<Fleet> {
  if (queue === 'redis' && REDIS_BIN === undefined) throw new PeerMissing('redis-server is not on the PATH')
  const postgres = await ownPostgres(scope)
  const redis = queue === 'redis' ? await startRedis() : undefined
  if (redis !== undefined) scope.defer(() => redis.stop())
  const settings = { DATABASE_URL: postgres.url, ...(redis && { REDIS_URL: redis.url }), ...environment }
  const web = startMain(scope, { ...settings, ROLE: 'web' })
  const [, url = ''] = await web.said(/listening on (http:\S+)/)
  const client = new Client({ connectionString: postgres.url })
  await client.connect()
  scope.defer(() => client.end())
  const fleet: Fleet = {
    url: url.replace('localhost', '127.0.0.1'),
    workers: new Set(),
    roots: () => [
      postgres.pid,
      web.pid,
      ...(redis ? [redis.pid] : []),
      ...[...fleet.workers].map(({ pid }) => pid),
    ],
    async addWorker() {
      const worker = startMain(scope, { ...settings, ROLE: 'worker' })
      await worker.said(/running as a worker/)
      fleet.workers.add(worker)
      return worker
    },
    signal(worker, signal) {
      fleet.workers.delete(worker)
      void worker.end(signal)
    },
    query: async (text, values) => (await client.query(text, values)).rows,
  }
  for (let index = 0; index < workers; index++) await fleet.addWorker()
  return fleet
}

/** How many streams a worker runs, according to the database. */
export async function heldBy(fleet: Fleet, { pid }: Child): Promise<number> {
  const [row] = await fleet.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM weir.states WHERE worker LIKE $1',
    [`%:${pid}:%`],
  )
  return row?.count ?? 0
}

/** Waits until the workers share all streams, each at most a tenth above its share. */
export function untilShared(fleet: Fleet, streams: number): Promise<void> {
  return until(`${fleet.workers.size} workers share ${streams} streams`, async () => {
    const held = await Promise.all([...fleet.workers].map((worker) => heldBy(fleet, worker)))
    const most = Math.ceil((streams / fleet.workers.size) * 1.1) + 1
    return held.reduce((sum, count) => sum + count, 0) === streams && held.every((count) => count <= most)
  })
}
