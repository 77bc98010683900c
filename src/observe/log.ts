import { inspect } from 'node:util'
import { currentRequest } from './context.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export const LOG_FORMATS = ['text', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Fields in addition to the message: nothing that a caller or an upstream can choose freely, unless it is bounded. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Weir's log for its operator. Every line caused by a request has the request's ID. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  /** @param error logged with its stack, but without the values of a statement */
  warn(message: string, error?: unknown): void
  error(message: string, error?: unknown): void
  /** Whether a level is logged, so that callers can skip expensive lines. */
  writes(level: LogLevel): boolean
}

export interface LogOptions {
  format: LogFormat
  level: LogLevel
  /** Texts to redact everywhere. */
  secrets: readonly string[]
  /** Receives each line with its line ending; default: the process's own streams. */
  out?(line: string): void
  err?(line: string): void
}

/** Nested errors that are logged. */
const MAX_CAUSES = 4
/** Redacting shorter secrets would mask ordinary words, which would reveal them. */
const MIN_SECRET_CHARS = 8
const HIDDEN = '…'

/** JSON lines on stdout for programs, or text for people, with errors on stderr. */
export async function createLog(options: LogOptions): Promise<Log> {
  return options.format === 'json' ? jsonLog(options) : textLog(options)
}

/** A log that only reports errors, for tests. */
export function faultsOnly(warn: (message: string, error?: unknown) => void): Log {
  const nothing = () => {}
  return { debug: nothing, info: nothing, warn, error: warn, writes: () => false }
}

async function jsonLog({ level, secrets, out = standardOut }: LogOptions): Promise<Log> {
  const { default: pino } = await import('pino')
  const hide = hiderOf(secrets)
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const requestId = currentRequest()?.requestId
        return requestId === undefined ? {} : { requestId }
      },
    },
    { write: (line) => out(hide(line)) },
  )
  const fault = (at: 'warn' | 'error') => (message: string, error?: unknown) =>
    error === undefined ? logger[at](message) : logger[at]({ err: errorJson(error) }, message)
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: fault('warn'),
    error: fault('error'),
    writes: (wanted) => logger.isLevelEnabled(wanted),
  }
}

function textLog({ level, secrets, out = standardOut, err = standardError }: LogOptions): Log {
  const hide = hiderOf(secrets)
  const writes = (wanted: LogLevel) => LOG_LEVELS.indexOf(wanted) >= LOG_LEVELS.indexOf(level)
  const line = (message: string) => {
    const requestId = currentRequest()?.requestId
    return hide(`${message}${requestId === undefined ? '' : ` [${requestId}]`}\n`)
  }
  const told = (at: LogLevel) => (message: string, fields?: LogFields) => {
    if (writes(at)) out(line(message + fieldText(fields)))
  }
  const fault = (at: LogLevel) => (message: string, error?: unknown) => {
    if (!writes(at)) return
    err(line(`weir: ${message}`))
    if (error !== undefined) err(hide(`${stackOf(error)}\n`))
  }
  return { debug: told('debug'), info: told('info'), warn: fault('warn'), error: fault('error'), writes }
}

/** Synchronous, so that a process that exits right away loses nothing. */
function standardOut(line: string): void {
  console.log(line.slice(0, -1))
}

function standardError(line: string): void {
  console.error(line.slice(0, -1))
}

function fieldText(fields: LogFields = {}): string {
  const told = Object.entries(fields).filter(([, value]) => value !== undefined)
  return told.map(([name, value]) => ` ${name}=${value}`).join('')
}

interface ErrorJson {
  type: string
  message: string
  stack: string
  code?: string
}

function errorJson(error: unknown): ErrorJson {
  if (!(error instanceof Error))
    return { type: typeof error, message: inspect(error, { depth: 2 }), stack: '' }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    message: messageOf(error),
    stack: stackOf(error),
    ...(typeof code === 'string' && { code }),
  }
}

/** The stacks of an error and its causes. */
function stackOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return inspect(error, { depth: 2 })
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const own = [`${error.name}: ${messageOf(error)}`, ...frames].join('\n')
  if (error.cause === undefined || depth >= MAX_CAUSES) return own
  return `${own}\ncaused by ${stackOf(error.cause, depth + 1)}`
}

/** Drizzle's message for a failed statement contains all values; its cause has the reason. */
function messageOf({ message }: Error): string {
  return message.startsWith('Failed query: ') ? 'a statement failed' : message
}

/** Longer ones first, because one may be part of another. In JSON, a secret appears as its quoted text. */
function hiderOf(secrets: readonly string[]): (line: string) => string {
  const texts = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const long = texts.filter(({ length }) => length >= MIN_SECRET_CHARS)
  const all = [...new Set(long)].sort((a, b) => b.length - a.length)
  return (line) => all.reduce((text, secret) => text.replaceAll(secret, HIDDEN), line)
}
