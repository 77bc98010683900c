import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { StorageError } from '../storage.ts'
import type { Account } from './account.ts'

export interface Command {
  program: string
  args: readonly string[]
  /** It runs in this directory. */
  directory: string
  account: Account
  input?: string
}

/**
 * Runs one of Postgres' programs to its end.
 * @throws StorageError with what it said
 */
export async function run({ program, args, directory, account, input = '' }: Command): Promise<void> {
  const child = spawn(program, args, { ...account, cwd: directory, stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code === 0 ? '' : `status ${code ?? signal}`))
  })
  // One that ends early, or never starts, reads nothing.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [said, failure] = await Promise.all([text(child.stderr).catch(() => ''), ended])
  if (failure === '') return
  throw new StorageError(
    `Can't set up the embedded Postgres (${failure}): ${said.trim() || program} — ` +
      'Fix that, or use a Postgres server with DATABASE_URL.',
  )
}
