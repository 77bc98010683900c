import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** The first line of a backup: what it is, its time, and what follows. */
export interface BackupHeader {
  format: typeof BACKUP_FORMAT
  version: typeof BACKUP_VERSION
  /** The version of Weir that took it. */
  weir: string
  /** The instant of the snapshot, in ISO 8601. */
  at: string
  /** The last migration of its schema, by creation time, in milliseconds since the epoch. */
  schema: number
  /** Days with partitions, by table: created before any row. */
  partitions: readonly { table: string; day: string }[]
  /** Number of log entries in it. */
  entries: number
  streams: number
}

/** What follows, in this order: a table's name and columns, then its rows; after the last, the end. */
export type BackupPart =
  | { kind: 'header'; header: BackupHeader }
  | { kind: 'table'; table: string; columns: readonly string[] }
  /** Rows of the last table: JSON arrays of text and null, as in the file. */
  | { kind: 'rows'; rows: readonly string[] }
  | { kind: 'end'; rows: number; sha256: string }

export const BACKUP_FORMAT = 'weir-backup'
export const BACKUP_VERSION = 1
/** Longest line, in bytes: a row with the largest body that settings allow, with every byte escaped. */
const MAX_LINE_BYTES = 805_306_368
/** Rows are passed on in batches of about this size, in bytes. */
const BATCH_BYTES = 1_048_576
const NEWLINE = 10
const ROW = 0x5b

/** The backup is incomplete or damaged; the message says how. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

/**
 * Reads a backup part by part, and verifies at the end that nothing is missing or different: don't trust what was read before
 * then.
 * @throws BackupError
 */
export async function* readBackup(
  file: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<BackupPart> {
  const sum = createHash('sha256')
  let [count, isBegun, isEnded] = [0, false, false]
  let [rows, size] = [[] as string[], 0]
  for await (const bytes of linesOf(file)) {
    if (isEnded) throw new BackupError('The backup has data after its end.')
    if (bytes[0] === ROW && isBegun) {
      sum.update(bytes)
      count++
      rows.push(bytes.toString('utf8', 0, bytes.length - 1))
      size += bytes.length
      if (size < BATCH_BYTES) continue
    }
    if (rows.length > 0) yield { kind: 'rows', rows }
    ;[rows, size] = [[], 0]
    if (bytes[0] === ROW && isBegun) continue
    const part = partIn(bytes, isBegun)
    isBegun = true
    if (part.kind === 'end') checkEnd(part, count, sum.digest('hex'))
    else sum.update(bytes)
    isEnded = part.kind === 'end'
    yield part
  }
  if (!isEnded) throw new BackupError(isBegun ? 'The backup is incomplete.' : 'The backup is empty.')
}

function checkEnd(end: { rows: number; sha256: string }, rows: number, sha256: string): void {
  if (end.rows === rows && end.sha256 === sha256) return
  throw new BackupError("The backup is damaged: its checksum doesn't match.")
}

function partIn(line: Buffer, isBegun: boolean): BackupPart {
  const value = parse(line) as Partial<BackupHeader> & {
    table?: string
    columns?: string[]
    end?: { rows: number; sha256: string }
    failed?: string
  }
  if (!isBegun) {
    if (value.format !== BACKUP_FORMAT) throw new BackupError('The file is not a Weir backup.')
    if (value.version !== BACKUP_VERSION) {
      throw new BackupError(
        `The backup has format version ${value.version}; this Weir reads version ${BACKUP_VERSION}.`,
      )
    }
    return { kind: 'header', header: value as BackupHeader }
  }
  if (value.table !== undefined && Array.isArray(value.columns)) {
    return { kind: 'table', table: value.table, columns: value.columns }
  }
  if (value.failed !== undefined) throw new BackupError(value.failed)
  if (value.end !== undefined) return { kind: 'end', ...value.end }
  throw new BackupError('The backup is damaged: a line is invalid.')
}

function parse(line: Buffer): object {
  try {
    const value: unknown = JSON.parse(line.toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  throw new BackupError('The file is not a Weir backup, or is damaged.')
}

/** Lines with their newline; an unterminated last line is left out. */
async function* linesOf(file: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  let [begun, size] = [[] as Buffer[], 0]
  for await (const chunk of unpacked(file)) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, at + 1)
      yield begun.length === 0 ? rest : Buffer.concat([...begun, rest])
      ;[begun, size] = [[], 0]
      from = at + 1
    }
    if (from === chunk.length) continue
    begun.push(chunk.subarray(from))
    size += chunk.length - from
    if (size > MAX_LINE_BYTES) throw new BackupError('The file is not a Weir backup: a line is too long.')
  }
}

async function* unpacked(file: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  const source = Readable.from(file, { objectMode: true })
  const gunzip = createGunzip()
  // A failure to read the file itself must reach the reader here.
  source.on('error', (error) => gunzip.destroy(error))
  try {
    for await (const chunk of source.pipe(gunzip)) yield chunk as Buffer
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw new BackupError('The backup is incomplete.')
    if (code?.startsWith('Z_')) throw new BackupError(`The file is not gzip, or is damaged (${message}).`)
    throw error
  } finally {
    source.destroy()
    gunzip.destroy()
  }
}
