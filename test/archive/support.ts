import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { and, gte, lt } from 'drizzle-orm'
import { archiveDays, archives, entries } from '../../drizzle/schema.ts'
import { Archive, type ArchiveOptions } from '../../src/archive/archive.ts'
import { parseConfig } from '../../src/config/config.ts'
import type { Json } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { advance } from '../../src/streams/ingest/follow-document.ts'
import type { Followed, Run } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { readWholeLog } from '../../src/streams/log/logs.ts'
import type { Draft, Entry } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { ODD_KEYS, RandomDocuments } from '../core/random-documents.ts'
import { integer, pick, type Random } from '../core/seeded.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

/** Two days that are closed, and a moment after both. */
export const DAYS = ['2026-01-05', '2026-01-06'] as const
export const AFTER = Date.parse('2026-01-07T00:10:00Z')
const DAY_MS = 86_400_000

const EXPECTATION = { kind: 'poll', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000_000 }
const CONTROL = { runLater: async () => {} }

/** A database with streams whose entries lie in the past, and archives of it. */
export interface Bench {
  readonly storage: Storage
  readonly db: Database
  readonly streams: Streams
  register(): Promise<string>
  /** Has a new run of the stream say this. */
  record(streamId: string, drafts: readonly Draft[]): Promise<void>
  archive(environment: Record<string, string>, options?: Partial<ArchiveOptions>): Archive
  log(streamId: string): Promise<Entry[]>
  /** Deletes what the database has of a day, as retention does. */
  drop(day: string): Promise<void>
  close(): Promise<void>
}

export async function openBench(environment: Record<string, string> = {}): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-archive-'))
  const dataDir = environment.DATA_DIR ?? directory
  const storage = await openStorage({ databaseUrl: environment.DATABASE_URL, dataDir })
  const { db } = storage
  const streams = new Streams({ db, control: CONTROL, bus: testBus(), limits: LIMITS })
  const runs = runStore(db, 'tester', testBus(), new LargeDocuments())
  const recorder = new Recorder(db, () => EXPECTATION, testBus())
  const opened: Archive[] = []
  return {
    storage,
    db,
    streams,
    register: async () => (await streams.register({ url: 'http://a.test/', kind: 'poll' })).id,
    async record(streamId, drafts) {
      const run = (await runs.begin({ streamId, attempt: 1, takeOver: true })) as Run
      for (const draft of drafts) recorder.append(run, draft)
      // By itself, it waits for as long as an end may take.
      await recorder.durable(never)
      await recorder.settle(run)
      await runs.end({ run, reason: 'over' })
    },
    archive(settings, options) {
      const all = { db, now: () => AFTER, random: () => 0, runLater: async () => {}, warn, ...options }
      const archive = new Archive({ ...all, config: parseConfig(settings) })
      opened.push(archive)
      return archive
    },
    log: async (id) => (await Array.fromAsync(readWholeLog(db, id, {}))).flat(),
    async drop(day) {
      const from = new Date(`${day}T00:00:00Z`)
      const to = new Date(from.getTime() + DAY_MS)
      await db.delete(entries).where(and(gte(entries.at, from), lt(entries.at, to)))
    },
    async close() {
      for (const archive of opened) archive.close()
      await recorder.close()
      await storage.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Forgets what was archived, so that a test begins anew. */
export async function forgetArchive({ db, streams }: Bench): Promise<void> {
  for (const { id } of (await streams.list({ limit: 500 })).items) await streams.remove(id)
  await db.delete(archives)
  await db.delete(archiveDays)
}

function warn(message: string, error?: unknown): never {
  throw new Error(message, { cause: error })
}

/** What a poll, an event stream and Weir itself may have to say in the course of the days, as odd as it comes. */
export function oddDrafts(random: Random, count: number, days: readonly string[] = DAYS): Draft[] {
  const documents = new RandomDocuments(random, ODD_KEYS)
  const first = Date.parse(`${days[0]}T00:00:00Z`)
  const stepMs = (days.length * DAY_MS) / count
  let document: Json = documents.document()
  let last: Followed | undefined
  return Array.from({ length: count }, (_, index): Draft => {
    const at = first + Math.floor(index * stepMs)
    const sizes = { wireBytes: integer(random, 500), bodyBytes: 1 + integer(random, 500) }
    if (integer(random, 3) > 0) {
      document = parseJson(stringifyJson(documents.change(document)))
      const { followed, kind, changed, data, patchBytes } = advance(last, document, [])
      last = followed
      const { hash } = followed
      // An upstream's own patch is stored as it came, line ends and all.
      const spaced = integer(random, 4) === 0 ? data?.replace(/^\[/, '[\r\n  ') : data
      if (changed) return { at, ...sizes, kind, changed, hash, data: spaced, patchBytes, exchange: EXCHANGE }
    }
    return { at, ...sizes, ...pick(random, ODD) }
  })
}

const EXCHANGE = {
  request: { method: 'GET', url: 'http://a.test/?a="b"', headers: { data: '{"data":1}', '7': 'x' } },
  response: { status: 200, headers: { 'x-text': 'a\\"b,"data":{}' }, firstByteMs: 3, durationMs: 4 },
}

const ODD: readonly Omit<Draft, 'at' | 'wireBytes' | 'bodyBytes'>[] = [
  { kind: 'exchange', changed: false, exchange: EXCHANGE, gzipBytes: 3, plainBytes: 4 },
  { kind: 'exchange', exchange: { request: EXCHANGE.request }, data: 'text\nof two lines, "data":{' },
  { kind: 'event', event: 'data', eventId: '"data"', data: '' },
  { kind: 'event', data: '{"data": "zażółć 😀 \u2028 \\u0000"}' },
  { kind: 'event', event: 'x', data: '\ufeffa\r\nb\rc' },
  { kind: 'error', data: '{"message":"no, \\"data\\""}' },
  { kind: 'gap', data: '{\n  "reason": "a\\nb",\n  "from": 12345678901234567890\n}' },
]

export const never = new AbortController().signal
