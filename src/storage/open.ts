import type { Config } from '../config.ts'
import { openEmbedded } from './embedded.ts'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import type { Storage } from './storage.ts'

type Where = Pick<Config, 'databaseUrl' | 'dataDir'>

/** Opens what the configuration names, a Postgres server or else the embedded one, and brings its schema up to date. */
export async function openStorage(config: Where): Promise<Storage> {
  const storage = await openAsItIs(config)
  try {
    await migrate(storage.db)
    return storage
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** The same without touching its schema, which may be none, or that of an older Weir. */
export function openAsItIs({ databaseUrl, dataDir }: Where): Promise<Storage> {
  return databaseUrl === undefined ? openEmbedded(dataDir) : openPostgres(databaseUrl)
}
