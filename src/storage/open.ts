import type { Config } from '../config/settings.ts'
import { SILENT_LOG, type StorageLog } from './log.ts'
import { migrate } from './migrations.ts'
import type { Storage } from './storage.ts'

type Where = Pick<Config, 'databaseUrl' | 'dataDir'>

/** Opens the configured Postgres server, or else the embedded one, and migrates its schema. */
export async function openStorage(config: Where, log: StorageLog = SILENT_LOG): Promise<Storage> {
  const storage = await openAsItIs(config, log)
  try {
    await migrate(storage.db)
    return storage
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** The same without touching its schema, which may be missing, or that of an older Weir. */
export async function openAsItIs(
  { databaseUrl, dataDir }: Where,
  log: StorageLog = SILENT_LOG,
): Promise<Storage> {
  if (databaseUrl !== undefined) return (await import('./postgres.ts')).openPostgres(databaseUrl)
  return (await import('./embedded.ts')).openEmbedded(dataDir, log)
}
