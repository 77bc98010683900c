import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { asc } from 'drizzle-orm'
import { archiveDays, archives } from '../../drizzle/schema.ts'
import { mayDrop } from '../../src/archive/days.ts'
import type { ArchiveErrorCode } from '../../src/archive/errors.ts'
import { Problem } from '../../src/errors.ts'
import { seeded } from '../core/seeded.ts'
import { type Front, KEY, objectsOf, type S3, s3Environment, startFront, startS3 } from '../support/s3.ts'
import { type Bench, DAYS, forgetArchive, never, oddDrafts, openBench } from './support.ts'

const random = seeded('faults.test.ts')
/** Short, so that what hangs is given up soon. */
const TIMEOUT_MS = 400
const XML = { 'Content-Type': 'application/xml' }

let bench: Bench
let s3: S3
let front: Front

beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.close())
beforeEach(async () => {
  await front?.stop()
  await s3?.stop()
  await forgetArchive(bench)
  s3 = await startS3()
  front = startFront(s3)
})
afterAll(async () => {
  await front.stop()
  await s3.stop()
})

const recorded = async (count = 40) => {
  const id = await bench.register()
  await bench.record(id, oddDrafts(random, count))
  return id
}
const rows = () => bench.db.select().from(archives)
const days = () => bench.db.select().from(archiveDays).orderBy(asc(archiveDays.day))
const archiveOn = (environment: Record<string, string> = {}, timeoutMs?: number) =>
  bench.archive({ ...s3Environment(front.url), ...environment }, { timeoutMs })
const isWrite = ({ method }: Request) => method === 'PUT' || method === 'POST'
const refused = (status: number, code?: string) => () =>
  new Response(code && `<Error><Code>${code}</Code><Message>Because ${KEY} said so</Message></Error>`, {
    status,
    headers: XML,
  })

interface Fault {
  what: string
  code: ArchiveErrorCode
  says: RegExp
  /** Requests until it is given up: one where trying again can't help. */
  attempts?: number
  environment?: Record<string, string>
  meddle?: Front['meddle']
}

const FAULTS: readonly Fault[] = [
  {
    what: 'a missing bucket',
    code: 'no_bucket',
    says: /S3_BUCKET/,
    environment: { S3_BUCKET: 'nobody-made-it' },
  },
  {
    what: 'an unknown key',
    code: 'bad_keys',
    says: /S3_ACCESS_KEY_ID/,
    environment: { S3_ACCESS_KEY_ID: 'who' },
  },
  {
    what: 'a wrong secret',
    code: 'bad_keys',
    says: /S3_SECRET/,
    environment: { S3_SECRET_ACCESS_KEY: 'hush-hush' },
  },
  {
    what: 'a bucket that forbids writing',
    code: 'forbidden',
    says: /put, get and delete/,
    attempts: 1,
    meddle: (request) => (isWrite(request) ? refused(403, 'AccessDenied')() : 'pass'),
  },
  { what: 'a bucket that forbids it without a word', code: 'forbidden', says: /403/, meddle: refused(403) },
  {
    what: 'a bucket that may be written and not read',
    code: 'forbidden',
    says: /put, get and delete/,
    attempts: 2,
    meddle: ({ method }) => (method === 'GET' ? refused(403, 'AccessDenied')() : 'pass'),
  },
  { what: 'a full disk', code: 'full', says: /full\..*507/, attempts: 1, meddle: refused(507) },
  { what: 'a full quota', code: 'full', says: /bucket is full/, meddle: refused(400, 'QuotaExceeded') },
  {
    what: 'a clock that is wrong',
    code: 'clock',
    says: /clock/,
    meddle: refused(403, 'RequestTimeTooSkewed'),
  },
  { what: 'an endpoint that hangs', code: 'timeout', says: /too long/, attempts: 4, meddle: () => 'hang' },
  {
    what: 'an endpoint that hangs when it is read back',
    code: 'timeout',
    says: /too long/,
    attempts: 8,
    meddle: ({ method }) => (method === 'GET' ? 'hang' : 'pass'),
  },
  { what: 'a service that fails', code: 'failed', says: /500/, attempts: 4, meddle: refused(500) },
  {
    what: 'an object that comes back shorter',
    code: 'mismatch',
    says: /read back doesn.t match/,
    attempts: 8,
    meddle: ({ method }) => (method === 'GET' ? new Response('short') : 'pass'),
  },
  { what: 'a redirect', code: 'failed', says: /307/, attempts: 4, meddle: refused(307) },
  {
    what: 'an endpoint that nobody listens on',
    code: 'unreachable',
    says: /S3_ENDPOINT/,
    environment: { S3_ENDPOINT: 'http://127.0.0.1:1' },
  },
]

