import { version } from '../package.json'
import { ConfigError, parseConfig } from './config.ts'
import { StorageError } from './storage/storage.ts'
import { startWeir, type Weir } from './weir.ts'

/** Longest wait for an orderly end, in milliseconds; after it the process ends as it is. */
const CLOSE_MS = 4_500

function warn(message: string, error?: unknown): void {
  console.error(`weir: ${message}`, ...(error === undefined ? [] : [error]))
}

function closeOnSignal(starting: Promise<Weir>): void {
  let closing = false
  const stop = () => {
    if (closing) process.exit(1)
    closing = true
    console.log('Closing…')
    setTimeout(() => process.exit(1), CLOSE_MS).unref()
    const closed = starting.then((weir) => weir.close())
    closed.then(
      () => process.exit(0),
      (error) => {
        warn('Closing failed', error)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** What went wrong, in a sentence that says what to do. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return `Weir can't start with these settings:\n${error.message}`
  if (error instanceof StorageError) return error.message
  if ((error as { code?: string }).code === 'EADDRINUSE') {
    return 'The port is taken by another program. Stop that one, or give Weir another port with PORT.'
  }
  return `Weir can't start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

/** Bun reads its limit on open requests, 256 unless told, from the environment before any program runs. */
function checkFetchLimit(streamsPerWorker: number): void {
  const limit = Number(process.env.BUN_CONFIG_MAX_HTTP_REQUESTS ?? 256)
  if (limit >= streamsPerWorker) return
  warn(
    `only ${limit} requests can be open at a time: set BUN_CONFIG_MAX_HTTP_REQUESTS=65336, as "bun start" does`,
  )
}

try {
  const config = parseConfig(process.env)
  checkFetchLimit(config.streamsPerWorker)
  const listening = (url: string) => console.log(`Weir ${version} is listening on ${url}`)
  const starting = startWeir(config, warn, { listening })
  closeOnSignal(starting)
  const weir = await starting
  if (!weir.url) console.log(`Weir ${version} holds streams`)
  console.log(weir.description)
  if (weir.url) console.log('Start the simulated services beside it with: bun run sim')
  console.log('Stop with Ctrl-C.')
} catch (error) {
  console.error(explain(error))
  process.exit(1)
}
