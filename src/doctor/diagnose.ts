import type { Config } from '../config/settings.ts'
import type { Finding } from '../core/findings.ts'
import { checkDatabase } from './database.ts'
import { checkDirectory } from './directory.ts'
import { checkPrograms } from './programs.ts'
import { checkRedis } from './redis.ts'

/** Checks what Weir needs with these settings. Changes nothing, and may run while Weir does. */
export async function diagnose(
  config: Pick<Config, 'dataDir' | 'databaseUrl' | 'redisUrl'>,
): Promise<Finding[]> {
  const { dataDir, databaseUrl, redisUrl } = config
  const storage =
    databaseUrl === undefined
      ? [...checkDirectory(dataDir), await checkPrograms(dataDir)]
      : await checkDatabase(databaseUrl)
  return redisUrl === undefined ? storage : [...storage, await checkRedis(redisUrl)]
}
