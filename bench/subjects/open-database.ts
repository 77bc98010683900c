import { openAsItIs } from '../../src/storage/open.ts'

/**
 * The floor of a start: opens the embedded database as Weir does, asks it something, and says so.
 * `open-database.ts DIRECTORY`, until SIGTERM.
 */

const [directory = '.'] = process.argv.slice(2)
const storage = await openAsItIs({ databaseUrl: undefined, dataDir: directory })
await storage.pool.query('SELECT 1')
process.on('SIGTERM', () => void close())
console.log('open')
// A signal that is waited for doesn't keep a process running.
setInterval(() => {}, 60_000)

async function close(): Promise<void> {
  await storage.close()
  process.exit(0)
}
