import type { WeirClient } from '../client/client.ts'
import type { BackupHeader } from '../core/backup.ts'
import type { Finding } from '../core/findings.ts'
import type { Frame } from '../hub/frame.ts'
import type { Hub } from '../hub/hub.ts'

/** Exit codes. Documented in docs/cli.md: scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** A stream is stalled or dead (`status`), or a check failed (`doctor`). */
  unwell: 1,
  /** The command line is invalid. */
  usage: 2,
  /** Weir doesn't respond. */
  away: 3,
  /** Weir rejected the request, or failed. */
  refused: 4,
  /** The stream doesn't exist, or several have that name. */
  unclear: 5,
  /** Interrupted by Ctrl-C. */
  interrupted: 130,
} as const

export interface Option {
  short?: string
  /** Placeholder of the value in the help; without one, it's a flag. */
  value?: string
  multiple?: boolean
  choices?: readonly string[]
  help: string
}

export interface Command {
  summary: string
  /** Arguments, as shown in the help. */
  takes: string
  /** Number of arguments. */
  min: number
  max: number
  /** What completes its arguments. */
  completes?: 'streams' | readonly string[]
  options: Record<string, Option>
  examples: readonly string[]
  run(given: Given, io: Io): Promise<number>
}

/** The parsed arguments of a command. */
export interface Given {
  args: readonly string[]
  /** The last value of an option. */
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  has(name: string): boolean
}

export interface Output {
  /** Waits until the text is flushed. */
  write(text: string): Promise<void>
  /** Width of the terminal; `undefined` for files and pipes, where lines may be longer. */
  columns: number | undefined
  colors: boolean
}

/** The environment of a command. */
export interface Io {
  client: WeirClient
  out: Output
  err: Output
  /** Asks the user; `undefined` without a terminal. */
  ask?: (question: string) => Promise<boolean>
  /** Ctrl-C. */
  stopped: AbortSignal
  now(): number
  /** Restores into the database in this program's settings, which no Weir may be using. */
  restore?: (file: string, options: RestoreOptions) => Promise<RestoredInto>
  /** Checks what a Weir with this program's settings needs. */
  diagnose?: () => Promise<readonly Finding[]>
  /** Weir's own fan-out, for a server that streams as Weir does. */
  fanout?: () => Promise<Fanout>
  /** Asks of the process that started this one, for servers that it measures. */
  input?: () => ReadableStream<Uint8Array>
  /** The command that starts this program, for scripts. */
  self: readonly string[]
}

export interface Fanout {
  Hub: typeof Hub
  Frame: typeof Frame
}

export interface RestoreOptions {
  /** Whether existing data may be overwritten. */
  force: boolean
  now(): number
  /** Called with the number of rows restored so far. */
  progress(rows: number, header: BackupHeader): void
}

export interface RestoredInto {
  header: BackupHeader
  rows: number
  /** Location of the data, for people. */
  into: string
}

/** A file or database can't be used; the message says why. */
export class FileError extends Error {
  override readonly name = 'FileError'
}

/** A bench that can't be run, or whose result can't be trusted. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
  constructor(
    readonly code: 'not_polled' | 'not_enough_recorded' | 'bench_failed',
    message: string,
  ) {
    super(message)
  }
}

/** An invalid command line; one sentence per problem. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  constructor(
    readonly problems: readonly string[],
    /** The command that it is about. */
    readonly command?: string,
  ) {
    super(problems.join('\n'))
  }
}

/** A name or ID that doesn't identify one stream. */
export class UnclearError extends Error {
  override readonly name = 'UnclearError'
  constructor(
    readonly code: 'not_found' | 'ambiguous',
    message: string,
  ) {
    super(message)
  }
}
