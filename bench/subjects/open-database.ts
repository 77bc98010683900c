import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'

/**
 * The baseline for starting: opens the embedded database as Weir does, runs a query and reports it. `open-database.ts
 * DIRECTORY`, until SIGTERM.
 */

const [directory = '.'] = process.argv.slice(2)
const postgresqlconf = ['shared_buffers = 16MB', 'wal_buffers = 1MB', 'max_wal_size = 256MB']
const pglite = await PGlite.create(join(directory, 'postgres'), { postgresqlconf })
await pglite.query('SELECT 1')
process.on('SIGTERM', () => void close())
console.log('open')
// Neither the database nor a signal handler keeps the process alive.
setInterval(() => {}, 60_000)

async function close(): Promise<void> {
  await pglite.close()
  process.exit(0)
}
