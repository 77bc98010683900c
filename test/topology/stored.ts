import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { Hub } from '../../src/hub/hub.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Database } from '../../src/storage/storage.ts'
import { Topology } from '../../src/topology/topology.ts'
import { openStorage } from '../support/data-dir.ts'
import type { OpenSetup } from '../support/setups.ts'

/** The beginning of a minute, and of the day that every test begins on. */
export const NOON = Date.UTC(2026, 2, 10, 12)
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000

/** A database with a clock, and the topologies of as many web programs as a test opens over it. */
export interface Stored extends AsyncDisposable {
  db: Database
  /** What the clock says, in milliseconds since 1970. */
  now: number
  warnings: string[]
  /** A web program's topology, with what was stored. */
  open(database?: Database): Promise<Topology>
  count(table: string): Promise<number>
}

export async function openStored(setup: OpenSetup): Promise<Stored> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-topology-'))
  const storage = await openStorage({ databaseUrl: setup.environment.DATABASE_URL, dataDir })
  const { db } = storage
  await makePartitions(db, NOON)
  for (const table of ['services', 'calls', 'minutes', 'totals']) {
    await db.execute(sql`DELETE FROM ${sql.raw(`weir.topology_${table}`)}`)
  }
  const opened: Topology[] = []
  const warnings: string[] = []
  const stored: Stored = {
    db,
    now: NOON,
    warnings,
    async open(database = db) {
      const warn = (message: string) => void warnings.push(message)
      const topology = new Topology({ hub: new Hub(), db: database, now: () => stored.now, warn })
      opened.push(topology)
      await topology.load()
      return topology
    },
    async count(table) {
      const { rows } = (await db.execute(
        sql`SELECT count(*)::int AS count FROM ${sql.raw(`weir.topology_${table}`)}`,
      )) as unknown as { rows: { count: number }[] }
      return rows[0]?.count ?? 0
    },
    async [Symbol.asyncDispose]() {
      for (const topology of opened) await topology.close()
      await storage.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  return stored
}
