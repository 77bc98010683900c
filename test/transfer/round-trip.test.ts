import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { exported, exportedList, importInto } from './client.ts'

const HIDDEN = '•••'
/** Streams beside the ones that are looked at: more than are read or stored at a time. */
const MANY = 600

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir
    let url: string

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      url = upstream.on('/json', () => Response.json({ ok: true }))
      weir = await startTestWeir(services.environment)
      const full = {
        url: `${url}?full`,
        kind: 'poll',
        name: '=ż "quoted", of\ntwo lines',
        intervalMs: 5_000,
        silenceMs: 30_000,
        deadAfterFailures: 5,
        deadAfterMs: 300_000,
        resumes: true,
        method: 'POST',
        headers: { Authorization: 'Bearer secret', 'x-other': 'a,b' },
        body: '{"q": "ż"}\r\n',
        payloadPointer: '/ok',
        ignorePaths: ['/at;b', '/c'],
        arrayKeys: ['sku'],
        tags: ['a b', 'c;d'],
        notify: ['channel-1'],
        retention: { maxEntries: 1_000 },
        start: false,
      }
      await importInto(weir, [full, { url, kind: 'poll', twin: true, intervalMs: 600_000 }])
      const proxied = await fetch(`${weir.url}/proxy/${url}?proxied`)
      await proxied.body?.cancel()
      const many = Array.from({ length: MANY }, (_, index) => ({
        url: `${url}?${index}`,
        kind: 'poll',
        start: false,
      }))
      const { totals } = await importInto(weir, many, 'tag=many')
      expect(totals).toEqual({ lines: MANY, created: MANY, unchanged: 0, updated: 0, skipped: 0, failed: 0 })
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    test('an export contains what was registered, and nothing that the proxy or a twin created', async () => {
      const list = await exportedList(weir)
      expect(list.length).toBe(MANY + 2)
      expect(new Set(list.map(({ id }) => id)).size).toBe(MANY + 2)
      expect(list[0]).toMatchObject({
        url: `${url}?full`,
        headers: { Authorization: HIDDEN, 'x-other': HIDDEN },
        ignorePaths: ['/at;b', '/c'],
        resumes: true,
        start: false,
      })
      expect(list[1]).toMatchObject({ url, resumes: false, twin: true, start: true })
      expect((await exportedList(weir, 'tag=many')).length).toBe(MANY)
      expect(await exportedList(weir, 'tag=none')).toEqual([])
    })

    test.each(['json', 'ndjson', 'csv'])('as %s, an import of the export changes nothing', async (format) => {
      const before = await exported(weir, 'secrets=true')
      for (const secrets of ['false', 'true']) {
        const file = await exported(weir, `format=${format}&secrets=${secrets}`)
        const report = await importInto(weir, file)
        expect(report.totals).toMatchObject({ lines: MANY + 2, unchanged: MANY + 2 })
      }
      expect(await exported(weir, 'secrets=true')).toBe(before)
    })

    test('another Weir gets the same streams with their IDs, and asks for what the export hides', async () => {
      const other = await startTestWeir()
      try {
        const { lines, totals } = await importInto(other, await exported(weir, 'format=csv'))
        expect(totals).toMatchObject({ created: MANY + 1, failed: 1 })
        expect(lines[0]).toMatchObject({
          outcome: 'failed',
          problem: {
            detail: expect.stringMatching(/\?header=Authorization: …/),
            field: expect.stringMatching(/^headers/),
          },
        })
        const headers = 'header=authorization: Bearer secret&header=X-Other: a,b'
        const again = await importInto(other, await exported(weir, 'format=ndjson'), headers)
        expect(again.totals).toMatchObject({ created: 1, unchanged: MANY + 1 })
        const all = await exportedList(other, 'secrets=true')
        expect(all).toEqual(await exportedList(weir, 'secrets=true'))
      } finally {
        await other.close()
      }
    })

    test('an export with secrets is all that another Weir needs', async () => {
      const other = await startTestWeir()
      try {
        for (const format of ['csv', 'json', 'ndjson']) {
          const report = await importInto(other, await exported(weir, `format=${format}&secrets=true`))
          const outcome = format === 'csv' ? 'created' : 'unchanged'
          expect(report.totals).toMatchObject({ [outcome]: MANY + 2 })
        }
        expect(await exported(other, 'secrets=true')).toBe(await exported(weir, 'secrets=true'))
      } finally {
        await other.close()
      }
    })

    test('two concurrent imports of one file create its streams once', async () => {
      const lines = Array.from({ length: 200 }, (_, index) => ({
        url: `${url}?once${index}`,
        kind: 'poll',
        start: false,
      }))
      const reports = await Promise.all([1, 2, 3].map(() => importInto(weir, lines)))
      expect(reports.map(({ totals }) => totals.created).sort((a, b) => a - b)).toEqual([0, 0, 200])
    })

    test('an imported stream that should run does, with its twin', async () => {
      const twinned = (await exportedList(weir)).find(({ twin }) => twin === true)
      await weir.entry(twinned?.id as string, 'it was polled', ({ kind }) => kind === 'snapshot')
      const { items } = await weir.json<{ items: { id: string; twinOf: string | null }[] }>(
        '/api/streams?q=streamed',
      )
      expect(items.map(({ twinOf }) => twinOf)).toEqual([twinned?.id as string])
      await until('its twin is connected', async () => (await weir.logs(items[0]?.id as string)).length > 0)
    })
  })
})
