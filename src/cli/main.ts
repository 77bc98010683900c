import { createInterface } from 'node:readline/promises'
import type { Fetch } from '../client/client.ts'
import { firstGiven, PROXY_VARIABLES, takeEnvironment } from '../environment.ts'
import { directFetch } from '../net/direct.ts'
import { runningWeir } from '../running.ts'
import type { Io, Output } from './command.ts'
import { FileError } from './command.ts'
import { run } from './run.ts'

/** A closed pipe, as with `weir ls | head`: nothing left to do. */
const BROKEN_PIPE = 'EPIPE'
/** Where the modules of a single executable are. */
const EMBEDDED = '/$bunfs/'

const environment = takeEnvironment()
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

function output(stream: NodeJS.WriteStream): Output {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === BROKEN_PIPE ? 0 : 1))
  const isPlain = Boolean(environment.NO_COLOR) || environment.TERM === 'dumb'
  return {
    write: (text) => new Promise((resolve) => void stream.write(text, () => resolve())),
    // Read each time, because a terminal's width changes.
    get columns() {
      return stream.isTTY ? stream.columns || 80 : undefined
    },
    colors: Boolean(stream.isTTY) && !isPlain,
  }
}

async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal: stop.signal })).trim())
  } finally {
    terminal.close()
  }
}

/** Opens the database itself; loaded on demand, because nothing else needs it. */
const restore: Io['restore'] = async (file, options) => {
  const { ConfigError, parseConfig } = await import('../config/config.ts')
  const { restoreFile } = await import('../backup/restore-file.ts')
  const { StorageError } = await import('../storage/storage.ts')
  const { keepPrivate } = await import('../files.ts')
  keepPrivate()
  try {
    return await restoreFile(file, parseConfig(environment), options)
  } catch (error) {
    if (error instanceof ConfigError || error instanceof StorageError) throw new FileError(error.message)
    throw error
  }
}

/** Loaded on demand, like the restore. */
const diagnose: Io['diagnose'] = async () => {
  const { ConfigError, parseConfig } = await import('../config/config.ts')
  const { diagnose: check } = await import('../doctor/diagnose.ts')
  try {
    return await check(parseConfig(environment))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [{ check: 'settings', status: 'error', detail: error.message }]
  }
}

/** Loaded on demand, like the restore. */
const fanout: Io['fanout'] = async () => {
  const { Hub } = await import('../hub/hub.ts')
  const { Frame } = await import('../hub/frame.ts')
  return { Hub, Frame }
}

/**
 * Requests to Weir carry its token, so they only use a proxy as a tunnel, for https, and never to this machine
 * itself.
 */
const fetchWeir: Fetch = async (input, init = {}) => {
  const url = input instanceof Request ? input.url : String(input)
  const https = firstGiven(environment, PROXY_VARIABLES.https)?.text
  if (https === undefined) return directFetch(url, init)
  // Few have one, and loading it takes a while.
  const { proxyFor } = await import('../net/proxies.ts')
  const bypass = firstGiven(environment, PROXY_VARIABLES.none)?.text.split(/[\s,]+/) ?? []
  const proxy = proxyFor(new URL(url), { https, bypass })
  return directFetch(url, proxy === undefined ? init : { ...init, proxy })
}

process.exitCode = await run(process.argv.slice(2), {
  url: await runningWeir(environment),
  token: environment.WEIR_TOKEN,
  out: output(process.stdout),
  err: output(process.stderr),
  ...(process.stdin.isTTY && { ask }),
  stopped: stop.signal,
  fetch: fetchWeir,
  now: Date.now,
  restore,
  diagnose,
  fanout,
  input: () => Bun.stdin.stream(),
  // The single executable starts itself, without the path of a script.
  self: import.meta.path.startsWith(EMBEDDED) ? [process.execPath] : [process.execPath, import.meta.path],
})
process.exit()
