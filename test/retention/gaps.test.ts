import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventSource } from 'eventsource'
import { retain } from '../../src/retention/retain.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { type LoggedEntry, startTestWeir, type TestWeir } from '../support/weir.ts'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir
    const dataDir = mkdtempSync(join(tmpdir(), 'weir-gaps-'))

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir({ ...services.environment, DATA_DIR: dataDir })
    })
    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
      rmSync(dataDir, { recursive: true, force: true })
    })

    /** What the schedule does each minute. */
    async function retainOnce(): Promise<void> {
      const storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir })
      const warnings: string[] = []
      const bounds = { retentionDays: 90, minutesDays: 30 }
      await retain({ db: storage.db, now: Date.now, warn: (message) => void warnings.push(message), bounds })
      await storage.close()
      expect(warnings).toEqual([])
    }

    test('a subscriber that requests dropped entries gets a gap, and the rest; after a restart too', async () => {
      const feed = new Feed()
      const { id } = await weir.register({
        url: upstream.on('/events', () => feed.response({}, 'retry: 10\n\n')),
        kind: 'sse',
        retention: { maxEntries: 5 },
      })
      await until('the feed has a reader', () => feed.readers > 0)
      for (let n = 1; n <= 20; n++) feed.send(`id: ${n}\ndata: ${'x'.repeat(3_000)}${n}\n\n`)
      await until('all are logged', async () => (await weir.logs(id)).at(-1)?.seq === 21)
      await weir.send('POST', `/api/streams/${id}/stop`)
      await weir.close()
      await retainOnce()
      weir = await startTestWeir({ ...services.environment, DATA_DIR: dataDir })
      const logs = await weir.logs(id)
      expect(logs.length).toBe(5)
      const first = logs[0] as LoggedEntry
      const source = new EventSource(`${weir.url}/api/streams/${id}/events?lastEventId=2`)
      const told: [string, unknown][] = []
      source.addEventListener('gap', (event) => void told.push(['gap', JSON.parse(event.data)]))
      source.addEventListener('entry', (event) => void told.push(['entry', JSON.parse(event.data).seq]))
      await until('the rest has come', () => told.length >= 6)
      source.close()
      expect(told).toEqual([
        ['gap', { from: 3, to: first.seq - 1, reason: 'not_kept' }],
        ...logs.map(({ seq }): [string, unknown] => ['entry', seq]),
      ])
      expect(logs.some(({ data }) => String(data).endsWith('20'))).toBe(true)
      expect((await weir.get(`/api/streams/${id}/entries/1`)).status).toBe(404)
      expect(weir.warnings).toEqual([])
    })

    test('storage and its limits are reported, on a page too', async () => {
      const storage = await weir.json<{ days: { bytes: number }[]; bounds: object; state: string }>(
        '/api/storage',
      )
      expect(storage).toMatchObject({
        state: 'within',
        bounds: { days: 90, maxEntries: null, maxBytes: null, minutesDays: 30 },
        blocked: null,
      })
      expect(storage.days[0]?.bytes).toBeGreaterThan(0)
      const page = await (await weir.get('/storage')).text()
      expect(page).toContain(new Date().toISOString().slice(0, 10))
    })

    test.each([{ maxEntries: 0 }, {}, { maxBytes: 'much' }, { years: 1 }, 7])(
      'a retention of %j is rejected',
      async (retention) => {
        const response = await weir.send('POST', '/api/streams', {
          url: upstream.url,
          kind: 'poll',
          retention,
        })
        expect(response.status).toBe(422)
        expect(await response.json()).toMatchObject({ code: 'invalid_field', field: 'retention' })
      },
    )
  })
})
