import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Longest socket path on every system (sys/un.h: 104 bytes on macOS, 108 on Linux, including the final NUL). */
const MAX_PATH_BYTES = 103
const SOCKET = '.s.PGSQL.5432'

/** A path to the directory of the server's socket that is short enough. */
export interface SocketDirectory {
  path: string
  release(): void
}

/** The server's own directory, or else a link to it that only this user can reach. */
export function socketDirectory(directory: string): SocketDirectory {
  if (Buffer.byteLength(join(directory, SOCKET)) <= MAX_PATH_BYTES)
    return { path: directory, release: () => {} }
  const short = mkdtempSync(join(tmpdir(), 'weir-'))
  const path = join(short, 'db')
  symlinkSync(directory, path)
  return { path, release: () => rmSync(short, { recursive: true, force: true }) }
}
