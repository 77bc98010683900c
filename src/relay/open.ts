import type { Config } from '../config/settings.ts'
import type { Storage } from '../storage/storage.ts'
import { withNumbers } from './numbers.ts'
import { withPresence } from './presence.ts'
import { type Relay, SILENT_RELAY } from './relay.ts'

/** Redis if configured, otherwise the Postgres server. An embedded Weir is a single process and needs no relay. */
export async function openRelay(
  { redisUrl, databaseUrl }: Pick<Config, 'redisUrl' | 'databaseUrl'>,
  { pool }: Storage,
  from: string,
): Promise<Relay> {
  if (databaseUrl === undefined) return SILENT_RELAY
  const transport =
    redisUrl !== undefined
      ? await (await import('./redis.ts')).redisTransport(redisUrl)
      : await (await import('./postgres.ts')).postgresTransport(databaseUrl, pool)
  return withPresence(withNumbers(transport, from))
}
