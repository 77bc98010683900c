import { join } from 'node:path'
import type { Config } from '../config.ts'
import { openEmbedded } from './embedded.ts'
import { openPostgres } from './postgres.ts'
import type { Storage } from './storage.ts'

const MIGRATIONS = join(import.meta.dir, '../../drizzle/migrations')

/** Opens what the configuration names: a Postgres server, or else the embedded one. */
export function openStorage(config: Pick<Config, 'databaseUrl' | 'dataDir'>): Promise<Storage> {
  return config.databaseUrl === undefined
    ? openEmbedded(config.dataDir, MIGRATIONS)
    : openPostgres(config.databaseUrl, MIGRATIONS)
}
