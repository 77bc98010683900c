import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { StorageError } from '../storage.ts'
import { type Account, withName } from './account.ts'

export interface Command {
  program: string
  args: readonly string[]
  /** Its working directory. */
  directory: string
  account: Account
  input?: string
  /** Whether the account has no name, which the program needs: see {@link withName}. */
  isNameless?: boolean
}

/**
 * Runs one of Postgres' programs and waits until it exits.
 * @throws StorageError with its output
 */
export async function run({
  program,
  args,
  directory,
  account,
  input = '',
  isNameless = false,
}: Command): Promise<void> {
  const [file = '', ...rest] = isNameless ? (withName([program, ...args]) ?? []) : [program, ...args]
  const child = spawn(file, rest, { ...account, cwd: directory, stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code === 0 ? '' : `status ${code ?? signal}`))
  })
  // Writing fails if it exits early, or never starts.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [output, failure] = await Promise.all([text(child.stderr).catch(() => ''), ended])
  if (failure === '') return
  throw new StorageError(
    `Can't set up the embedded Postgres (${failure}). Fix the cause, or set DATABASE_URL to a Postgres server. Its output:\n` +
      (output.trim() || program),
  )
}
