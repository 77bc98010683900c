import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { archiveDays, archives } from '../../drizzle/schema.ts'
import { archiveStream } from '../../src/archive/archive-stream.ts'
import { Bucket } from '../../src/archive/bucket.ts'
import { closesAt, mayDrop } from '../../src/archive/days.ts'
import { Patience } from '../../src/archive/patience.ts'
import { archiveWhenDue } from '../../src/archive/run.ts'
import type { EgressFetch } from '../../src/net/egress.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { s3Environment } from '../support/s3.ts'
import { holdTimers } from '../support/timers.ts'
import { type Bench, forgetArchive, never, openBench } from './support.ts'

const DAY = '2026-01-05'
const NOON = Date.parse(`${DAY}T12:00:00Z`)
const MINUTE_MS = 60_000
const SECRETS = { accessKeyId: 'key-of-mine', secretAccessKey: 'hush-of-mine' }
const SETTINGS = { ...SECRETS, endpoint: 'http://s3.test', bucket: 'weir', region: 'x', prefix: 'archive' }

let bench: Bench
let s3: MemoryS3

beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.close())
beforeEach(async () => {
  await forgetArchive(bench)
  s3 = new MemoryS3()
})

/** S3 as far as the archive needs it; a test may answer in its place. */
class MemoryS3 {
  readonly objects = new Map<string, Uint8Array<ArrayBuffer>>()
  /** Requests so far: the method, and what follows the bucket, without the signature. */
  readonly seen: string[] = []
  readonly inits: RequestInit[] = []
  readonly urls: URL[] = []
  meddle: (method: string, path: string) => Response | undefined = () => undefined

  readonly fetch: EgressFetch = async (text, init) => {
    const url = new URL(text)
    const part = ['uploads', 'partNumber', 'uploadId'].find((name) => url.searchParams.has(name))
    const method = init.method ?? 'GET'
    this.seen.push(`${method}${part ? ` ${part}` : ''}`)
    this.inits.push(init)
    this.urls.push(url)
    return this.meddle(method, part ?? '') ?? this.#answer(method, url.pathname, part, init)
  }

  #answer(method: string, key: string, part: string | undefined, { body, headers }: RequestInit): Response {
    if (part === 'uploads') return new Response('<UploadId>1</UploadId>')
    if (part !== undefined) return new Response('', { headers: { ETag: 'x' } })
    if (method === 'PUT') this.objects.set(key, new Uint8Array(body as Uint8Array<ArrayBuffer>))
    if (method === 'DELETE') this.objects.delete(key)
    if (method !== 'GET') return new Response('')
    const object = this.objects.get(key)
    if (object === undefined) return new Response('', { status: 404 })
    const range = /bytes=(\d+)-(\d+)/.exec(new Headers(headers).get('range') ?? '')
    if (range === null) return new Response(object)
    return new Response(object.slice(Number(range[1]), Number(range[2]) + 1), { status: 206 })
  }
}

const archive = (now = () => NOON + 86_400_000) =>
  bench.archive(s3Environment('http://s3.test'), { fetch: s3.fetch, now })
const said = (data: string, at = NOON): Draft => ({ at, kind: 'event', wireBytes: 1, bodyBytes: 1, data })

async function recorded(...data: string[]): Promise<string> {
  const id = await bench.register()
  await bench.record(
    id,
    data.map((each) => said(each)),
  )
  return id
}
const dayRow = async () => (await bench.db.select().from(archiveDays))[0]

test('an object that comes back with other bytes isn’t archived, and is tried four times', async () => {
  await recorded('one')
  let gets = 0
  s3.meddle = (method) => {
    if (method !== 'GET') return undefined
    gets++
    const [object] = [...s3.objects.values()] as [Uint8Array<ArrayBuffer>]
    return new Response(object.map((byte, at) => (at === 20 ? byte ^ 1 : byte)))
  }
  await archive().run(never)
  expect(await dayRow()).toMatchObject({ state: 'failed', errorCode: 'mismatch', streams: 0 })
  expect(await bench.db.$count(archives)).toBe(0)
  expect(gets).toBe(4)
  s3.meddle = (method) => (method === 'GET' ? new Response('short') : undefined)
  await archive().run(never)
  expect(await dayRow()).toMatchObject({ state: 'failed', errorCode: 'mismatch' })
})

test('a stream that two processes archive counts once', async () => {
  const id = await recorded('one')
  const own = archive()
  await own.run(never)
  expect(await dayRow()).toMatchObject({ state: 'done', streams: 1 })
  await bench.db.update(archiveDays).set({ state: 'running', cursor: id })
  const bucket = new Bucket(SETTINGS, { fetch: s3.fetch })
  const deps = { db: bench.db, bucket, reader: own.reader, now: Date.now, random: () => 0 }
  await archiveStream(deps, id, DAY, never)
  expect(await dayRow()).toMatchObject({ streams: 1 })
})

test('late entries are added to those that are archived; the old object goes once the new one is recorded', async () => {
  const id = await recorded('one', 'two')
  await archive().run(never)
  const [before] = await bench.db.select().from(archives)
  await bench.drop(DAY)
  await bench.record(id, [said('late')])
  expect(await mayDrop(bench.db, DAY)).toBe(false)
  s3.meddle = (method) => (method === 'DELETE' ? new Response('', { status: 403 }) : undefined)
  await archive().run(never)
  const [after] = await bench.db.select().from(archives)
  expect(after?.key).not.toBe(before?.key as string)
  expect(after).toMatchObject({ firstSeq: 1, lastSeq: 3 })
})

