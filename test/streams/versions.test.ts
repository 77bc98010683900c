import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { and, eq, lt } from 'drizzle-orm'
import { Elysia } from 'elysia'
import { bodies, checkpoints, entries, longRollups, rollups } from '../../drizzle/schema.ts'
import { canonicalJson, hashDocument, type Json, sha256 } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { Problem } from '../../src/errors.ts'
import { documentRoutes } from '../../src/routes/documents/documents.tsx'
import { requestParts } from '../../src/routes/http/part.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  documentOf,
  versionAt,
  versionBefore,
  versionChangeBetween,
} from '../../src/streams/documents/documents.ts'
import { type ReadVersions, type Version, versionsIn } from '../../src/streams/documents/versions.ts'
import { advance, afterKeyframe, keyframeDraft } from '../../src/streams/ingest/follow-document.ts'
import type { Followed, Stream } from '../../src/streams/ingest/run.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { ODD_KEYS, RandomDocuments } from '../core/random-documents.ts'
import { integer, seeded } from '../core/seeded.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const random = seeded('versions.test.ts')
const documents = new RandomDocuments(random, ODD_KEYS)
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
const FIRST_MS = Date.UTC(2026, 0, 5)
/** Time between two entries: minutes of one, of several, and of none. */
const STEP_MS = 25_000