test.each(FAULTS)(
  '$what: the day says so, nothing counts as archived, and recording goes on',
  async (fault) => {
    const { code, says, attempts = 0, environment, meddle } = fault
    const id = await recorded()
    if (meddle !== undefined) front.meddle = meddle
    const archive = archiveOn(environment, TIMEOUT_MS)
    const running = archive.run(never)
    await bench.record(id, oddDrafts(random, 5, ['2026-01-07']))
    await running
    expect((await bench.log(id)).length).toBe(45)
    const [day, ...others] = await days()
    expect(others).toEqual([])
    expect(day).toMatchObject({ day: DAYS[0], state: 'failed', errorCode: code })
    expect(day?.error).toMatch(says)
    expect(day?.error).not.toMatch(/S3RVER|hush-hush/)
    expect(await rows()).toEqual([])
    expect(await mayDrop(bench.db, DAYS[0])).toBe(false)
    if (attempts > 0) expect(front.seen.length).toBe(attempts)
    front.meddle = () => 'pass'
    await archiveOn().run(never)
    expect((await days()).map(({ state, error }) => [state, error])).toEqual([
      ['done', null],
      ['done', null],
    ])
    expect(await mayDrop(bench.db, DAYS[0])).toBe(true)
  },
)

test('a bucket that fills up keeps what it has, and the next run continues there', async () => {
  const ids = [await recorded(), await recorded(), await recorded()].sort()
  front.meddle = (request) =>
    request.method === 'PUT' && !request.url.includes(ids[0] as string) ? refused(507)() : 'pass'
  await archiveOn().run(never)
  expect((await days())[0]).toMatchObject({ state: 'failed', errorCode: 'full', streams: 1, cursor: ids[0] })
  expect((await rows()).map(({ streamId }) => streamId)).toEqual([ids[0] as string])
  front.meddle = () => 'pass'
  front.seen.length = 0
  await archiveOn().run(never)
  expect(front.seen.filter((request) => request.startsWith('PUT')).length).toBe(5)
  expect((await days()).map(({ state, streams }) => [state, streams])).toEqual([
    ['done', 3],
    ['done', 3],
  ])
})

test.each([
  ['full', 507, /bucket is full/],
  ['forbidden', 403, /put, get and delete/],
] as const)(
  'an upload in parts that ends as %s says so, and leaves no object',
  async (code, status, says) => {
    const id = await bench.register()
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(90_000))).toString('base64')
    const at = Date.parse(`${DAYS[0]}T10:00:00Z`)
    const sizes = { wireBytes: 1, bodyBytes: 1 }
    await bench.record(
      id,
      Array.from({ length: 150 }, () => ({ at, kind: 'event', ...sizes, data: noise() }) as const),
    )
    front.meddle = ({ url }, seen) => (url.includes('partNumber=2') || seen > 5 ? refused(status)() : 'pass')
    await archiveOn().run(never)
    expect((await days())[0]).toMatchObject({ state: 'failed', errorCode: code })
    expect((await days())[0]?.error).toMatch(says)
    expect(await objectsOf(s3)).toEqual([])
    expect(await rows()).toEqual([])
  },
)

