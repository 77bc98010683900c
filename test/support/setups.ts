import {
  createDatabase,
  POSTGRES_BIN,
  REDIS_BIN,
  startPostgres,
  startRedis,
  type TestServer,
} from './servers.ts'

/** One way to run Weir: its storage, and its queue. */
export interface Setup {
  name: string
  /** Why its tests can't run here; they are skipped then, unless skipping isn't allowed. */
  lacks: string | undefined
  /** Starts what it needs besides Weir. */
  open(): Promise<OpenSetup>
}

export interface OpenSetup {
  /** The settings that make Weir use it. */
  environment: Record<string, string>
  postgres: TestServer | undefined
  redis: TestServer | undefined
  close(): Promise<void>
}

const noPostgres = POSTGRES_BIN === undefined ? 'Postgres is not installed' : undefined
const noRedis = REDIS_BIN === undefined ? 'Redis is not installed' : undefined

export const SETUPS: readonly Setup[] = [
  { name: 'embedded', lacks: undefined, open: () => open(false, false) },
  { name: 'Postgres', lacks: noPostgres, open: () => open(true, false) },
  { name: 'Postgres with Redis', lacks: noPostgres ?? noRedis, open: () => open(true, true) },
]

/** Whether a setup's tests are skipped, because something isn't installed and skipping is allowed. */
export function isSkipped({ lacks, name }: Setup): boolean {
  if (lacks === undefined) return false
  if (process.env.WEIR_REQUIRE_SETUPS) throw new Error(`The tests on ${name} must run, but ${lacks}`)
  console.warn(`${lacks}: the tests on ${name} are skipped.`)
  return true
}

async function open(withPostgres: boolean, withRedis: boolean): Promise<OpenSetup> {
  const postgres = withPostgres ? await startPostgres() : undefined
  const redis = withRedis ? await startRedis() : undefined
  return {
    postgres,
    redis,
    environment: {
      ...(postgres && { DATABASE_URL: await createDatabase(postgres) }),
      ...(redis && { REDIS_URL: redis.url }),
    },
    close: async () => {
      await postgres?.stop()
      await redis?.stop()
    },
  }
}
