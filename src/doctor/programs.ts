import { join } from 'node:path'
import type { Finding } from '../core/findings.ts'
import { SERVER_DIRECTORY } from '../storage/embedded.ts'
import { accountFor } from '../storage/server/account.ts'
import { installedPrograms } from '../storage/server/programs.ts'
import { StorageError } from '../storage/storage.ts'

const CHECK = 'embedded Postgres'
/** Timeout for a program to print its version, in milliseconds. */
const RUN_MS = 10_000

/** Checks that the embedded Postgres programs exist and run on this machine. */
export async function checkPrograms(dataDir: string): Promise<Finding> {
  try {
    const programs = installedPrograms(dataDir, accountFor([join(dataDir, SERVER_DIRECTORY), dataDir]))
    if (programs === undefined) {
      return {
        check: CHECK,
        status: 'ok',
        detail: 'Included in this executable; unpacked at the first start.',
      }
    }
    const versions = await Promise.all([programs.postgres, programs.initdb].map(versionOf))
    return { check: CHECK, status: 'ok', detail: versions[0] as string }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return { check: CHECK, status: 'error', detail: error.message }
  }
}

async function versionOf(program: string): Promise<string> {
  const advice = 'Weir needs Linux with glibc, or macOS; elsewhere, set DATABASE_URL to a Postgres server.'
  try {
    const child = Bun.spawn([program, '--version'], { stdout: 'pipe', stderr: 'pipe', timeout: RUN_MS })
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    if ((await child.exited) === 0) return `${out.trim()} runs.`
    throw new StorageError(`${program} doesn't run here (${err.trim()}). ${advice}`)
  } catch (error) {
    if (error instanceof StorageError) throw error
    throw new StorageError(`${program} doesn't run here (${(error as Error).message}). ${advice}`)
  }
}
