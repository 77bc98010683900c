import { version } from '../package.json'
import { ConfigError, parseConfig } from './config/config.ts'
import { secretsOf } from './config/in-force.ts'
import type { Config } from './config/settings.ts'
import { takeEnvironment } from './environment.ts'
import { causeOf } from './errors.ts'
import { isExecutable, keepPrivate } from './files.ts'
import { keepSmall } from './memory.ts'
import { createLog } from './observe/log.ts'
import { noteAddress } from './running.ts'
import { isDamage, WAY_BACK } from './storage/errors/damage.ts'
import { outageOf } from './storage/errors/outage.ts'
import { openStorage } from './storage/open.ts'
import { START_PATIENCE_MS, startPatiently } from './storage/patience.ts'
import { type Storage, StorageError } from './storage/storage.ts'
import type { Weir } from './weir.ts'

/** Timeout for a clean shutdown, in milliseconds; then the process exits. */
const CLOSE_MS = 4_500
/** The port at which the simulation expects Weir. */
const DEFAULT_PORT = 3_000

/** Whether the start waits, with nothing to close. */
let isWaiting = false

keepPrivate()
const environment = takeEnvironment()
/** Used until the settings are parsed. */
let log = await createLog({
  format: environment.LOG_FORMAT === 'json' ? 'json' : 'text',
  level: 'info',
  secrets: [],
})

/** Waits for servers that aren't there, and says so. */
async function pause(ms: number, why: string): Promise<void> {
  log.warn(`Weir can't start yet: ${why} Trying again for up to ${START_PATIENCE_MS / 60_000} min.`)
  isWaiting = true
  await Bun.sleep(ms)
  isWaiting = false
}

/** Nobody waits for it. An outage ends; anything else is a bug, after which nothing is certain. */
function outlive(error: unknown): void {
  const isOutage = outageOf(error) !== undefined
  if (isOutage) log.warn(`Nobody handled an outage: ${causeOf(error)}`)
  else log.error('Weir ends because of an unexpected error', error)
  if (!isOutage) process.exit(1)
}

function closeOnSignal(starting: Promise<Weir>, { drainMs }: Config): void {
  let closing = false
  const stop = () => {
    if (closing) process.exit(1)
    if (isWaiting) process.exit(0)
    closing = true
    log.info('Shutting down…')
    setTimeout(() => process.exit(1), CLOSE_MS + drainMs).unref()
    const closed = starting.then((weir) => weir.close())
    closed.then(
      () => process.exit(0),
      (error) => {
        log.error('Shutdown failed', error)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** What went wrong and what to do. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return `Weir can't start with these settings:\n${error.message}`
  if (error instanceof StorageError) return error.message
  if (isDamage(error)) return `Weir can't start: the database is damaged (${causeOf(error)}). ${WAY_BACK}`
  if ((error as { code?: string }).code === 'EADDRINUSE') {
    return 'The port is already in use. Stop the other program, or set PORT to another port.'
  }
  if (outageOf(error) !== undefined) {
    return `Weir can't start: ${causeOf(error)}. Check DATABASE_URL and REDIS_URL, and that their servers run.`
  }
  return `Weir can't start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

/** The command that starts the simulated services for this Weir. */
function simulationOf(url: string, { port }: Config): string {
  const command = isExecutable() ? 'weir sim' : 'bun run sim'
  return port === DEFAULT_PORT ? command : `${command} --web ${url}`
}

/** Bun reads its limit on open requests (default 256) from the environment before any program runs. */
function checkFetchLimit(streamsPerWorker: number): void {
  const limit = Number(environment.BUN_CONFIG_MAX_HTTP_REQUESTS?.trim() || 256)
  if (limit >= streamsPerWorker) return
  log.warn(
    `Only ${limit} requests can be open at a time. Set BUN_CONFIG_MAX_HTTP_REQUESTS=65336, as "bun start" does.`,
  )
}

process.on('unhandledRejection', outlive)
process.on('uncaughtException', outlive)

try {
  const config = parseConfig(environment)
  log = await createLog({ format: config.logFormat, level: config.logLevel, secrets: secretsOf(config) })
  checkFetchLimit(config.streamsPerWorker)
  // While the database starts, this thread loads the rest of Weir, which handles a failure.
  let storage: Promise<Storage> | undefined = openStorage(config, log)
  storage.catch(() => {})
  const listening = (url: string) => {
    log.info(`Weir ${version} is listening on ${url}`)
    if (config.databaseUrl === undefined) process.once('exit', noteAddress(config.dataDir, url))
  }
  const { startWeir } = await import('./weir.ts')
  const start = () => {
    const opened = storage ?? openStorage(config, log)
    storage = undefined
    return startWeir(config, log.warn, { log, storage: opened, listening })
  }
  const starting = startPatiently(start, pause)
  closeOnSignal(starting, config)
  const weir = await starting
  keepSmall()
  if (!weir.url) log.info(`Weir ${version} is running as a worker`)
  log.info(weir.description)
  if (config.logFormat === 'text') {
    if (weir.url) log.info(`To start the simulated services, run: ${simulationOf(weir.url, config)}`)
    log.info('Press Ctrl-C to stop.')
  }
} catch (error) {
  log.error(explain(error))
  process.exit(1)
}
