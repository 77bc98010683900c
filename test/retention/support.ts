import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { DAY_MS } from '../../src/core/time.ts'
import { type RetentionBounds, type RetentionDeps, retain } from '../../src/retention/retain.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import type { Draft, Entry } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import type { OpenSetup } from '../support/setups.ts'

const EXPECTATION = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const

/** Noon of the day that every test begins on. */
export const NOON = Date.UTC(2026, 2, 10, 12)
export const HOUR_MS = 3_600_000

/** A database with a clock of its own, real recording into it, and retention over it. */
export interface Kept {
  readonly storage: Storage
  readonly deps: RetentionDeps
  readonly warnings: string[]
  /** What the clock says. */
  now: number
  register(): Promise<string>
  begin(streamId: string): Promise<Run>
  /** Records drafts, at the clock's time unless they say otherwise, and waits until they are durable. */
  record(run: Run, ...drafts: Partial<Draft>[]): Promise<void>
  recorder: Recorder
  /** Moves the clock, and has retention do what is due: a long step is trusted an hour later. */
  pass(ms: number): Promise<void>
  rows<Row>(statement: ReturnType<typeof sql>): Promise<Row[]>
  close(): Promise<void>
}

export async function keep(services: OpenSetup, bounds: Partial<RetentionBounds> = {}): Promise<Kept> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-retention-'))
  const storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir })
  const { db } = storage
  const control = { runLater: async () => {} }
  const streams = new Streams({
    db,
    control,
    bus: testBus(),
    limits: { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 },
  })
  const warnings: string[] = []
  const recorder = new Recorder(db, () => EXPECTATION, testBus(), {
    failing: (error) => void warnings.push(String(error)),
  })
  const runs = runStore(db, 'test', testBus(), new LargeDocuments())
  const deps: RetentionDeps = {
    db,
    now: () => kept.now,
    warn: (message) => void warnings.push(message),
    bounds: { retentionDays: 5, minutesDays: 30, ...bounds },
  }
  const kept: Kept = {
    storage,
    deps,
    warnings,
    now: NOON,
    recorder,
    register: async () => (await streams.register({ url: 'http://a.test/', kind: 'poll' })).id,
    begin: async (streamId) => {
      const run = await runs.begin({ streamId, attempt: 1, takeOver: true })
      if (run === undefined) throw new Error('No run')
      return run
    },
    async record(run, ...drafts) {
      for (const draft of drafts) recorder.append(run, { ...event(kept.now, 'x'), ...draft })
      await recorder.settle(run, 30_000)
    },
    async pass(ms) {
      kept.now += ms
      await rollUp(deps)
      await retain(deps)
      if (ms <= DAY_MS) return
      kept.now += HOUR_MS
      await retain(deps)
    },
    rows: async (statement) => ((await db.execute(statement)) as unknown as { rows: never[] }).rows,
    async close() {
      await recorder.close()
      await storage.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  await empty(kept)
  return kept
}

/** Tests share a server, or all of it: each begins with empty tables, at noon. */
export async function empty(kept: Kept): Promise<void> {
  const { db } = kept.storage
  kept.now = NOON
  const tables = ['streams', 'entries', 'bodies', 'marks', 'archive_days', 'fleet_rollups']
  for (const table of tables) await db.execute(sql.raw(`TRUNCATE weir.${table} CASCADE`))
  await makePartitions(db, kept.now)
}

export function event(at: number, data: string): Draft {
  return { at, kind: 'event', wireBytes: data.length, bodyBytes: data.length, data }
}

export const seqsOf = (entries: readonly Entry[]) => entries.map(({ seq }) => seq)
