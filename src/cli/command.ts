import type { WeirClient } from '../client/client.ts'
import type { BackupHeader } from '../core/backup.ts'

/** How the program ends. Documented in docs/cli.md: scripts rely on it. */
export const EXIT = {
  ok: 0,
  /** A stream is stalled or dead (`status`). */
  unwell: 1,
  /** The command line can't be understood. */
  usage: 2,
  /** No Weir answers. */
  away: 3,
  /** Weir refused, or failed. */
  refused: 4,
  /** There is no such stream, or several of that name. */
  unclear: 5,
  /** Ended by Ctrl-C before it was done. */
  interrupted: 130,
} as const

export interface Option {
  short?: string
  /** What its value is, for the help; without one it is a switch. */
  value?: string
  multiple?: boolean
  choices?: readonly string[]
  help: string
}

export interface Command {
  summary: string
  /** Its arguments, as the help shows them. */
  takes: string
  /** How many there may be. */
  min: number
  max: number
  /** What completes its arguments. */
  completes?: 'streams' | readonly string[]
  options: Record<string, Option>
  examples: readonly string[]
  run(given: Given, io: Io): Promise<number>
}

/** What stands on the command line behind the command's name, checked against its options. */
export interface Given {
  args: readonly string[]
  /** The last value of an option. */
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  has(name: string): boolean
}

export interface Output {
  /** Waits until the text has left. */
  write(text: string): Promise<void>
  /** Width of the terminal; `undefined` for a file or a pipe, which lines may be longer for. */
  columns: number | undefined
  colours: boolean
}

/** What a command does its work with. */
export interface Io {
  client: WeirClient
  out: Output
  err: Output
  /** Asks whoever sits at the terminal; `undefined` where nobody does. */
  ask?: (question: string) => Promise<boolean>
  /** Ctrl-C. */
  stopped: AbortSignal
  now(): number
  /** Fills the database that this program's own settings name: no Weir may run on it. */
  restore?: (file: string, options: RestoreOptions) => Promise<RestoredInto>
  /** The command that starts this program, for scripts. */
  self: readonly string[]
}

export interface RestoreOptions {
  /** Whether what is there may be lost. */
  force: boolean
  now(): number
  /** Told of the rows that are in so far. */
  progress(rows: number, header: BackupHeader): void
}

export interface RestoredInto {
  header: BackupHeader
  rows: number
  /** Where the data lies, for people. */
  into: string
}

/** What a command is about can't be used, and the message says why. */
export class FileError extends Error {
  override readonly name = 'FileError'
}

/** A command line that can't be understood: a sentence each. */
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

/** A name or id that isn't one stream. */
export class UnclearError extends Error {
  override readonly name = 'UnclearError'
  constructor(
    readonly code: 'not_found' | 'ambiguous',
    message: string,
  ) {
    super(message)
  }
}
