import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { StorageError } from '../storage.ts'

/**
 * How far the write-ahead log was on disk, next to it. A server that recovers takes a damaged record for the end of its log, and
 * forgets without a word whatever was acknowledged after it: only somebody else who remembers the end can tell.
 */
export const POSITION_FILE = 'weir.position'
/** How often it is written, in milliseconds. What is acknowledged within that isn't covered. */
const EVERY_MS = 1_000
/** Content of a fixed length, so that it is overwritten in place: in one sector, which a disk writes as a whole. */
const CONTENT = /^(at|lost) ([0-9A-F]+)\/([0-9A-F]+) (\d{4}-\d\d-\d\dT[\d:.]+Z) *\n$/
const CONTENT_CHARS = 64

interface Position {
  isLost: boolean
  lsn: bigint
  at: string
}

/** Keeps the position up to date. @returns a function that ends that */
export function recordPosition(directory: string, pool: Pick<Pool, 'query'>): () => void {
  const file = openSync(
    join(directory, POSITION_FILE),
    existsSync(join(directory, POSITION_FILE)) ? 'r+' : 'w',
    0o600,
  )
  /** The end of a record, which isn't known to be on disk yet. */
  let pending: string | undefined
  let isAsking = false
  const ask = async () => {
    if (isAsking) return
    isAsking = true
    const { rows } = await pool
      .query(
        'SELECT pg_current_wal_insert_lsn()::text AS inserted, pg_current_wal_flush_lsn()::text AS flushed',
      )
      .catch(() => ({ rows: [] }))
    isAsking = false
    const found = rows[0] as { inserted: string; flushed: string } | undefined
    if (found === undefined || isEnded) return
    if (pending !== undefined && toNumber(found.flushed) >= toNumber(pending)) write(file, 'at', pending)
    pending = found.inserted
  }
  const timer = setInterval(() => void ask(), EVERY_MS)
  let isEnded = false
  return () => {
    isEnded = true
    clearInterval(timer)
    closeSync(file)
  }
}

/**
 * Checks that a server that has just started knows everything that was on disk before.
 * @throws StorageError if its write-ahead log ended too early; also at later starts, until the file is deleted
 */
export async function checkPosition(directory: string, pool: Pick<Pool, 'query'>): Promise<void> {
  const position = read(join(directory, POSITION_FILE))
  if (position === undefined) return
  const { rows } = await pool.query('SELECT checkpoint_lsn::text AS lsn FROM pg_control_checkpoint()')
  const { lsn } = rows[0] as { lsn: string }
  if (!position.isLost && toNumber(lsn) >= position.lsn) return
  if (!position.isLost) {
    // Every start adds to the log: it would pass the position in the end.
    const file = openSync(join(directory, POSITION_FILE), 'r+')
    write(file, 'lost', toText(position.lsn), position.at)
    closeSync(file)
  }
  throw new StorageError(
    `The database in ${directory} has lost its last changes before ${position.at}, because its write-ahead log is damaged or ` +
      'the disk dropped what it had reported as synced. Move that directory away and restore a backup with ' +
      `"weir restore FILE", or delete ${join(directory, POSITION_FILE)} to continue with what is left.`,
  )
}

function read(path: string): Position | undefined {
  if (!existsSync(path)) return undefined
  const [, kind, high = '0', low = '0', at = ''] = CONTENT.exec(readFileSync(path, 'latin1')) ?? []
  if (kind === undefined) return undefined
  return { isLost: kind === 'lost', lsn: toNumber(`${high}/${low}`), at }
}

function write(file: number, kind: 'at' | 'lost', lsn: string, at = new Date().toISOString()): void {
  writeSync(file, `${`${kind} ${lsn} ${at}`.padEnd(CONTENT_CHARS - 1)}\n`, 0)
}

function toNumber(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

function toText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase()
}
