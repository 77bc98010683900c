import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Storage } from '../../src/storage/storage.ts'
import { EventReader } from '../../src/streams/ingest/connection/event-reader.ts'
import type { FollowDeps } from '../../src/streams/ingest/follow.ts'
import { FOLLOWERS } from '../../src/streams/ingest/followers.ts'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import type { Run, RunLog } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const LIMITS = { requestTimeoutMs: 10_000, maxBodyBytes: 100_000, silenceMs: 60_000 }
/** Long before or after anything that happens in a test, in milliseconds. */
const LONG_MS = 3_600_000

let directory: string
let storage: Storage
let streams: Streams
const large = new LargeDocuments()

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-gaps-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const control = { runLater: async () => {} }
  streams = new Streams({ db: storage.db, control, bus: testBus(), limits: LIMITS })
})

afterAll(async () => {
  large.close()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

async function begin(kind: 'sse' | 'poll', times = 1): Promise<Run> {
  const { id } = await streams.register({ url: 'http://a.test/', kind, intervalMs: 50 })
  const runs = runStore(storage.db, 'tester', testBus(), large)
  let run: Run | undefined
  for (let time = 0; time < times; time++)
    run = await runs.begin({ streamId: id, attempt: 1, takeOver: true })
  return run as Run
}

/** Follows a run until a gap is recorded. Every connection sends these pieces of text, one at a time, and ends. */
async function firstGap(run: Run, pieces: readonly string[], more: Partial<FollowDeps> = {}) {
  const stop = new AbortController()
  const gap = Promise.withResolvers<{ from: string; to: string }>()
  const log: RunLog = {
    append: ({ kind, data = '' }: Draft) => {
      run.checkpoint = { ...run.checkpoint, seq: run.checkpoint.seq + 1 }
      if (kind === 'gap') gap.resolve(JSON.parse(data))
      return true
    },
    durable: async () => {},
    seen: () => {},
    turned: () => {},
    stands: () => {},
  }
  const ended = FOLLOWERS[run.stream.kind](run, log, stop.signal, {
    limits: LIMITS,
    hosts: new Hosts(),
    large,
    request: (asked) => asked,
    storedEvents: async () => new Map(),
    fetch: async () => (run.stream.kind === 'poll' ? Response.json({}) : eventStream(pieces)),
    now: Date.now,
    random: () => 0,
    ...more,
  })
  const { from, to } = await gap.promise
  stop.abort()
  await ended
  return { from: Date.parse(from), to: Date.parse(to) }
}

function eventStream(pieces: readonly string[]): Response {
  const left = [...pieces]
  const body = new ReadableStream({
    pull: (controller) => {
      const piece = left.shift()
      if (piece === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(piece))
    },
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

test.each(['poll', 'sse'] as const)(
  'a run begins soon, also if the clock of the one before was ahead: %s',
  async (kind) => {
    const run = await begin(kind)
    const future = Date.now() + LONG_MS
    const lastError = { code: 'unreachable', message: 'Down.', at: future }
    Object.assign(run.evidence, {
      lastPollAt: future,
      nextRetryAt: future + 20,
      lastByteAt: future,
      lastError,
    })
    run.checkpoint.seq = 1
    const { from, to } = await firstGap(run, ['data: 1\n\n'])
    expect(to).toBeLessThan(future)
    expect(from).toBeLessThanOrEqual(to)
  },
)

test('a gap begins when the process froze: what it read afterward may have been sent then', async () => {
  const run = await begin('sse')
  const startedAt = Date.now()
  const { from } = await firstGap(run, ['retry: 1\n\n', 'data: 1\n\n'], { pulse: { lagMs: LONG_MS } })
  expect(from).toBeLessThanOrEqual(startedAt - LONG_MS + 10_000)
})

test('data after a wait may have been held up, and so may what follows it', async () => {
  const run = await begin('sse')
  const startedAt = Date.now()
  let elapsedMs = 0
  const clock = spyOn(performance, 'now').mockImplementation(() => elapsedMs)
  const log = {
    append: () => true,
    durable: async () => {},
    seen: () => {},
    stands: () => {},
    turned: () => {},
  }
  const deps = {
    ...{ now: () => startedAt + elapsedMs, storedEvents: async () => new Map(), large, limits: LIMITS },
  }
  const reader = new EventReader(run, log, deps, new AbortController().signal)
  reader.connected(undefined)
  const heard = (afterMs: number) => {
    elapsedMs += afterMs
    reader.chunk(10)
    reader.heard()
    return (run.evidence.heardAt ?? 0) - startedAt
  }
  const heardAt = [500, 500, 1_500, 900, 900, 20_000, 100, 500, 19_000, 2, 70_000].map(heard)
  clock.mockRestore()
  expect(heardAt).toEqual([500, 1_000, 1_000, 1_000, 4_300, 4_300, 4_300, 4_300, 24_900, 24_900, 43_902])
})

test('a gap begins before an event that was cut off', async () => {
  const run = await begin('sse')
  let readings = 0
  const now = () => Date.now() + ++readings
  const pieces = ['retry: 1\n\ndata: 1\n\n', 'data: 2']
  const read: number[] = []
  const pulse = {
    get lagMs() {
      read.push(Date.now() + readings)
      return 0
    },
  }
  const { from } = await firstGap(run, pieces, { now, pulse })
  expect(from).toBeLessThanOrEqual(read[0] as number)
  expect(from).toBeLessThan(read[1] as number)
})

test('a run that ended before it stored anything may have received events', async () => {
  const run = await begin('sse', 2)
  expect(run.checkpoint.seq).toBe(0)
  const { from } = await firstGap(run, ['data: 1\n\n'])
  expect(from).toBe(run.stream.createdAt.getTime())
})
