import { version } from '../package.json'
import { type Config, ConfigError, parseConfig, secretsOf } from './config.ts'
import { takeEnvironment } from './environment.ts'
import { isExecutable, keepPrivate } from './files.ts'
import { keepSmall } from './memory.ts'
import { createLog } from './observe/log.ts'
import { openStorage } from './storage/open.ts'
import { StorageError } from './storage/storage.ts'
import type { Weir } from './weir.ts'

/** Longest wait for an orderly end, in milliseconds; after it the process ends as it is. */
const CLOSE_MS = 4_500

keepPrivate()
const environment = takeEnvironment()
/** Until the settings are known. */
let log = await createLog({
  format: environment.LOG_FORMAT === 'json' ? 'json' : 'text',
  level: 'info',
  secrets: [],
})

function closeOnSignal(starting: Promise<Weir>, { drainMs }: Config): void {
  let closing = false
  const stop = () => {
    if (closing) process.exit(1)
    closing = true
    log.info('Closing…')
    setTimeout(() => process.exit(1), CLOSE_MS + drainMs).unref()
    const closed = starting.then((weir) => weir.close())
    closed.then(
      () => process.exit(0),
      (error) => {
        log.error('Closing failed', error)
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
  const limit = Number(environment.BUN_CONFIG_MAX_HTTP_REQUESTS ?? 256)
  if (limit >= streamsPerWorker) return
  log.warn(
    `only ${limit} requests can be open at a time: set BUN_CONFIG_MAX_HTTP_REQUESTS=65336, as "bun start" does`,
  )
}

try {
  const config = parseConfig(environment)
  log = await createLog({ format: config.logFormat, level: config.logLevel, secrets: secretsOf(config) })
  checkFetchLimit(config.streamsPerWorker)
  // While the database starts, this thread loads the rest of Weir, which hears of a failure.
  const storage = openStorage(config, log)
  storage.catch(() => {})
  const listening = (url: string) => log.info(`Weir ${version} is listening on ${url}`)
  const { startWeir } = await import('./weir.ts')
  const starting = startWeir(config, log.warn, { log, storage, listening })
  closeOnSignal(starting, config)
  const weir = await starting
  keepSmall()
  if (!weir.url) log.info(`Weir ${version} holds streams`)
  log.info(weir.description)
  if (config.logFormat === 'text') {
    if (weir.url)
      log.info(`Start the simulated services beside it with: ${isExecutable() ? 'weir sim' : 'bun run sim'}`)
    log.info('Stop with Ctrl-C.')
  }
} catch (error) {
  log.error(explain(error))
  process.exit(1)
}
