import { Bus } from '../bus/bus.ts'
import type { WeirEvent } from '../bus/events.ts'
import type { Config } from '../config/settings.ts'
import { carryEvents } from '../relay/carry.ts'
import { openRelay } from '../relay/open.ts'
import { openAsItIs } from '../storage/open.ts'
import type { Storage } from '../storage/storage.ts'
import { type Restored, type RestoreOptions, restoreBackup } from './restore.ts'

type Where = Pick<Config, 'databaseUrl' | 'redisUrl' | 'dataDir'>

/** Everything that pages show may be different after it. */
const CHANGED = [
  { type: 'list.changed' },
  { type: 'channel.updated' },
  { type: 'incident.updated' },
  { type: 'silence.updated' },
  { type: 'rule.updated' },
  { type: 'key.updated' },
  { type: 'session.ended' },
] as const satisfies WeirEvent[]

/**
 * Restores a file into the configured database, and notifies processes that only serve pages: no others may run.
 * @throws BackupError, and StorageError if the database can't be opened
 */
export async function restoreFile(
  path: string,
  config: Where,
  options: RestoreOptions,
): Promise<Restored & { into: string }> {
  const storage = await openAsItIs(config)
  try {
    const restored = await restoreBackup(storage.db, Bun.file(path).stream(), options)
    // The restore is done even if they can't be notified; they notice within seconds.
    await publishAll(config, storage).catch(() => {})
    return { ...restored, into: storage.description }
  } finally {
    await storage.close()
  }
}

async function publishAll(config: Where, storage: Storage): Promise<void> {
  const relay = await openRelay(config, storage, Bun.randomUUIDv7())
  const bus = new Bus(() => {})
  const carrier = carryEvents(bus, relay)
  for (const event of CHANGED) bus.publish(event)
  carrier.end()
  await relay.close()
}