test('a failed day waits before it is retried automatically; people may retry at once', async () => {
  await recorded()
  let now = Date.parse('2026-01-08T00:00:00Z')
  let asked = 0
  const runLater = async () => void asked++
  const archive = bench.archive(s3Environment(front.url), { now: () => now, runLater })
  await archive.runWhenDue()
  expect(asked).toBe(1)
  front.meddle = refused(403)
  await archive.run(never)
  await archive.runWhenDue()
  expect(asked).toBe(1)
  now += 15 * 60_000
  await archive.runWhenDue()
  expect(asked).toBe(2)
  front.meddle = () => 'pass'
  await archive.run(never)
  await archive.runWhenDue()
  expect(asked).toBe(2)
})

test('data that can’t be read any more is reported as an error, not left out', async () => {
  const id = await recorded()
  const archive = archiveOn({}, TIMEOUT_MS)
  await archive.run(never)
  await bench.drop(DAYS[0])
  const read = async (from: typeof archive) =>
    Array.fromAsync(from.reader.entries(id, {})).catch((error) => error)
  front.meddle = () => 'hang'
  expect(await read(archive)).toMatchObject({
    code: 'unavailable',
    detail: expect.stringMatching(/1 to 20 .*too long/),
  })
  expect(await read(bench.archive({}))).toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining('S3'),
  })
  front.meddle = ({ method }) => (method === 'GET' ? new Response('no gzip', { status: 206 }) : 'pass')
  expect(await read(archive)).toMatchObject({ code: 'damaged' })
  front.meddle = () => 'pass'
  expect((await read(archive)).length).toBe(20)
  for (const key of await objectsOf(s3)) {
    await new Bun.S3Client({ endpoint: s3.url, accessKeyId: KEY, secretAccessKey: KEY }).delete(key, {
      bucket: s3.environment.S3_BUCKET,
    })
  }
  const gone = await read(archiveOn())
  expect(gone).toBeInstanceOf(Problem)
  expect(gone).toMatchObject({ code: 'damaged', detail: expect.stringContaining('missing from the bucket') })
})

test('a bucket test writes, reads and deletes a small object, and reports the result without secrets', async () => {
  const steps = await archiveOn().try(never)
  expect(
    steps.map(({ step, isOk, request, response }) => [step, isOk, request.method, response?.status]),
  ).toEqual([
    ['write', true, 'PUT', 200],
    ['read', true, 'GET', 200],
    ['delete', true, 'DELETE', 204],
  ])
  expect(await objectsOf(s3)).toEqual([])
  front.meddle = ({ method }) => (method === 'GET' ? refused(403, 'AccessDenied')() : 'pass')
  const half = await archiveOn().try(never)
  expect(half.map(({ isOk, error }) => [isOk, error?.code])).toEqual([
    [true, undefined],
    [false, 'forbidden'],
    [true, undefined],
  ])
  front.meddle = () => 'hang'
  const hung = await archiveOn({ S3_SECRET_ACCESS_KEY: 'hush-hush' }, TIMEOUT_MS).try(never)
  expect(hung).toMatchObject([{ step: 'write', isOk: false, response: null, error: { code: 'timeout' } }])
  for (const told of [steps, half, hung]) {
    expect(JSON.stringify(told)).not.toMatch(/S3RVER|hush-hush|X-Amz-(Signature|Credential)/i)
  }
})

test('reads in progress end when the archive is closed', async () => {
  const id = await recorded()
  await archiveOn().run(never)
  await bench.drop(DAYS[0])
  const archive = bench.archive(s3Environment(front.url))
  front.meddle = () => 'hang'
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  front.meddle = () => {
    resolve()
    return 'hang'
  }
  const reading = Array.fromAsync(archive.reader.entries(id, {})).catch((error) => error.name)
  await asked
  archive.close()
  expect(await reading).toBe('AbortError')
})
