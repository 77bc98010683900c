import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asc, eq, inArray, sql } from 'drizzle-orm'
import { channels, deliveries, incidents, states, workers } from '../../drizzle/schema.ts'
import type { Bus } from '../../src/bus/bus.ts'
import type { StoredMessage } from '../../src/channels/message.ts'
import { Notifier } from '../../src/channels/notifier.ts'
import type { Evidence } from '../../src/core/judging/status.ts'
import type { Status } from '../../src/core/sets/statuses.ts'
import {
  type EvaluationDeps,
  evaluateIncidents,
  type IncidentSettings,
} from '../../src/incidents/evaluation/evaluate.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

export const LOOK_MS = 5_000
export const WAIT_MS = 10_000
export const REMIND_MS = 4 * 3_600_000
const WORKER = 'worker'
const ROWS_A_STATEMENT = 1_000

export interface Told {
  channel: string
  type: string
  title: string
  message: StoredMessage
}

/** The engine over a database of its own, with streams that stand as a test says, and a clock that it turns. */
export interface World {
  readonly db: Database
  readonly bus: Bus
  now: number
  /** Whether anything comes of streams that are up: not, while the network is gone and they haven't noticed yet. */
  isConnected: boolean
  readonly deps: EvaluationDeps
  settings: IncidentSettings
  /** Registers streams, up and held by a worker. */
  add(count: number, host: (index: number) => string, said?: Partial<Stream>): Promise<string[]>
  channel(name: string, said?: Partial<typeof channels.$inferInsert>): Promise<string>
  set(ids: readonly string[], status: Status, evidence?: Partial<Evidence>): Promise<void>
  /** Looks so many times, 5 s apart: longer where only time has to pass. */
  look(times?: number, apartMs?: number): Promise<void>
  /** As a process that has just started does: with nothing but what is stored. */
  restart(): void
  /** All that was sent, in order, to whom. */
  told(): Promise<Told[]>
  incidents(): Promise<(typeof incidents.$inferSelect)[]>
  /** Forgets everything, streams and channels too. */
  clear(): Promise<void>
  close(): Promise<void>
}

export async function openWorld(databaseUrl: string | undefined): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-incidents-'))
  const storage = await openStorage({ databaseUrl, dataDir: directory })
  return worldOn(storage, async () => {
    await storage.close()
    rmSync(directory, { recursive: true, force: true })
  })
}

export function worldOn(storage: Storage, close: () => Promise<void>): World {
  const { db } = storage
  const makeDeps = (): EvaluationDeps => {
    const notifier = new Notifier({
      db,
      bus: world.bus,
      control: { deliverLater: () => {}, deliverAgain: () => {} },
      now: () => world.now,
    })
    const { bus, settings } = world
    return { db, bus, now: () => world.now, notifier, url: () => 'http://weir.test', settings }
  }
  let deps: EvaluationDeps | undefined
  let all: string[] = []

  const world: World = {
    db,
    bus: testBus(),
    now: Date.UTC(2026, 4, 5, 12),
    isConnected: true,
    settings: { groupWaitMs: WAIT_MS, remindMs: REMIND_MS, egressCheckHosts: [] },
    get deps() {
      deps ??= makeDeps()
      return deps
    },
    async add(count, host, said = {}) {
      const createdAt = new Date(world.now)
      const list = Array.from({ length: count }, (_, index) =>
        newStream({ url: `http://${host(index)}/${index}`, kind: 'poll', createdAt, ...said }),
      )
      for (let from = 0; from < list.length; from += ROWS_A_STATEMENT) {
        await insertStreams(db, list.slice(from, from + ROWS_A_STATEMENT))
      }
      const ids = list.map(({ id }) => id)
      all.push(...ids)
      await world.set(ids, 'live')
      return ids
    },
    async channel(name, said = {}) {
      const at = new Date(world.now)
      const id = Bun.randomUUIDv7()
      const values = {
        id,
        name,
        kind: 'webhook',
        config: {},
        tags: [],
        isDefault: true,
        createdAt: at,
        updatedAt: at,
      }
      await db.insert(channels).values({ ...values, ...said })
      return id
    },
    async set(ids, status, evidence = {}) {
      const fails = status !== 'live' && status !== 'stopped'
      const seen: Evidence = {
        phase: fails ? 'waiting' : 'open',
        phaseSince: world.now,
        failures: fails ? 1 : 0,
        ...(fails ? { failingSince: world.now } : { lastPollAt: world.now }),
        ...evidence,
      }
      const set = {
        status,
        statusReason: `It is ${status}.`,
        statusSince: new Date(world.now),
        evidence: seen,
      }
      for (let from = 0; from < ids.length; from += ROWS_A_STATEMENT) {
        const some = ids.slice(from, from + ROWS_A_STATEMENT)
        await db
          .update(states)
          .set({ ...set, worker: WORKER })
          .where(inArray(states.streamId, some))
      }
    },
    async look(times = 1, apartMs = LOOK_MS) {
      for (let index = 0; index < times; index++) {
        world.now += apartMs
        const seenAt = new Date(world.now)
        await db
          .insert(workers)
          .values({ name: WORKER, startedAt: seenAt, seenAt, streams: all.length })
          .onConflictDoUpdate({ target: workers.name, set: { seenAt } })
        if (!world.isConnected) {
          await evaluateIncidents(world.deps)
          continue
        }
        await db.execute(sql`
          UPDATE weir.states SET evidence = evidence || ${JSON.stringify({ lastPollAt: world.now })}::jsonb
          WHERE verdict = 'live'`)
        await evaluateIncidents(world.deps)
      }
    },
    restart: () => {
      deps = undefined
    },
    async told() {
      const rows = await db
        .select({ delivery: deliveries, channel: channels.name })
        .from(deliveries)
        .innerJoin(channels, eq(channels.id, deliveries.channelId))
        // As they were written: the clock of a test may go back, and nothing here changes a delivery.
        .orderBy(sql`${deliveries}.ctid`)
      return rows.map(({ delivery, channel }) => {
        const message = delivery.message as StoredMessage
        return { channel, type: delivery.type, title: message.title, message }
      })
    },
    incidents: () => db.select().from(incidents).orderBy(asc(incidents.id)),
    async clear() {
      await db.execute(sql`
        TRUNCATE weir.streams, weir.channels, weir.incidents, weir.rules, weir.silences, weir.shared_alarms,
          weir.deliveries, weir.workers, weir.long_rollups CASCADE`)
      all = []
      deps = undefined
      world.isConnected = true
      world.now = Date.UTC(2026, 4, 5, 12)
      world.settings = { groupWaitMs: WAIT_MS, remindMs: REMIND_MS, egressCheckHosts: [] }
    },
    close,
  }
  return world
}