type Row = typeof entries.$inferInsert

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let streams: Streams
    let read: ReadVersions

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-versions-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      const control = { runLater: async () => {} }
      streams = new Streams({ db: storage.db, control, bus: testBus(), limits: LIMITS })
      read = versionsIn(storage.db)
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    /** A stream whose log holds these documents as a poll would store them, and where each of its entries stands. */
    async function recorded(made: readonly Json[], most = 2): Promise<{ stream: Stream; log: Recorded[] }> {
      const { id } = await streams.register({ url: 'http://a.test/', kind: 'poll', start: false })
      const log = logOf(id, made, most)
      const { db } = storage
      for (let at = 0; at < log.length; at += 500) {
        await db.insert(entries).values(log.slice(at, at + 500).map(({ row }) => row))
      }
      await db.insert(rollups).values(rollupsOf(log.map(({ row }) => row)))
      await db.update(checkpoints).set({ seq: log.length }).where(eq(checkpoints.streamId, id))
      return { stream: await streams.get(id), log }
    }

    const set = (streamId: string, seq: number, values: Partial<Row>) =>
      storage.db
        .update(entries)
        .set(values)
        .where(and(eq(entries.streamId, streamId), eq(entries.seq, seq)))

    test('after any changes, each entry and each instant gives its document', async () => {
      const made: Json[] = [documents.document()]
      while (made.length < 100) made.push(parseJson(stringifyJson(documents.change(made.at(-1) as Json))))
      const { stream, log } = await recorded(made)
      expect(new Set(log.map(({ row }) => row.kind))).toEqual(new Set(['exchange', 'snapshot', 'patch']))
      for (const { row, document } of log) {
        const moments = [{ seq: row.seq }, { at: row.at }, { at: new Date(row.at.getTime() + STEP_MS - 1) }]
        for (const moment of moments) {
          const known = await documentOf(read, stream, await versionAt(read, stream, moment))
          expect(canonicalJson(known.document)).toBe(canonicalJson(document))
          expect(canonicalJson(parseJson(known.text))).toBe(canonicalJson(document))
          expect(known.seq).toBeLessThanOrEqual(row.seq)
        }
      }
      for (let pair = 0; pair < 60; pair++) {
        const [from, to] = [pickFrom(log), pickFrom(log)]
        const [earlier, later] = [
          await versionAt(read, stream, from.row),
          await versionAt(read, stream, to.row),
        ]
        const { operations } = await versionChangeBetween(read, stream, earlier, later)
        expect(hashDocument(patch(from.document, operations))).toBe(hashDocument(to.document))
      }
    }, 120_000)

    test('a rebuild reads one snapshot and the patches after it, and nothing else', async () => {
      const text = 'x'.repeat(20_000)
      const { stream, log } = await recorded(Array.from({ length: 450 }, (_, n) => ({ n, text })))
      const keyframes = log.filter(({ row }) => row.kind === 'snapshot' && row.bodyBytes === 0)
      expect(keyframes.length).toBe(2)
      const rows: Version[] = []
      const counting: ReadVersions = async (...query) => {
        const found = await read(...query)
        if (query[1].maxDataBytes === undefined) rows.push(...found)
        return found
      }
      const last = log.at(-1) as Recorded
      const { document } = await documentOf(counting, stream, await versionAt(counting, stream, 'now'))
      expect(document).toEqual(last.document)
      const from = keyframes[1]?.row.seq as number
      const patches = log.filter(({ row }) => row.kind === 'patch' && row.seq > from)
      expect(rows.map(({ seq }) => seq)).toEqual([from, ...patches.map(({ row }) => row.seq)])
    })

    test('no patch is skipped at a page boundary of a chain', async () => {
      const text = 'x'.repeat(20_000)
      const numbers = Array.from({ length: 120 }, (_, n) => n)
      const made = numbers.map((n) => ({ text, list: numbers.slice(0, n) }))
      const { stream, log } = await recorded(made, 0)
      for (const { row, document } of log.slice(45)) {
        const known = await documentOf(read, stream, await versionAt(read, stream, row))
        expect(known.document).toEqual(document)
      }
    })

    test('a keyframe belongs to the version before it', async () => {
      const text = 'x'.repeat(20_000)
      const { stream, log } = await recorded(Array.from({ length: 210 }, (_, n) => ({ n, text })))
      const keyframe = log.findIndex(({ row }) => row.kind === 'snapshot' && row.bodyBytes === 0)
      const [patched, kept] = [log[keyframe - 1] as Recorded, log[keyframe] as Recorded]
      const version = await versionAt(read, stream, kept.row)
      expect(version).toMatchObject({ seq: patched.row.seq, kind: 'patch' })
      const { items } = await get(`/api/streams/${stream.id}/versions?limit=500`)
      expect(items.length).toBe(210)
      expect((await versionBefore(read, stream, { seq: kept.row.seq + 1 }))?.seq).toBe(patched.row.seq)
    })

    const get = async (path: string) => {
      const routes = documentRoutes({ db: storage.db, streams })
      const app = new Elysia().use(requestParts()).use(routes)
      return (await app.handle(new Request(`http://weir.test${path}`))).json() as Promise<{
        items: unknown[]
      }>
    }

    test.each<[string, Partial<Row>]>([
      ['leads elsewhere', { data: '[{"op":"replace","path":"/n","value":-1}]' }],
      ['fits nothing', { data: '[{"op":"remove","path":"/missing"}]' }],
      ['is no patch', { data: '{"n":1}' }],
      ['is cut off', { data: '[{"op":"rep' }],
      ['is gone', { data: null }],
      ['carries another hash', { hash: '0'.repeat(64) }],
    ])(
      'a stored patch that %s is reported with its entry, and no document is invented',
      async (_what, damage) => {
        const text = 'x'.repeat(20_000)
        const { stream, log } = await recorded(Array.from({ length: 120 }, (_, n) => ({ n, text })))
        const made = log.filter(({ row }) => row.kind !== 'exchange')
        const bad = made[70]?.row.seq as number
        await set(stream.id, bad, damage)
        const at = async (seq: number) => documentOf(read, stream, await versionAt(read, stream, { seq }))
        const caught = await at(bad).catch((error) => error)
        expect(caught).toBeInstanceOf(Problem)
        expect(caught).toMatchObject({ code: 'damaged', detail: expect.stringContaining(`Entry ${bad} `) })
        expect((await at(bad - 1)).document).toEqual({ n: 69, text })
      },
    )

    test('damage in the middle is reported with its entry', async () => {
      const text = 'x'.repeat(20_000)
      const { stream, log } = await recorded(Array.from({ length: 120 }, (_, n) => ({ n, m: n, text })))
      const made = log.filter(({ row }) => row.kind !== 'exchange')
      const bad = made[60]?.row.seq as number
      await set(stream.id, bad, { data: '[{"op":"add","path":"/more","value":1}]' })
      const last = documentOf(read, stream, await versionAt(read, stream, 'now'))
      expect(await last.catch((error) => error.detail)).toContain(`Entry ${bad} `)
    })

    test('content among the bodies of its day is read from there', async () => {
      const { stream, log } = await recorded([{ n: 1 }, { n: 2, m: 1 }, { n: 3 }])
      for (const { row } of log.filter(({ row }) => row.data != null)) {
        const [day, data] = [row.at.toISOString().slice(0, 10), row.data as string]
        const bodyKey = sha256(data)
        await storage.db.insert(bodies).values({ day, key: bodyKey, data }).onConflictDoNothing()
        await set(stream.id, row.seq, { data: null, bodyKey })
      }
      for (const { row, document } of log) {
        const known = await documentOf(read, stream, await versionAt(read, stream, row))
        expect(known.document).toEqual(document)
      }
    })

    test('once minutes are dropped, hours and days locate a time', async () => {
      const { stream, log } = await recorded(Array.from({ length: 300 }, (_, n) => ({ n })))
      const { db } = storage
      const kept = new Date(log[250]?.row.at as Date)
      await db.delete(rollups).where(and(eq(rollups.streamId, stream.id), lt(rollups.minute, kept)))
      await db.insert(longRollups).values([...longRollupsOf(log, 'hour'), ...longRollupsOf(log, 'day')])
      for (const { row, document } of log) {
        const known = await documentOf(read, stream, await versionAt(read, stream, { at: row.at }))
        expect(known.document).toEqual(document)
      }
    })

    test('versions may come from elsewhere', async () => {
      const { stream, log } = await recorded([{ n: 1 }])
      const [entry] = log
      const elsewhere: ReadVersions = async (_id, { limit }) =>
        (await read(stream.id, { limit })).map((version) => ({
          ...version,
          data: '{"n":2}',
          hash: hashDocument({ n: 2 }),
        }))
      const known = await documentOf(elsewhere, stream, await versionAt(elsewhere, stream, 'now'))
      expect(known).toMatchObject({ seq: entry?.row.seq, text: '{"n":2}' })
    })
  })
})

