import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Longest path of a socket on every system (sys/un.h: 104 bytes on macOS, 108 on Linux, each with its end). */
const MAX_PATH_BYTES = 103
const SOCKET = '.s.PGSQL.5432'

/** A directory that has the server's socket, by a path that is short enough. */
export interface SocketDirectory {
  path: string
  release(): void
}

/** The server's own directory, or else a link to it that only this user reaches. */
export function socketDirectory(directory: string): SocketDirectory {
  if (Buffer.byteLength(join(directory, SOCKET)) <= MAX_PATH_BYTES)
    return { path: directory, release: () => {} }
  const short = mkdtempSync(join(tmpdir(), 'weir-'))
  const path = join(short, 'db')
  symlinkSync(directory, path)
  return { path, release: () => rmSync(short, { recursive: true, force: true }) }
}
