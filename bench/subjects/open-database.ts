import { openAsItIs } from '../../src/storage/open.ts'

/**
 * The baseline for starting: opens the embedded database as Weir does, runs a query and reports it. `open-database.ts
 * DIRECTORY`, until SIGTERM.
 */

const [directory = '.'] = process.argv.slice(2)
const storage = await openAsItIs({ databaseUrl: undefined, dataDir: directory })
await storage.pool.query('SELECT 1')
process.on('SIGTERM', () => void close())
console.log('open')
// A signal handler doesn't keep the process alive.
setInterval(() => {}, 60_000)

async function close(): Promise<void> {
  await storage.close()
  process.exit(0)
}
