import type { Config } from '../config.ts'
import { openAsItIs } from '../storage/open.ts'
import { type Restored, type RestoreOptions, restoreBackup } from './restore.ts'

/**
 * Restores a file into the configured database.
 * @throws BackupError, and StorageError if the database can't be opened
 */
export async function restoreFile(
  path: string,
  config: Pick<Config, 'databaseUrl' | 'dataDir'>,
  options: RestoreOptions,
): Promise<Restored & { into: string }> {
  const storage = await openAsItIs(config)
  try {
    return {
      ...(await restoreBackup(storage.db, Bun.file(path).stream(), options)),
      into: storage.description,
    }
  } finally {
    await storage.close()
  }
}