interface Recorded {
  row: Row
  /** The document as of this entry. */
  document: Json
}

/** Log entries as a poll makes them, with up to `most` polls after each that found nothing new. */
function logOf(streamId: string, made: readonly Json[], most: number): Recorded[] {
  const log: Recorded[] = []
  let last: Followed | undefined
  for (const document of made) {
    const put = (row: Pick<Row, 'kind' | 'hash' | 'data' | 'bodyBytes'>) => {
      const seq = log.length + 1
      const at = new Date(FIRST_MS + seq * STEP_MS)
      log.push({ row: { ...row, streamId, seq, at, epoch: 1, wireBytes: 0 }, document })
    }
    const step = advance(last, document, [])
    last = step.followed
    const { hash } = last
    if (step.changed) put({ kind: step.kind, hash, data: step.data, bodyBytes: 1 })
    const keyframe = keyframeDraft(0, step)
    if (keyframe !== undefined) {
      put({ kind: 'snapshot', hash, data: keyframe.data, bodyBytes: 0 })
      last = afterKeyframe(last)
    }
    for (let same = integer(random, most + 1); same > 0; same--) put({ kind: 'exchange', bodyBytes: 1 })
  }
  return log
}

function rollupsOf(rows: readonly Row[]) {
  const minutes = new Map<number, typeof rollups.$inferInsert>()
  for (const { streamId, seq, at } of rows) {
    const minute = Math.floor(at.getTime() / 60_000) * 60_000
    const { firstSeq = seq } = minutes.get(minute) ?? {}
    minutes.set(minute, { streamId, minute: new Date(minute), firstSeq, lastSeq: seq })
  }
  return [...minutes.values()]
}

function longRollupsOf(log: readonly Recorded[], step: 'hour' | 'day') {
  const stepMs = step === 'hour' ? 3_600_000 : 86_400_000
  const spans = new Map<number, typeof longRollups.$inferInsert>()
  for (const { row } of log) {
    const start = Math.floor(row.at.getTime() / stepMs) * stepMs
    const { firstSeq = row.seq } = spans.get(start) ?? {}
    spans.set(start, { streamId: row.streamId, step, at: new Date(start), firstSeq, lastSeq: row.seq })
  }
  return [...spans.values()]
}

function pickFrom(log: readonly Recorded[]): Recorded {
  return log[integer(random, log.length)] as Recorded
}
