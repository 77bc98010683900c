import type { Config } from '../config.ts'
import type { Engine } from './engine.ts'
import { migrate } from './migrations.ts'
import type { Storage } from './storage.ts'

type Where = Pick<Config, 'databaseUrl' | 'dataDir'>

/**
 * Opens what the configuration names, a Postgres server or else the embedded one, and brings its schema up to date.
 * @param engine of the embedded one, where it is being compiled already
 */
export async function openStorage(config: Where, engine?: Promise<Engine>): Promise<Storage> {
  const storage = await openAsItIs(config, engine)
  try {
    await migrate(storage.db)
    return storage
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** The same without touching its schema, which may be none, or that of an older Weir. */
export async function openAsItIs(
  { databaseUrl, dataDir }: Where,
  engine?: Promise<Engine>,
): Promise<Storage> {
  if (databaseUrl === undefined) return (await import('./embedded.ts')).openEmbedded(dataDir, engine)
  return (await import('./postgres.ts')).openPostgres(databaseUrl)
}
