import {
  createDatabase,
  POSTGRES_BIN,
  REDIS_BIN,
  startPostgres,
  startRedis,
  type TestServer,
} from './servers.ts'
import { sharedDatabase } from './shared/client.ts'

/** One way to run Weir: its storage, and its queue. */
export interface Setup {
  name: string
  /** Why its tests can't run here; they are skipped then, unless skipping isn't allowed. */
  lacks: string | undefined
  /** Starts what it needs besides Weir: by default, a database on the Postgres that all test files share. */
  open(needs?: Needs): Promise<OpenSetup>
}

export interface Needs {
  /** Its own Postgres, to kill or freeze it; it keeps to its promises of durability. */
  ownServer?: boolean
  /** A database without Weir's schema. */
  emptyDatabase?: boolean
}

export interface OpenSetup {
  /** The settings that make Weir use it. */
  environment: Record<string, string>
  /** Its own; a shared one is `undefined`. */
  postgres: TestServer | undefined
  /** Always its own: a message that is published on one of its databases arrives on all. */
  redis: TestServer | undefined
  close(): Promise<void>
}

const noPostgres = POSTGRES_BIN === undefined ? 'Postgres is not installed' : undefined
const noRedis = REDIS_BIN === undefined ? 'Redis is not installed' : undefined

export const SETUPS: readonly Setup[] = [
  { name: 'embedded', lacks: undefined, open: (needs) => open({ ...needs }) },
  { name: 'Postgres', lacks: noPostgres, open: (needs) => open({ ...needs, postgres: true }) },
  {
    name: 'Postgres with Redis',
    lacks: noPostgres ?? noRedis,
    open: (needs) => open({ ...needs, postgres: true, redis: true }),
  },
]

/** Those whose storage differs, for what never asks the queue: with Redis it would run the same statements again. */
export const STORAGE_SETUPS: readonly Setup[] = SETUPS.slice(0, 2)

/** Whether a setup's tests are skipped, because something isn't installed and skipping is allowed. */
export function isSkipped({ lacks, name }: Setup): boolean {
  if (lacks === undefined) return false
  if (process.env.WEIR_REQUIRE_SETUPS) throw new Error(`The tests on ${name} must run, but ${lacks}`)
  console.warn(`${lacks}: the tests on ${name} are skipped.`)
  return true
}

interface Parts extends Needs {
  postgres?: boolean
  redis?: boolean
}

async function open(parts: Parts): Promise<OpenSetup> {
  const database = parts.postgres ? await openDatabase(parts) : undefined
  const redis = parts.redis ? await startRedis() : undefined
  return {
    postgres: database?.server,
    redis,
    environment: {
      ...(database && { DATABASE_URL: database.url }),
      ...(redis && { REDIS_URL: redis.url }),
    },
    close: async () => {
      await database?.close()
      await redis?.stop()
    },
  }
}

interface OpenDatabase {
  url: string
  server: TestServer | undefined
  close(): unknown
}

async function openDatabase({ ownServer = false, emptyDatabase = false }: Needs): Promise<OpenDatabase> {
  if (ownServer) {
    const server = await startPostgres()
    return { url: await createDatabase(server), server, close: () => server.stop() }
  }
  const { url, release } = await sharedDatabase({ engine: 'postgres', isEmpty: emptyDatabase })
  return { url, server: undefined, close: release }
}