test('a day may be dropped once it is archived, or if it has nothing', async () => {
  expect(await mayDrop(bench.db, DAY)).toBe(true)
  await recorded('one')
  expect(await mayDrop(bench.db, DAY)).toBe(false)
  await archive().run(never)
  expect(await mayDrop(bench.db, DAY)).toBe(true)
  await bench.db.update(archiveDays).set({ state: 'running' })
  expect(await mayDrop(bench.db, DAY)).toBe(false)
})

test('a day closes ten minutes after midnight, and a failed one is tried again after a quarter of an hour', async () => {
  expect(closesAt(DAY)).toEqual(new Date('2026-01-06T00:10:00Z'))
  await recorded('one')
  const closed = closesAt(DAY).getTime()
  await archive(() => closed - 1).run(never)
  expect(await dayRow()).toBeUndefined()
  const isDue = async (now: number) => {
    let asked = 0
    await archiveWhenDue({ db: bench.db, now: () => now }, async () => void asked++)
    return asked === 1
  }
  expect([await isDue(closed - 1), await isDue(closed)]).toEqual([false, true])
  await bench.db
    .insert(archiveDays)
    .values({ day: DAY, state: 'failed', startedAt: new Date(closed), endedAt: new Date(closed) })
  expect([await isDue(closed + 15 * MINUTE_MS - 1), await isDue(closed + 15 * MINUTE_MS)]).toEqual([
    false,
    true,
  ])
})

test('all streams of a day are passed, however many', async () => {
  await bench.db.execute(sql`INSERT INTO weir.streams (id, name, kind, url, method, headers, interval_ms, payload_pointer,
      ignore_paths, array_keys, tags, notify, desired, created_at, updated_at)
    SELECT gen_random_uuid(), n, 'poll', 'http://a.test', 'GET', '{}', 1000, '', '{}', '{}', '{}', '{}', 'stopped', now(), now()
    FROM generate_series(1, 101) AS n`)
  await bench.db.execute(sql`INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq)
    SELECT id, ${new Date(NOON).toISOString()}::timestamptz, 1, 1 FROM weir.streams`)
  await archive().run(never)
  const { rows } = (await bench.db.execute(sql`SELECT max(id::text) AS last FROM weir.streams`)) as {
    rows: { last: string }[]
  }
  expect(await dayRow()).toMatchObject({ state: 'done', cursor: rows[0]?.last })
})

test('objects of removed streams are deleted', async () => {
  const id = await recorded('one')
  await archive().run(never)
  expect(s3.objects.size).toBe(1)
  await bench.streams.remove(id)
  await archive().run(never)
  expect([s3.objects.size, await bench.db.$count(archives)]).toEqual([0, 0])
})

test('a signed URL lasts a quarter of an hour, redirects aren’t followed, and errors hold no keys', async () => {
  s3.meddle = () => {
    const message = `No ${SECRETS.secretAccessKey} for ${SECRETS.accessKeyId}`
    return new Response(`<Error><Code>Odd</Code><Message>${message}</Message></Error>`, { status: 500 })
  }
  const bucket = new Bucket(SETTINGS, { fetch: s3.fetch })
  const error = await bucket.remove('archive/a', never).catch((reason: Error) => reason.message)
  expect(error).toContain('No ••• for •••')
  expect(s3.urls[0]?.searchParams.get('X-Amz-Expires')).toBe('900')
  expect(s3.inits[0]?.redirect).toBe('manual')
})

test('an upload that isn’t completed counts as failed, and is abandoned', async () => {
  const bucket = new Bucket(SETTINGS, { fetch: s3.fetch })
  async function* chunks() {
    yield new Uint8Array(9_000_000)
  }
  await bucket.write('archive/a', chunks(), never)
  expect(s3.seen.splice(0)).toEqual(['POST uploads', 'PUT partNumber', 'POST uploadId'])
  s3.meddle = (method, part) =>
    method === 'POST' && part === 'uploadId'
      ? new Response('<Error><Code>InternalError</Code></Error>')
      : undefined
  await expect(bucket.write('archive/a', chunks(), never)).rejects.toMatchObject({ code: 'failed' })
  expect(s3.seen).toEqual(['POST uploads', 'PUT partNumber', 'POST uploadId', 'DELETE uploadId'])
})

test('each chunk may take as long as the first', async () => {
  using timers = holdTimers()
  const patience = new Patience(60_000, never)
  const [first] = timers.set()
  expect(first?.ms).toBe(60_000)
  const body = new ReadableStream<Uint8Array>(
    { pull: (controller) => controller.enqueue(new Uint8Array(1)) },
    { highWaterMark: 0 },
  )
  const reader = patience.watch(body).getReader()
  await reader.read()
  await reader.read()
  expect(timers.set()).toHaveLength(1)
  expect(timers.set()[0]).not.toBe(first)
  timers.set()[0]?.fire()
  expect(patience.signal.reason).toMatchObject({ name: 'TimeoutError' })
  await reader.cancel()
  expect(timers.set()).toEqual([])
})

test('a block without its last entry is damaged', async () => {
  const id = await recorded('one', 'two')
  const own = archive()
  await own.run(never)
  await bench.drop(DAY)
  const [row] = await bench.db.select().from(archives)
  const blocks = row?.blocks.map((block) => ({ ...block, lastSeq: 3 }))
  await bench.db.update(archives).set({ lastSeq: 3, blocks })
  await expect(Array.fromAsync(own.reader.entries(id, {}))).rejects.toMatchObject({ code: 'damaged' })
})
