import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { hashDocument, type Json, sha256 } from '../../src/core/documents/document.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { EventReader } from '../../src/streams/ingest/connection/event-reader.ts'
import { followSse } from '../../src/streams/ingest/connection/follow-sse.ts'
import type { FollowDeps } from '../../src/streams/ingest/follow.ts'
import type { Differ } from '../../src/streams/ingest/follow-document.ts'
import { followPoll } from '../../src/streams/ingest/follow-poll.ts'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import type { Run, RunLog } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { readLog } from '../../src/streams/log/logs.ts'
import { type Draft, isKeyframe } from '../../src/streams/recording/entry.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const EXPECTATION = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
const LIMITS = { requestTimeoutMs: 10_000, maxBodyBytes: 100_000, silenceMs: 60_000 }
/** Makes the documents larger than any two hundred of their patches. */
const TEXT = 'x'.repeat(20_000)

let directory: string
let storage: Storage
let streams: Streams
let recorder: Recorder

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-follow-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const control = { runLater: async () => {} }
  streams = new Streams({ db: storage.db, control, bus: testBus(), limits: LIMITS })
  recorder = new Recorder(storage.db, () => EXPECTATION, testBus())
})

afterAll(async () => {
  large.close()
  await recorder.close()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const large = new LargeDocuments()

const begin = async (streamId: string) => {
  const runs = runStore(storage.db, 'tester', testBus(), large)
  return (await runs.begin({ streamId, attempt: 1, takeOver: true })) as Run
}
const register = (kind: 'sse' | 'poll') => streams.register({ url: 'http://a.test/', kind, intervalMs: 1 })
const logOf = async (id: string) => (await readLog(storage.db, id, { limit: 1_000 })).items
const document = (n: number): Json => ({ n, text: TEXT })
const versions = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => document(first + index))

/** The recorder's log, without room for the drafts that are refused. */
function logFor(run: Run, refuses: (draft: Draft) => boolean = () => false): RunLog {
  return {
    append: (draft, checkpoint) => !refuses(draft) && recorder.append(run, draft, checkpoint),
    durable: (signal) => recorder.durable(signal),
    seen: () => {},
    turned: () => {},
    stands: () => {},
  }
}

/** Polls an API that answers with one document after the other, until there are no more. */
async function pollAll(run: Run, log: RunLog, documents: Json[], differ?: Differ): Promise<void> {
  const stop = new AbortController()
  const deps: FollowDeps = {
    limits: LIMITS,
    hosts: new Hosts(),
    large,
    request: (stream) => stream,
    storedEvents: async () => new Map(),
    fetch: async () => {
      const next = documents.shift()
      if (next === undefined) stop.abort()
      return next === undefined ? Promise.reject(stop.signal.reason) : Response.json(next)
    },
    differ,
    now: Date.now,
    random: Math.random,
  }
  await followPoll(run, log, stop.signal, deps)
  await recorder.settle(run)
}

/** Follows an event stream that sends the same on every connection, until it has failed so often. */
async function followUntilFailed(run: Run, sent: string, failures: number): Promise<void> {
  const stop = new AbortController()
  const deps: FollowDeps = {
    limits: LIMITS,
    hosts: new Hosts(),
    large,
    request: (stream) => stream,
    storedEvents: async () => new Map(),
    fetch: async () => new Response(sent, { headers: { 'Content-Type': 'text/event-stream' } }),
    now: Date.now,
    // The longest of waits, so that each can be told from the one before.
    random: () => 1,
  }
  let failed = 0
  const log = logFor(run, ({ kind }) => {
    if (kind === 'error' && ++failed === failures) stop.abort()
    return false
  })
  await followSse(run, log, stop.signal, deps)
  await recorder.settle(run)
}

function readerOf(run: Run, log: RunLog): EventReader {
  const reader = new EventReader(
    run,
    log,
    { now: Date.now, storedEvents: async () => new Map(), large, limits: LIMITS },
    new AbortController().signal,
  )
  reader.connected(undefined)
  return reader
}

async function sendPatches(reader: EventReader, first: number, last: number): Promise<void> {
  reader.chunk(last - first)
  for (let n = first; n <= last; n++) {
    reader.event('patch', `[{"op":"replace","path":"/n","value":${n}}]`, String(n))
  }
  expect(await reader.endOfChunk()).toBeUndefined()
}

async function pathsOf(id: string): Promise<[path: string, changes: number][]> {
  const { rows } = (await storage.db.execute(
    sql`SELECT path, sum(changes)::int AS changes FROM weir.path_rollups WHERE stream_id = ${id} GROUP BY 1 ORDER BY 1`,
  )) as { rows: { path: string; changes: number }[] }
  return rows.map(({ path, changes }) => [path, changes])
}

test('polls store a keyframe after every 200th patch, and a new run continues from it', async () => {
  const { id } = await register('poll')
  const run = await begin(id)
  await pollAll(run, logFor(run), versions(0, 203))
  const log = await logOf(id)
  expect(log.flatMap((entry, index) => (isKeyframe(entry) ? [index] : []))).toEqual([201])
  expect(new Set(log.slice(1, 201).map(({ kind }) => kind))).toEqual(new Set(['patch']))
  const [patch, keyframe] = log.slice(200, 202)
  expect(keyframe).toMatchObject({
    kind: 'snapshot',
    wireBytes: 0,
    bodyBytes: 0,
    hash: patch?.hash as string,
  })
  expect(keyframe).toMatchObject({
    data: JSON.stringify(document(200)),
    snapshotBytes: patch?.snapshotBytes as number,
  })
  expect([keyframe?.changed, keyframe?.exchange, keyframe?.patchBytes]).toEqual([
    undefined,
    undefined,
    undefined,
  ])

  expect(await pathsOf(id)).toEqual([['/n', 203]])

  const next = await begin(id)
  expect(next.checkpoint.snapshotSeq).toBe(202)
  expect(next.followed).toMatchObject({ hash: hashDocument(document(203)), patches: 3 })
  await pollAll(next, logFor(next), versions(204, 204))
  expect((await logOf(id)).at(-1)).toMatchObject({ kind: 'patch', changed: true })
})

test('a poll whose keyframe is dropped retries with the next patch', async () => {
  const { id } = await register('poll')
  const run = await begin(id)
  let refused = 0
  const refuses = (draft: Draft) => draft.kind === 'snapshot' && draft.bodyBytes === 0 && refused++ < 2
  await pollAll(run, logFor(run, refuses), versions(0, 205))
  const keyframes = (await logOf(id)).filter(isKeyframe)
  expect(refused).toBe(3)
  expect(keyframes.map(({ hash }) => hash)).toEqual([hashDocument(document(202))])
  expect(run.followed).toMatchObject({ patches: 3 })
})

test('an upstream’s patches are stored with a keyframe after every 200th, however many arrive at once', async () => {
  const { id } = await register('sse')
  const run = await begin(id)
  const reader = readerOf(run, logFor(run))
  reader.event('data', JSON.stringify(document(0)), '0')
  await sendPatches(reader, 1, 450)
  await recorder.settle(run)
  const log = await logOf(id)
  expect(log.flatMap((entry, index) => (isKeyframe(entry) ? [index] : []))).toEqual([201, 402])
  expect(log.filter(({ kind }) => kind === 'patch').length).toBe(450)
  for (const [index, entry] of log.entries()) {
    if (isKeyframe(entry)) expect(entry).toMatchObject({ wireBytes: 0, hash: log[index - 1]?.hash as string })
  }
  expect(await pathsOf(id)).toEqual([['/n', 450]])
  const { followed, checkpoint } = await begin(id)
  expect(followed).toMatchObject({ hash: hashDocument(document(450)), patches: 50 })
  expect(checkpoint).toMatchObject({ snapshotSeq: 403, lastEventId: '450' })
})

test('an upstream’s patch whose keyframe is dropped is followed by one that has it', async () => {
  const { id } = await register('sse')
  const run = await begin(id)
  let refused = 0
  const refuses = (draft: Draft) => draft.kind === 'snapshot' && draft.bodyBytes === 0 && refused++ < 1
  const reader = readerOf(run, logFor(run, refuses))
  reader.event('data', JSON.stringify(document(0)), '0')
  await sendPatches(reader, 1, 210)
  expect(run.followed).toMatchObject({ patches: 210 })
  await sendPatches(reader, 211, 212)
  await recorder.settle(run)
  const keyframes = (await logOf(id)).filter(isKeyframe)
  expect(keyframes.map(({ hash }) => hash)).toEqual([hashDocument(document(211))])
  expect((await begin(id)).followed).toMatchObject({ hash: hashDocument(document(212)), patches: 1 })
})

test('a wrong patch is recorded as an error, but not as a failure, before the snapshot', async () => {
  const { id } = await register('poll')
  const run = await begin(id)
  await pollAll(run, logFor(run), [{ a: 1 }, { a: 2 }], () => [{ op: 'replace', path: '/a', value: 3 }])
  const log = await logOf(id)
  expect(log.map(({ kind }) => kind)).toEqual(['snapshot', 'error', 'snapshot'])
  expect(JSON.parse(log[1]?.data ?? '')).toMatchObject({ code: 'patch_mismatch' })
  expect(log[2]).toMatchObject({ changed: true, data: '{"a":2}' })
  expect(run.evidence).toMatchObject({ failures: 0, phase: 'open' })
})

test('an upstream’s whole documents are compared with each other', async () => {
  const { id } = await register('sse')
  const run = await begin(id)
  const reader = readerOf(run, logFor(run))
  for (const n of [0, 1, 1]) reader.event('data', JSON.stringify(document(n)), '')
  await reader.endOfChunk()
  await recorder.settle(run)
  const log = await logOf(id)
  expect(log.map(({ changed, patchBytes }) => [changed, patchBytes])).toEqual([
    [undefined, undefined],
    [true, undefined],
    [false, 0],
  ])
  expect(log.map(({ snapshotBytes }) => snapshotBytes)).toEqual(log.map(({ bodyBytes }) => bodyBytes))
  expect(await pathsOf(id)).toEqual([['', 1]])
})

test('numbers beyond double precision in an upstream’s documents and patches stay unchanged', async () => {
  const { id } = await register('sse')
  const run = await begin(id)
  const reader = readerOf(run, logFor(run))
  reader.event('data', `{"big":1e400,"n":0,"text":"${TEXT}"}`, '')
  reader.event('patch', '[{"op":"add","path":"/id","value":12345678901234567890}]', '')
  await sendPatches(reader, 2, 200)
  await recorder.settle(run)
  const keyframe = (await logOf(id)).find(isKeyframe)
  const text = `{"big":1e400,"id":12345678901234567890,"n":200,"text":"${TEXT}"}`
  expect(keyframe).toMatchObject({ data: text, hash: sha256(text) })
  expect((await begin(id)).followed?.hash).toBe(sha256(text))
})

test('an upstream with the same fault on every connection is requested less and less often', async () => {
  const bad = 'event: patch\ndata: [{"op":"remove","path":"/missing"}]\n\n'
  const stream = await register('sse')
  const run = await begin(stream.id)
  await followUntilFailed(run, `event: data\ndata: {"a":1}\n\n${bad}`, 3)
  const errors = (await logOf(stream.id)).filter(({ kind }) => kind === 'error')
  const waits = errors.map(({ at, data = '' }) => Date.parse(JSON.parse(data).nextRetryAt) - at)
  expect(waits).toEqual([1_000, 2_000, 4_000])
})

/** Polls three times; the clock jumps as this says, as it does while a process stands still. */
async function pollWithJumps(jumps: { afterMs?: number[]; duringMs?: number }, intervalMs: number) {
  const stream = await streams.register({ url: 'http://a.test/', kind: 'poll', intervalMs })
  const run = await begin(stream.id)
  const stop = new AbortController()
  let [skewMs, polls] = [0, 0]
  const log = logFor(run, ({ kind }) => {
    const jumpMs = jumps.afterMs?.[polls - 1] ?? 0
    // While it waits for the next poll.
    if (kind !== 'gap') setTimeout(() => (skewMs += jumpMs))
    return false
  })
  await followPoll(run, log, stop.signal, {
    limits: { ...LIMITS, requestTimeoutMs: 1_000 },
    hosts: new Hosts(),
    large,
    request: (asked) => asked,
    storedEvents: async () => new Map(),
    fetch: async () => {
      if (++polls === 2) skewMs += jumps.duringMs ?? 0
      if (polls === 4) stop.abort()
      return stop.signal.aborted ? Promise.reject(stop.signal.reason) : Response.json({ a: 1 })
    },
    now: () => Date.now() + skewMs,
    random: Math.random,
  })
  await recorder.settle(run)
  const gaps = (await logOf(stream.id)).filter(({ kind }) => kind === 'gap')
  return gaps.map(({ data = '' }) => {
    const { reason, from, to } = JSON.parse(data)
    return { reason, lastedMs: Date.parse(to) - Date.parse(from) }
  })
}

test.each([
  ['between two polls', { afterMs: [41_000] }],
  ['during a poll', { duringMs: 41_000 }],
])('polls that a process left out while it was frozen are recorded: %s', async (_, jumps) => {
  const gaps = await pollWithJumps(jumps, 50)
  expect(gaps.map(({ reason }) => reason)).toEqual(['not_polled'])
  expect(gaps[0]?.lastedMs).toBeGreaterThanOrEqual(41_000)
})

test('polls go on when the clock is set back', async () => {
  expect(await pollWithJumps({ afterMs: [-3_600_000], duringMs: -3_600_000 }, 50)).toEqual([])
})

test('a poll that is a few seconds late is no gap', async () => {
  expect(await pollWithJumps({ afterMs: [4_000, 3_000, 2_000], duringMs: 5_000 }, 50)).toEqual([])
})
