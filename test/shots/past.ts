import { eq } from 'drizzle-orm'
import { checkpoints, incidents, longRollups, rollups, runs, spells, states } from '../../drizzle/schema.ts'
import { setMark } from '../../src/retention/marks.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import type { Database } from '../../src/storage/storage.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'

/** A stream that was there before Weir was started, and what a minute of it came to. */
export interface Before {
  stream: Pick<Stream, 'name' | 'url' | 'kind' | 'tags'> & Partial<Stream>
  /** Of a whole document. */
  documentBytes: number
  /** Part of its polls, or of its events, that find a change, at the busiest hour. */
  changeRate: number
  /** Events or polls in a minute. */
  perMinute: number
  /** How long an answer takes as a rule, in milliseconds. */
  answerMs: number
  /** Whether it has days and nights; else it always does the same. */
  hasRhythm: boolean
  /** How many hours back it goes. */
  hours: number
  outages?: readonly Outage[]
}

/** A time in which a polled stream didn't answer. */
export interface Outage {
  hoursAgo: number
  minutes: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** How far back minutes are told; what is older is told by the hour. */
const MINUTES_MS = 25 * HOUR_MS
/** A process now and then makes room for the next; in hours before now. */
const RUNS_FROM_HOURS = [60, 31, 15, 4]
const HEAD_BYTES = 190
const REQUEST_BYTES = 120
/** A stream that fails is polled less often. */
const CHECKS_A_FAILURE = 8
const PATCH_BYTES = 178
const DEFLATED_BYTES = 130
const FRAME_BYTES = 60
/** As `src/streams/measures/latencies.ts` keeps times. */
const BYTES_PER_E = 19
const ROWS_A_STATEMENT = 400

/**
 * Stores the streams with weeks that nobody has seen: days and nights, busy hours and quiet ones, all by the seed.
 * @returns ids by name
 */
export async function addPast(
  db: Database,
  past: readonly Before[],
  random: () => number,
  now: number,
): Promise<Map<string, string>> {
  await makePartitions(db, now)
  const minutesFrom = Math.floor((now - MINUTES_MS) / HOUR_MS) * HOUR_MS
  const ids = new Map<string, string>()
  for (const before of past) ids.set(before.stream.name, await addOne(db, before, random, minutesFrom, now))
  await rollUp({ db, now: () => now })
  await setMark(db, 'minutes', new Date(minutesFrom))
  return ids
}

async function addOne(
  db: Database,
  before: Before,
  random: () => number,
  minutesFrom: number,
  now: number,
): Promise<string> {
  const createdAt = new Date(now - before.hours * HOUR_MS)
  const stream = newStream({ ...before.stream, createdAt, updatedAt: createdAt })
  await insertStreams(db, [stream])
  const count = { seq: 0 }
  const begin = Math.floor(createdAt.getTime() / HOUR_MS) * HOUR_MS
  const sums = (at: number, lengthMs: number) => sumsOf(before, now - at, lengthMs, random, count)
  const hours = []
  for (let at = begin; at < minutesFrom; at += HOUR_MS) hours.push({ at, ...sums(at, HOUR_MS) })
  const minutes = []
  for (let at = Math.max(begin, minutesFrom); at < now; at += MINUTE_MS) {
    const lengthMs = Math.min(MINUTE_MS, now - at)
    const latencies = answers(before, now - at, random)
    minutes.push({ minute: new Date(at), ...sums(at, lengthMs), latencies })
  }
  const streamId = stream.id
  const long = [...hours.map((row) => ({ step: 'hour' as const, ...row })), ...daysOf(hours)]
  const connected = (step: 'hour' | 'day') => (step === 'hour' ? HOUR_MS : DAY_MS)
  await insertAll(long, (rows) =>
    db
      .insert(longRollups)
      .values(
        rows.map((row) => ({ ...row, streamId, at: new Date(row.at), connectedMs: connected(row.step) })),
      ),
  )
  await insertAll(minutes, (rows) => db.insert(rollups).values(rows.map((row) => ({ ...row, streamId }))))
  await addRuns(db, streamId, count.seq, before.hours, now)
  const spell = { streamId, epoch: 1, from: createdAt, to: new Date(now), isSilenced: false }
  if (stream.kind === 'sse') await db.insert(spells).values({ ...spell, state: 'up' })
  return streamId
}

/** What a stretch of time came to: most by day, little by night, and less at weekends. */
function sumsOf(
  { stream, documentBytes, changeRate, perMinute, hasRhythm, outages = [] }: Before,
  agoMs: number,
  lengthMs: number,
  random: () => number,
  count: { seq: number },
) {
  const due = Math.max(1, Math.round((perMinute * lengthMs) / MINUTE_MS))
  const answered = Math.round(due * (1 - outOf(outages, agoMs, lengthMs)))
  const failures = Math.ceil((due - answered) / CHECKS_A_FAILURE)
  const isPoll = stream.kind === 'poll'
  const busy = (hasRhythm ? rhythm(agoMs) : 1) * (0.9 + 0.2 * random())
  const changed = Math.min(answered, Math.round(answered * changeRate * busy))
  const events = isPoll ? changed : Math.max(1, Math.round(answered * busy))
  const firstSeq = count.seq + 1
  count.seq += isPoll ? answered + failures : events
  const bodies = isPoll ? changed * documentBytes : events * documentBytes
  const polled = isPoll ? answered : 0
  const intervalMs = MINUTE_MS / perMinute
  return {
    firstSeq,
    lastSeq: count.seq,
    entries: count.seq - firstSeq + 1,
    events,
    polls: polled,
    answered: polled,
    unanswered: isPoll ? due - answered : 0,
    errors: failures,
    failures,
    requests: polled + failures,
    requestBytes: (polled + failures) * REQUEST_BYTES,
    heldMs: lengthMs,
    compared: polled,
    changed: isPoll ? changed : 0,
    comparedMs: Math.round(polled * intervalMs),
    changedMs: isPoll ? Math.round(changed * intervalMs) : 0,
    notModified: polled === 0 ? 0 : polled - changed,
    wireBytes: bodies,
    bodyBytes: bodies,
    headBytes: polled * HEAD_BYTES,
    plainBytes: polled * documentBytes,
    gzipBytes: Math.round((polled * documentBytes) / 3),
    conditionalBytes: Math.round((polled === 0 ? 0 : changed * documentBytes) / 3),
    patchBytes: isPoll ? changed * PATCH_BYTES : 0,
    frameBytes: isPoll ? changed * (PATCH_BYTES + FRAME_BYTES) : 0,
    deflatedBytes: isPoll ? changed * DEFLATED_BYTES : 0,
  }
}

/** The part of a stretch of time in which there was no answer, 0 to 1. */
function outOf(outages: readonly Outage[], agoMs: number, lengthMs: number): number {
  const parts = outages.map(({ hoursAgo, minutes }) => {
    const [from, to] = [Math.max(-agoMs, -hoursAgo * HOUR_MS), -hoursAgo * HOUR_MS + minutes * MINUTE_MS]
    return Math.max(0, Math.min(to, lengthMs - agoMs) - from) / lengthMs
  })
  return Math.min(1, Math.max(0, ...parts))
}

/**
 * From 0 to 1: busiest at this hour of the day, so that what the shop does from now on goes on from there, and less for
 * two days in seven.
 */
function rhythm(agoMs: number): number {
  const hour = (agoMs % DAY_MS) / HOUR_MS
  const isQuietDay = Math.round(agoMs / DAY_MS) % 7 > 4
  return (0.12 + 0.88 * Math.max(0, Math.cos((hour / 12) * Math.PI))) * (isQuietDay ? 0.45 : 1)
}

/** A few of a minute's answers, as the bytes that they are kept as: slower when there is much to do. */
function answers({ stream, answerMs }: Before, agoMs: number, random: () => number): Uint8Array {
  if (stream.kind !== 'poll') return new Uint8Array()
  const busy = 1 + rhythm(agoMs)
  return Uint8Array.from({ length: 8 }, () =>
    Math.floor(Math.log(answerMs * busy * (0.7 + 1.6 * random() ** 4)) * BYTES_PER_E),
  )
}

type Row = { at: number } & ReturnType<typeof sumsOf>

function daysOf(hours: readonly Row[]) {
  return [...Map.groupBy(hours, ({ at }) => Math.floor(at / DAY_MS) * DAY_MS)].map(([at, rows]) => {
    const day = { ...rows[0] } as Row
    for (const row of rows.slice(1))
      for (const name of Object.keys(day) as (keyof Row)[])
        if (name !== 'at' && name !== 'firstSeq') day[name] += name === 'lastSeq' ? 0 : row[name]
    return { step: 'day' as const, ...day, at, lastSeq: rows.at(-1)?.lastSeq ?? day.lastSeq }
  })
}

async function addRuns(db: Database, streamId: string, seq: number, hours: number, now: number) {
  const begun = RUNS_FROM_HOURS.filter((each) => each <= hours)
  const list = begun.map((each, index) => ({
    streamId,
    epoch: index + 1,
    worker: 'weir-1:7:k3x9qd',
    startedAt: new Date(now - each * HOUR_MS),
    endedAt: new Date(now - (begun[index + 1] ?? 0) * HOUR_MS - MINUTE_MS / 2),
    endReason: 'closing',
  }))
  if (list.length > 0) await db.insert(runs).values(list)
  const set = { epoch: list.length, seq }
  await db
    .insert(checkpoints)
    .values({ streamId, ...set })
    .onConflictDoUpdate({ target: checkpoints.streamId, set })
  const { epoch } = set
  await db.update(states).set({ epoch }).where(eq(states.streamId, streamId))
}

/** Problems that are over, and of which stream they were. */
export async function addSolved(
  db: Database,
  list: readonly ({ streamId: string; title: string; detail: string } & Outage)[],
  now: number,
): Promise<void> {
  for (const { streamId, title, detail, hoursAgo, minutes } of list) {
    const openedAt = new Date(now - hoursAgo * HOUR_MS)
    const resolvedAt = new Date(openedAt.getTime() + minutes * MINUTE_MS)
    const told = { notifiedAt: openedAt, resolvedNotifiedAt: resolvedAt }
    const what = { key: `stream:${streamId}:stalled`, cause: 'stalled', title, streamId }
    await db
      .insert(incidents)
      .values({ id: Bun.randomUUIDv7('hex', openedAt), ...what, detail, openedAt, resolvedAt, ...told })
  }
}

async function insertAll<T>(rows: readonly T[], insert: (some: T[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT)
    await insert(rows.slice(from, from + ROWS_A_STATEMENT))
}
