import { crowdOut, holdLocks, makeReadOnly } from './database.ts'
import { AT_ONCE_MS, AWAY_MS, type FaultKind, type Kinds, type Range, SPLIT, type Theatre } from './kind.ts'
import { fill, flush, follow } from './redis.ts'

/** The tables that every write of an entry, a run or a job touches. */
const LOG_TABLES = ['weir.entries', 'weir.checkpoints', 'weir.states']
const JOB_TABLES = ['bullmq.job']
const LOCKED_MS: Range = [10_000, 20_000]

/** What goes wrong with the servers that Weir stands on. */
export const ENGINE_FAULTS: Kinds = {
  'Postgres kill -9': postgres(AWAY_MS, 2, ({ postgres }, forMs) => postgres?.kill(forMs)),
  'Postgres frozen': postgres([1_000, 6_000], 1, ({ postgres }, forMs) => postgres?.freeze(forMs)),
  'Postgres backend kill -9': postgres(AT_ONCE_MS, 1, ({ postgres }) => postgres?.crashBackend()),
  'Postgres read-only': database(AWAY_MS, 2, makeReadOnly),
  'Postgres locks the log': database(LOCKED_MS, 1, (url, forMs) => holdLocks(url, LOG_TABLES, forMs)),
  // With Redis, the jobs aren't in Postgres.
  'Postgres locks the jobs': {
    ...database(LOCKED_MS, 1, (url, forMs) => holdLocks(url, JOB_TABLES, forMs)),
    setups: ['postgres'],
  },
  'Postgres has no connection left': database(AWAY_MS, 2, crowdOut),
  'Redis kill -9': redis(AWAY_MS, 3, ({ redis }, forMs) => redis?.kill(forMs)),
  'Redis frozen': redis(AWAY_MS, 2, ({ redis }, forMs) => redis?.freeze(forMs)),
  'Redis flushed': redis(AT_ONCE_MS, 2, ({ redis }) => redis && flush(redis.url)),
  'Redis read-only': redis(AWAY_MS, 1, ({ redis }, forMs) => redis && follow(redis.url, forMs)),
  'Redis full': redis(AWAY_MS, 1, ({ redis }, forMs) => redis && fill(redis.url, forMs)),
}

type Deed = (theatre: Theatre, forMs: number) => Promise<void> | undefined

function postgres(forMs: Range, weight: number, deed: Deed): FaultKind {
  const inject: FaultKind['inject'] = async (theatre, planned) => deed(theatre, planned.forMs)
  return { setups: SPLIT, parts: () => ['postgres'], forMs, weight, inject }
}

function database(
  forMs: Range,
  weight: number,
  deed: (url: string, forMs: number) => Promise<void>,
): FaultKind {
  return postgres(forMs, weight, ({ databaseUrl }, ms) =>
    databaseUrl === undefined ? undefined : deed(databaseUrl, ms),
  )
}

function redis(forMs: Range, weight: number, deed: Deed): FaultKind {
  return { ...postgres(forMs, weight, deed), setups: ['postgres-redis'], parts: () => ['redis'] }
}
