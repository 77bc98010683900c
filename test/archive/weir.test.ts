import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyPatch, type Operation } from 'fast-json-patch'
import { archiveDays, archives } from '../../drizzle/schema.ts'
import { seeded } from '../core/seeded.ts'
import { type Front, objectsOf, type S3, s3Environment, startFront, startS3 } from '../support/s3.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { DAYS, oddDrafts, openBench } from './support.ts'

const random = seeded('weir.test.ts')
const COUNT = 700

interface Report {
  configured: boolean
  days: { day: string; state: string; objects: number; bytes: number; error: { code: string } | null }[]
  totals: { days: number; objects: number; bytes: number }
}

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let s3: S3
    let front: Front
    let weir: TestWeir
    let dataDir: string
    let id: string
    // What is dropped here is dropped by the tests.
    const environment = () => ({ ...services.environment, DATA_DIR: dataDir, RETENTION_DAYS: '3650' })

    /** Answers as the database has them, before anything is archived. */
    const before = new Map<string, string>()
    const versions: { seq: number; at: string }[] = []
    let paths: string[]

    beforeAll(async () => {
      services = await setup.open()
      s3 = await startS3()
      // Weir looks for closed days as soon as it starts.
      front = startFront(s3, ({ method }) => (method === 'PUT' ? 'hang' : 'pass'))
      dataDir = mkdtempSync(join(tmpdir(), 'weir-archived-'))
      await withBench(async (bench) => {
        id = await bench.register()
        await bench.record(id, oddDrafts(random, COUNT))
        await bench.streams.stop(id)
      })
      weir = await startTestWeir({ ...environment(), ...s3Environment(front.url) })
      const list = await weir.json<{ items: typeof versions }>(`/api/streams/${id}/versions?limit=500`)
      versions.push(...list.items)
      paths = pathsToAsk()
      for (const path of paths) before.set(path, await answer(path))
    })

    afterAll(async () => {
      await weir.close()
      await front.stop()
      await s3.stop()
      await services.close()
      rmSync(dataDir, { recursive: true, force: true })
    })

    async function withBench(step: (bench: Awaited<ReturnType<typeof openBench>>) => Promise<void>) {
      const bench = await openBench(environment())
      try {
        await step(bench)
      } finally {
        await bench.close()
      }
    }

    const answer = async (path: string) => {
      const accept = path.includes('limit') ? 'application/json' : 'application/x-ndjson'
      const response = await fetch(`${weir.url}/api/streams/${id}/${path}`, { headers: { Accept: accept } })
      const text = (await response.text()).replace(/"requestId":"[^"]*"/, '')
      return `${response.status} ${response.headers.get('x-weir-seq')} ${text}`
    }

    function pathsToAsk(): string[] {
      const [first, middle] = [versions.at(-1), versions[Math.floor(versions.length / 2)]]
      const times = [`from=${DAYS[0]}T20:00:00Z`, `to=${DAYS[1]}T04:00:00Z`]
      return [
        'logs',
        `logs?${times.join('&')}`,
        'logs?limit=500',
        'logs?limit=20&after=0',
        `logs?limit=50&before=${COUNT / 2 + 20}`,
        `logs?limit=50&after=${COUNT / 2 - 20}`,
        'logs?limit=50&kind=error,gap',
        'logs?limit=30&kind=snapshot&after=0',
        `logs?limit=40&${times[1]}`,
        'document',
        'document?at=2026-01-01',
        ...versions.filter((_, index) => index % 9 === 0).map(({ seq }) => `document?at=seq:${seq}`),
        ...versions.filter((_, index) => index % 25 === 0).map(({ at }) => `document?at=${at}`),
        `diff?from=seq:${first?.seq}&to=seq:${middle?.seq}`,
        'versions?limit=200',
        `versions?limit=10&from=seq:${first?.seq}&to=seq:${middle?.seq}`,
      ]
    }

    test('a Weir that shuts down while archiving exits cleanly, and continues after a restart', async () => {
      await weir.send('POST', '/api/archive/run')
      await until('an object is on its way', () => front.seen.some((request) => request.startsWith('PUT')))
      expect(await weir.json<Report>('/api/archive')).toMatchObject({
        days: [{ day: DAYS[0], state: 'running' }],
      })
      await weir.close()
      expect(weir.warnings).toEqual([])
      await withBench(async ({ db }) => {
        expect(await db.select().from(archives)).toEqual([])
        expect(await db.select().from(archiveDays)).toMatchObject([{ day: DAYS[0], state: 'running' }])
      })
      front.meddle = () => 'pass'
      weir = await startTestWeir({ ...environment(), ...s3Environment(front.url) })
    })

    test('closed days are archived automatically or on request, and the report says so', async () => {
      const asked = await weir.send('POST', '/api/archive/run')
      expect(asked.status).toBe(202)
      const report = await until('both days are archived', async () => {
        const now = await weir.json<Report>('/api/archive')
        return now.totals.days === 2 && now.days.every(({ state }) => state === 'done') && now
      })
      expect(report).toMatchObject({ configured: true, totals: { objects: 2 } })
      expect(report.days.map(({ day, state, error }) => [day, state, error])).toEqual([
        [DAYS[1], 'done', null],
        [DAYS[0], 'done', null],
      ])
      expect((await objectsOf(s3)).length).toBe(2)
      const page = await (await weir.get('/archive')).text()
      for (const text of [...DAYS, front.url]) expect(page).toContain(text)
      expect(page).not.toMatch(/S3RVER/)
      expect(JSON.stringify(report)).not.toMatch(/S3RVER/)
    })

    test('each line of the whole log is an entry, even if stored JSON has line breaks', async () => {
      const text = before.get('logs') as string
      const lines = text.slice(text.indexOf('{')).split('\n').slice(0, -1)
      expect(lines.map((line) => JSON.parse(line).seq)).toEqual(
        Array.from({ length: COUNT }, (_, n) => n + 1),
      )
    })

    test.each([
      ['a day', [DAYS[0]]],
      ['everything', DAYS],
    ] as const)('with %s dropped from the database, every answer is as it was', async (_what, dropped) => {
      await weir.close()
      await withBench(async (bench) => {
        for (const day of dropped) await bench.drop(day)
        expect((await bench.log(id)).length).toBe(dropped.length === 1 ? COUNT / 2 : 0)
      })
      weir = await startTestWeir({ ...environment(), ...s3Environment(front.url) })
      for (const path of paths) expect([path, await answer(path)]).toEqual([path, before.get(path) as string])
      const { seq } = versions.at(-1) as { seq: number }
      expect((await weir.get(`/streams/${id}/entries/${seq}`)).status).toBe(200)
      expect((await weir.get(`/streams/${id}/entries/${COUNT + 1}`)).status).toBe(404)
    })

    test('the diff of two archived documents leads from one to the other', async () => {
      const [to, from] = [versions[3], versions.at(-4)].map((version) => `seq:${version?.seq}`)
      const document = async (at: string | undefined) =>
        (await weir.get(`/api/streams/${id}/document?at=${at}`)).json()
      const { patch } = await weir.json<{ patch: Operation[] }>(
        `/api/streams/${id}/diff?from=${from}&to=${to}`,
      )
      const applied = applyPatch(await document(from), patch).newDocument
      expect(applied).toEqual(await document(to))
    })

    test('the page of a stream links to archived entries and shows them', async () => {
      const page = await (await weir.get(`/streams/${id}`)).text()
      expect(page).toContain(`/streams/${id}?before=${COUNT + 1}`)
      const older = await (await weir.get(`/streams/${id}?before=${COUNT + 1}`)).text()
      expect(older).toContain(`/streams/${id}/entries/${COUNT}`)
      const oldest = await (await weir.get(`/streams/${id}?before=2`)).text()
      expect(oldest).toContain(`/streams/${id}/entries/1"`)
      expect(oldest).not.toContain('?before=')
    })

    test('an unreachable archive is reported as such, and nothing else is affected', async () => {
      await weir.close()
      weir = await startTestWeir({ ...environment(), ...s3Environment('http://127.0.0.1:1') })
      const response = await weir.get(`/api/streams/${id}/logs`)
      expect([response.status, await response.json()]).toEqual([
        503,
        expect.objectContaining({ code: 'unavailable', detail: expect.stringContaining('S3_ENDPOINT') }),
      ])
      expect((await weir.get(`/api/streams/${id}/document`)).status).toBe(503)
      expect((await weir.get(`/streams/${id}`)).status).toBe(200)
      const tried = await (await weir.send('POST', '/api/archive/test')).json()
      expect(tried).toMatchObject({ ok: false, steps: [{ step: 'write', error: { code: 'unreachable' } }] })
    })

    test('without its settings there is no archive, and the page says how to set it up', async () => {
      await weir.close()
      weir = await startTestWeir(environment())
      expect(await weir.json<Report>('/api/archive')).toMatchObject({ configured: false })
      for (const path of ['run', 'test']) {
        const response = await weir.send('POST', `/api/archive/${path}`)
        expect([response.status, await response.text()]).toEqual([
          409,
          expect.stringContaining('S3_ENDPOINT'),
        ])
      }
      expect(await (await weir.get('/archive')).text()).toContain('S3_BUCKET')
    })
  })
})
