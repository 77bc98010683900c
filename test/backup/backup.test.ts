import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { restoreFile } from '../../src/backup/restore-file.ts'
import { openAsItIs } from '../../src/storage/open.ts'
import { spawnCli } from '../cli/support.ts'
import { fillDataDir } from '../support/data-dir.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { sharedDatabase } from '../support/shared/client.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const NOW = { force: false, now: Date.now }
/** Entries that the log has before the backup begins: several pages of a read. */
const EVENTS = 2_100
/** Larger than what is kept with its entry. */
const LARGE = 'ä"\\\u{1f600}'.repeat(4_000)

const postgresSetup = SETUPS.find(({ name }) => name === 'Postgres') as (typeof SETUPS)[number]

describe.skipIf(isSkipped(postgresSetup))('a backup of a Weir that records', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-backup-'))
  let upstream: Upstream
  let version = 0
  const weirs: TestWeir[] = []

  beforeAll(async () => {
    upstream = startUpstream()
    upstream.on('/document', () => Response.json({ version: version++, text: LARGE, exact: '@' }))
    // Each connection goes on behind the last event that Weir says it has.
    upstream.on('/events', (request) => events(Number(request.headers.get('last-event-id') ?? 0)))
  })
  afterAll(async () => {
    for (const weir of weirs) await weir.close()
    await upstream.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('goes from the embedded database to Postgres and back, and every stream continues', async () => {
    const file = join(directory, 'first.ndjson.gz')
    const embedded = await startTestWeir()
    weirs.push(embedded)
    const [streamId, pollId] = await twoStreams(embedded)
    const channel = { name: 'On call', kind: 'ntfy', config: { url: `${upstream.url}/on-call` } }
    expect((await embedded.send('POST', '/api/channels', channel)).status).toBe(201)
    const before = await lastSeq(embedded, streamId)
    expect(await backup(embedded, file)).toMatchObject({ code: 0, err: '' })
    const after = await lastSeq(embedded, streamId)
    expect(after).toBeGreaterThan(before)

    const { url: databaseUrl } = await sharedDatabase({ engine: 'postgres', isEmpty: true })
    const { header } = await restoreFile(file, { databaseUrl, redisUrl: undefined, dataDir: '' }, NOW)
    expect(header.streams).toBe(2)
    expect(await same(embedded, { databaseUrl, dataDir: '' }, streamId, before)).toBeLessThanOrEqual(after)
    await embedded.close()

    const onPostgres = await startTestWeir({ DATABASE_URL: databaseUrl })
    weirs.push(onPostgres)
    await goesOn(onPostgres, streamId, pollId)
    const second = join(directory, 'second.ndjson.gz')
    expect(await backup(onPostgres, second)).toMatchObject({ code: 0, err: '' })
    const dataDir = join(directory, 'restored')
    await fillDataDir(dataDir)
    await restoreFile(second, { databaseUrl: undefined, redisUrl: undefined, dataDir }, NOW)
    await onPostgres.close()

    const again = await startTestWeir({ DATA_DIR: dataDir })
    weirs.push(again)
    await goesOn(again, streamId, pollId)
    expect((await again.json<{ items: unknown[] }>('/api/channels')).items).toHaveLength(1)
    await again.close()
    // What was put aside while a backup was taken is gone.
    expect(readdirSync(dataDir).sort()).toEqual(['database', 'lock.sqlite', 'postgres.password'])
  })

  test('is refused if it is truncated, altered, not from Weir, or would replace data', async () => {
    const whole = await Bun.file(join(directory, 'first.ndjson.gz')).bytes()
    const text = gunzipSync(whole)
    const changed = new TextDecoder().decode(text).replace('"On call"', '"Off call"')
    const lines = new TextDecoder().decode(text).split('\n')
    const cases: [string | Uint8Array, RegExp][] = [
      [whole.subarray(0, whole.length - 200), /is incomplete/],
      [Bun.gzipSync(lines.slice(0, -2).join('\n').concat('\n')), /is incomplete/],
      [Bun.gzipSync(changed), /damaged/],
      [Bun.gzipSync('{"name": "something else"}\n'), /not a Weir backup/],
      ['plain text', /gzip/],
      [
        Bun.gzipSync(`${lines[0]?.replace(/"schema":\d+/, '"schema":1')}\n`),
        /schema this version doesn't support/,
      ],
    ]
    const { url: databaseUrl } = await sharedDatabase({ engine: 'postgres', isEmpty: true })
    for (const [index, [contents, says]] of cases.entries()) {
      const file = join(directory, `refused-${index}`)
      await Bun.write(file, contents as Uint8Array<ArrayBuffer>)
      const refused = restoreFile(file, { databaseUrl, redisUrl: undefined, dataDir: '' }, NOW)
      await expect(refused).rejects.toThrow(says)
    }
    const target = { DATABASE_URL: databaseUrl }
    const restore = (...options: string[]) =>
      spawnCli(['restore', join(directory, 'first.ndjson.gz'), ...options], target).ended()
    expect(await restore()).toMatchObject({ code: 0, err: '' })
    expect(await restore()).toMatchObject({ code: 4, err: expect.stringContaining("isn't empty") as string })
    expect(await restore('--force')).toMatchObject({ code: 0, err: '' })
  })

  /** Takes it as people do. */
  const backup = (weir: TestWeir, file: string) => spawnCli(['backup', file], { WEIR_URL: weir.url }).ended()

  async function twoStreams(weir: TestWeir): Promise<[string, string]> {
    const { id } = await weir.register({ url: `${upstream.url}/events`, kind: 'sse' })
    const poll = await weir.register({ url: `${upstream.url}/document`, kind: 'poll', intervalMs: 1_000 })
    await until('many events are in', async () => (await lastSeq(weir, id)) > EVENTS)
    await weir.entry(poll.id, 'the document has changed', ({ kind }) => kind === 'patch')
    return [id, poll.id]
  }
})

/** Every event has its number as id; at most a handful comes at a time, without end. */
function events(last: number): Response {
  let next = last + 1
  const utf8 = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (next > EVENTS) await Bun.sleep(50)
      const size = next > EVENTS ? 5 : 500
      const some = Array.from(
        { length: size },
        (_, index) => `id: ${next + index}\ndata: ${next + index}\n\n`,
      )
      next += size
      controller.enqueue(utf8.encode(some.join('')))
    },
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

async function lastSeq(weir: TestWeir, id: string): Promise<number> {
  const { after } = await weir.json<{ after?: number }>(`/api/streams/${id}/logs?limit=1`)
  return after ?? 0
}

/** Compares the restored log with the one that it was taken of, entry by entry. @returns its last number */
async function same(
  weir: TestWeir,
  restored: { databaseUrl: string | undefined; dataDir: string },
  streamId: string,
  atLeast: number,
): Promise<number> {
  const storage = await openAsItIs(restored)
  try {
    const { rows } = (await storage.db.execute(sql`
      SELECT seq::int, hash, event_id AS "eventId" FROM weir.entries WHERE stream_id = ${streamId} ORDER BY seq`)) as {
      rows: unknown
    } as { rows: { seq: number; hash: string; eventId: string }[] }
    expect(rows.length).toBeGreaterThanOrEqual(atLeast)
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
    const lines = await weir
      .get(`/api/streams/${streamId}/logs`)
      .then(() =>
        fetch(`${weir.url}/api/streams/${streamId}/logs`, { headers: { Accept: 'application/x-ndjson' } }),
      )
    const logged = (await lines.text()).trim().split('\n').slice(0, rows.length)
    const kept = logged.map((line) => JSON.parse(line) as { seq: number; hash?: string; eventId?: string })
    expect(rows.map(({ seq, hash, eventId }) => [seq, hash, eventId])).toEqual(
      kept.map(({ seq, hash, eventId }) => [seq, hash ?? null, eventId ?? null]) as never,
    )
    return rows.length
  } finally {
    await storage.close()
  }
}

/** The streams run on behind what was restored: no event is missing, none is there twice, documents are what they were. */
async function goesOn(weir: TestWeir, streamId: string, pollId: string): Promise<void> {
  const restored = await lastSeq(weir, streamId)
  await until('events come in', async () => (await lastSeq(weir, streamId)) > restored + 20)
  const entries = await weir.logs(streamId, `&after=${restored - 50}&kind=event`)
  const ids = entries.map(({ eventId }) => Number(eventId)).sort((a, b) => a - b)
  expect(ids).toEqual(ids.map((_, index) => (ids[0] as number) + index))
  expect(await weir.logs(streamId, '&kind=gap')).toEqual([])
  const [last] = (await weir.logs(pollId, '&kind=patch')).slice(-1)
  const document = await weir.get(`/api/streams/${pollId}/document?at=${last?.at}`)
  expect(document.headers.get('etag')).toBe(`W/"${last?.hash}"`)
  expect((await document.json()) as object).toMatchObject({ text: LARGE, exact: '@' })
}
