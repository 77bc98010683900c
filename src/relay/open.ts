import type { Config } from '../config/settings.ts'
import type { Storage } from '../storage/storage.ts'
import { withPresence } from './presence.ts'
import { type Relay, SILENT_RELAY } from './relay.ts'

/** Redis if configured, otherwise the Postgres server. An embedded Weir is a single process and needs no relay. */
export async function openRelay(
  { redisUrl, databaseUrl }: Pick<Config, 'redisUrl' | 'databaseUrl'>,
  { pool }: Storage,
  from: string,
): Promise<Relay> {
  if (databaseUrl === undefined) return SILENT_RELAY
  if (redisUrl !== undefined)
    return withPresence(await (await import('./redis.ts')).redisRelay(redisUrl, from))
  return withPresence(await (await import('./postgres.ts')).postgresRelay(databaseUrl, pool, from))
}
