import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError, type BackupHeader, readBackup } from '../../../core/backup.ts'
import { bytes as sizeOf } from '../../../core/units.ts'
import { type Command, EXIT, FileError, type Io } from '../../command.ts'
import { say, sayJson } from '../../print.ts'
import { progressLine } from '../../progress.ts'

export const backup: Command = {
  summary: 'Back up a running Weir: all data, including secrets, at one point in time',
  takes: '<file|directory>',
  min: 1,
  max: 1,
  options: { force: { help: 'overwrite an existing file' } },
  examples: ['weir backup /var/backups/weir', 'weir backup weir.ndjson.gz --force'],
  async run(given, io) {
    const path = await target(given.args[0] as string, io.now(), given.has('force'))
    const response = await io.client.open('/api/backup', { method: 'POST' })
    const part = `${path}.part`
    // A leftover file would keep its mode, and others might have it open.
    await rm(part, { force: true })
    try {
      const taken = await save(response, part, io)
      await rename(part, path)
      if (given.has('json')) await sayJson(io, { file: path, ...taken })
      else {
        await say(
          io,
          `${path}: ${taken.streams} streams with ${taken.entries} entries as of ${taken.at}, ${sizeOf(taken.bytes)}.`,
        )
      }
      return EXIT.ok
    } catch (error) {
      await rm(part, { force: true })
      if (!io.stopped.aborted && isFileError(error))
        throw new FileError(`${part}: ${(error as Error).message}`)
      throw error
    }
  },
}

/** A generated name in a directory, or the file itself. */
async function target(given: string, nowMs: number, force: boolean): Promise<string> {
  const found = await stat(given).catch(() => undefined)
  if (found === undefined) return given
  if (found.isDirectory()) {
    return join(given, `weir-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}.ndjson.gz`)
  }
  if (!force) throw new FileError(`${given} already exists. Use --force to overwrite it.`)
  return given
}

/** Writes the backup and verifies it at the same time: an incomplete backup is useless. */
async function save(response: Response, path: string, io: Io) {
  if (response.body === null) throw new BackupError('The backup is empty.')
  const show = progressLine(io.err, io.now)
  let [bytes, header, rows] = [0, undefined as BackupHeader | undefined, 0]
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true })
  const failed = new Promise<never>((_, reject) => file.once('error', reject))
  failed.catch(() => {})
  async function* kept(body: AsyncIterable<Uint8Array>) {
    for await (const chunk of body) {
      bytes += chunk.length
      if (!file.write(chunk)) await Promise.race([new Promise((go) => file.once('drain', go)), failed])
      yield chunk
    }
  }
  try {
    for await (const part of readBackup(kept(response.body as unknown as AsyncIterable<Uint8Array>))) {
      if (part.kind === 'header') header = part.header
      if (part.kind === 'rows') rows += part.rows.length
      await show(`${rows} rows, ${sizeOf(bytes)}`)
    }
  } finally {
    await show.end()
    await Promise.race([new Promise<void>((go) => file.end(go)), failed])
  }
  const { streams = 0, entries = 0, at = '' } = header ?? {}
  return { streams, entries, at, rows, bytes }
}

function isFileError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string'
}
