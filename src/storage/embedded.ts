import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type ClientConfig, type Pool } from 'pg'
import { lockDirectory } from './directory-lock.ts'
import { explainDisk } from './errors/disk-error.ts'
import type { StorageLog } from './log.ts'
import { hasOld, keepOld, warnOfUnused } from './old-database.ts'
import { openPool } from './postgres.ts'
import { claimDirectory } from './private-directory.ts'
import { accountFor } from './server/account.ts'
import { type Cluster, makeCluster, moveInto, NAME, passwordOf } from './server/cluster.ts'
import { endLeftovers } from './server/leftovers.ts'
import { checkPosition, recordPosition } from './server/position.ts'
import { findPrograms, type Programs } from './server/programs.ts'
import { startServer } from './server/server.ts'
import { socketDirectory } from './server/socket.ts'
import { type Storage, StorageError } from './storage.ts'

/** Longest wait for a server that has just started to answer, in milliseconds. */
const CHECK_MS = 30_000

/** The server's directory, below the data directory. */
export const SERVER_DIRECTORY = 'database'

/**
 * Starts, and on first use creates, Weir's own Postgres server in a directory, which stays locked until it is closed and is
 * readable by this user only. Doesn't touch the schema.
 * @throws StorageError when another process has the directory, it can't be written to, or the server doesn't start.
 */
export async function openEmbedded(dataDir: string, log: StorageLog): Promise<Storage> {
  let unlock = () => {}
  try {
    claimDirectory(dataDir)
    unlock = lockDirectory(dataDir)
    const directory = join(dataDir, SERVER_DIRECTORY)
    const account = accountFor([directory, dataDir])
    const programs = await findPrograms(dataDir, account)
    const password = passwordOf(dataDir)
    const means = { programs, password, dataDir, log }
    if (existsSync(directory)) warnOfUnused(dataDir, log)
    else await makeDatabase({ directory, account }, means)
    const storage = await openCluster({ directory, account }, means)
    return {
      ...storage,
      async close() {
        await storage.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw explainDisk(error, dataDir)
  }
}

interface Means {
  programs: Programs
  password: string
  dataDir: string
  log: StorageLog
}

/** Creates the database under another name, with the data of an earlier version, and renames it once it is complete. */
async function makeDatabase({ directory, account }: Cluster, means: Means): Promise<void> {
  const { programs, password, dataDir, log } = means
  const made = { directory: `${directory}.part`, account }
  // A Weir that was killed while creating it may have left programs running there.
  if (existsSync(made.directory)) await endLeftovers(made.directory)
  try {
    await makeCluster(made, programs, password)
    if (hasOld(dataDir)) await fill(made, means)
  } catch (error) {
    // On a full disk, others need the space.
    rmSync(made.directory, { recursive: true, force: true })
    throw error
  }
  moveInto(made.directory, directory, dataDir)
  if (hasOld(dataDir)) keepOld(dataDir, log)
}

async function fill(made: Cluster, means: Means): Promise<void> {
  const { carryOver } = await import('./carry-over.ts')
  const storage = await openCluster(made, means)
  try {
    await carryOver(means.dataDir, storage.db, means.log)
  } finally {
    await storage.close()
  }
}

/** Starts the server of a cluster and connects to it like to any other. */
async function openCluster(cluster: Cluster, { programs, password, dataDir, log }: Means): Promise<Storage> {
  const { directory } = cluster
  const socket = socketDirectory(directory)
  const where = { host: socket.path, user: NAME, database: NAME, password }
  const check = () => checkOnce(where, (client) => checkPosition(directory, client))
  const server = await startServer(cluster, { postgres: programs.postgres, log, check }).catch((error) => {
    socket.release()
    throw error
  })
  const close = async () => {
    await server.close()
    socket.release()
  }
  try {
    const storage = await openPool(where, dataDir, refused)
    const endPosition = recordPosition(directory, storage.pool as Pool)
    return {
      ...storage,
      async close() {
        endPosition()
        await storage.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** On a connection of its own, before others use the server. */
async function checkOnce(where: ClientConfig, check: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ ...where, connectionTimeoutMillis: CHECK_MS, query_timeout: CHECK_MS })
  client.on('error', () => {})
  await client.connect().catch(refused)
  try {
    await check(client)
  } finally {
    await client.end()
  }
}

function refused(error: Error): never {
  throw new StorageError(
    `The embedded Postgres rejects Weir's connection (${error.message}). Check that postgres.password in DATA_DIR belongs to this database.`,
  )
}
