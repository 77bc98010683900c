import { sql } from 'drizzle-orm'
import { BACKUP_FORMAT, BACKUP_VERSION, type BackupHeader } from '../core/backup.ts'
import { schemaOf } from '../storage/migrations.ts'
import { listPartitions } from '../storage/partitions.ts'
import { unbounded } from '../storage/session.ts'
import type { Database } from '../storage/storage.ts'
import { RowPacker } from './packer.ts'
import { rowsOf } from './rows.ts'
import { openSpool, type Spool } from './spool.ts'
import { listTables, type Table } from './tables.ts'

export interface BackupDeps {
  db: Database
  /** The version of Weir. */
  version: string
  now(): number
  /** Directory for the spool: about a tenth of the database, until it is sent. */
  spoolDir: string
}

/** State of a single process, and signed-in browsers: neither should be restored. */
export const LEFT_OUT: ReadonlySet<string> = new Set(['workers', 'sessions'])
/** Append-only tables, which can be read after the instant while recording continues. In this order. */
const LOG_TABLES = ['bodies', 'entries']

/** A stream's log as of the backup's instant: numbered without holes. */
interface Log {
  streamId: string
  first: number
  last: number
}

interface Taken {
  tables: Table[]
  logs: Log[]
  rows: number
}

/**
 * A backup of everything that Weir has stored, as of one instant, as gzipped lines; `src/core/backup.ts` defines the
 * format. Everything but the log is read in one transaction and spooled, so that a slow reader doesn't hold it open. The
 * log follows while recording continues, up to the last entry of that instant. Every log is checked for holes; if one was
 * trimmed meanwhile, the backup fails in its last line.
 */
export async function* takeBackup(deps: BackupDeps): AsyncGenerator<Uint8Array> {
  const spool = await openSpool(deps.spoolDir)
  try {
    const packer = new RowPacker()
    const taken = await takeStanding(deps, packer, spool)
    yield* spool.read()
    const rows = yield* takeLogs(deps.db, packer, taken)
    if (typeof rows === 'string') yield* packed(packer, [JSON.stringify({ failed: rows })])
    else await packer.add([JSON.stringify({ end: { rows, sha256: packer.digest() } })], false)
    yield await packer.flush()
  } finally {
    await spool.close()
  }
}

function takeStanding({ db, version, now }: BackupDeps, packer: RowPacker, spool: Spool): Promise<Taken> {
  const put = async (lines: readonly string[]) => {
    const member = await packer.add(lines)
    if (member !== undefined) await spool.write(member)
  }
  return db.transaction(
    async (transaction) => {
      const tx = transaction as unknown as Database
      await unbounded(tx)
      const logs = await logsOf(tx)
      const tables = (await listTables(tx)).filter(({ name }) => !LEFT_OUT.has(name))
      await put([
        JSON.stringify(await headerOf(tx, logs, { weir: version, at: new Date(now()).toISOString() })),
      ])
      let rows = 0
      for (const table of tables) {
        if (LOG_TABLES.includes(table.name)) continue
        await put([titleOf(table)])
        for await (const { lines } of rowsOf(tx, table)) {
          rows += lines.length
          await put(lines)
        }
      }
      await spool.write(await packer.flush())
      return { tables, logs, rows }
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  )
}

async function headerOf(
  db: Database,
  logs: readonly Log[],
  known: { weir: string; at: string },
): Promise<BackupHeader> {
  const partitions = (await listPartitions(db)).filter(({ day }) => day !== 'rest')
  const { rows } = (await db.execute(sql`SELECT count(*)::int AS count FROM weir.streams`)) as unknown as {
    rows: { count: number }[]
  }
  return {
    format: BACKUP_FORMAT,
    version: BACKUP_VERSION,
    ...known,
    schema: await schemaOf(db),
    streams: rows[0]?.count ?? 0,
    entries: logs.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    partitions: partitions.map(({ table, day }) => ({ table, day })),
  }
}

async function logsOf(db: Database): Promise<Log[]> {
  const { rows } = (await db.execute(sql`
    SELECT stream_id AS "streamId", seq::float8 AS last, first::float8
    FROM weir.checkpoints, LATERAL (
      SELECT entries.seq FROM weir.entries WHERE entries.stream_id = checkpoints.stream_id ORDER BY seq LIMIT 1
    ) AS entry (first)
    ORDER BY 1`)) as unknown as { rows: Log[] }
  return rows
}

/**
 * Bodies first, because a body exists before its entry.
 * @returns the number of rows, or why they changed
 */
async function* takeLogs(
  db: Database,
  packer: RowPacker,
  taken: Taken,
): AsyncGenerator<Uint8Array, number | string> {
  let { rows } = taken
  for (const name of LOG_TABLES) {
    const table = taken.tables.find((each) => each.name === name)
    if (table === undefined) continue
    yield* packed(packer, [titleOf(table)])
    if (name === 'bodies') {
      for await (const { lines } of rowsOf(db, table)) {
        rows += lines.length
        yield* packed(packer, lines)
      }
      continue
    }
    for (const log of taken.logs) {
      const read = yield* takeLog(db, packer, table, log)
      const expected = log.last - log.first + 1
      if (read !== expected) return trimmed(log, expected - read)
      rows += read
    }
  }
  return rows
}

async function* takeLog(db: Database, packer: RowPacker, table: Table, { streamId, first, last }: Log) {
  let read = 0
  const where = sql`stream_id = ${streamId} AND seq BETWEEN ${first} AND ${last}`
  for await (const { lines } of rowsOf(db, table, where)) {
    read += lines.length
    yield* packed(packer, lines)
  }
  return read
}

function trimmed({ streamId }: Log, missing: number): string {
  return (
    `The log of the stream ${streamId} lost ${missing} of its oldest entries to retention, or was removed, while the ` +
    'backup was taken. Take it again.'
  )
}

async function* packed(packer: RowPacker, lines: readonly string[]): AsyncGenerator<Uint8Array, void> {
  const member = await packer.add(lines)
  if (member !== undefined) yield member
}

function titleOf({ name, columns }: Table): string {
  return JSON.stringify({ table: name, columns: columns.map((column) => column.name) })
}
