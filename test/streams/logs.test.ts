import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { EventSource } from 'eventsource'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { type LoggedEntry, startTestWeir, type TestWeir } from '../support/weir.ts'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    /** Events of the stream that most tests read; its first entry is the connection. */
    const EVENTS = 120

    let upstream: Upstream
    let weir: TestWeir
    let feed: Feed
    let id: string

    interface LogPage {
      items: { seq: number; kind: string; data: unknown; at: string }[]
      before: number | null
      after: number | null
    }

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
      feed = new Feed()
      ;({ id } = await weir.register({
        url: upstream.on('/events', () => feed.response({}, 'retry: 10\n\n')),
        kind: 'sse',
      }))
      await until('the feed has a reader', () => feed.readers > 0)
      for (let n = 1; n <= EVENTS; n++) feed.send(`id: ${n}\ndata: event ${n % 3}\n\n`)
      await until('all are logged', async () => (await page('limit=1')).after === EVENTS + 1)
    })

    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const page = (query: string) => weir.json<LogPage>(`/api/streams/${id}/logs?${query}`)
    const seqs = ({ items }: LogPage) => items.map((item) => item.seq)
    const range = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => from + index)

    test('without a cursor the latest entries are returned, in order; before and after continue from there', async () => {
      const latest = await page('limit=20')
      expect(seqs(latest)).toEqual(range(EVENTS - 18, EVENTS + 1))
      const older = await page(`limit=20&before=${latest.before}`)
      expect(seqs(older)).toEqual(range(EVENTS - 38, EVENTS - 19))
      expect(seqs(await page(`limit=20&after=${older.after}`))).toEqual(seqs(latest))
      expect(await page(`after=${EVENTS + 1}`)).toEqual({ items: [], before: null, after: EVENTS + 1 })
    })

    test('kinds and times filter the log', async () => {
      expect((await page('kind=exchange')).items.map((item) => item.seq)).toEqual([1])
      expect((await page('kind=error,gap')).items).toEqual([])
      const middle = (await page('after=60&limit=1')).items[0]?.at as string
      const since = await page(`from=${middle}&limit=500`)
      expect(since.items.every((item) => item.at >= middle)).toBe(true)
      expect(seqs(since)).toContain(61)
      const earlier = await page(`to=${middle}&limit=500`)
      expect(earlier.items.every((item) => item.at < middle)).toBe(true)
      expect(seqs(since).length + seqs(earlier).length).toBe(EVENTS + 1)
    })

    test.each(['kind=tune', 'from=yesterday-ish', 'limit=0', 'after=-1', 'after=1&before=2', 'page=2'])(
      '%s is refused',
      async (query) => {
        expect((await weir.get(`/api/streams/${id}/logs?${query}`)).status).toBe(422)
      },
    )

    test('the whole log is returned as NDJSON, one line per entry', async () => {
      const response = await fetch(`${weir.url}/api/streams/${id}/logs`, {
        headers: { Accept: 'application/x-ndjson' },
      })
      expect(response.headers.get('content-type')).toBe('application/x-ndjson')
      const lines = (await response.text()).trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line).seq)).toEqual(range(1, EVENTS + 1))
    })

    test('size and change are the sums of the entries', async () => {
      const size = await until('all are summed up', async () => {
        const now = await weir.json<{ total: Record<string, number>; steps: Record<string, number>[] }>(
          `/api/streams/${id}/size?step=minute`,
        )
        return (now.total.entries ?? 0) > EVENTS && now
      })
      const { items } = await page('limit=500')
      const decoded = items as unknown as LoggedEntry[]
      const bodyBytes = decoded.reduce((sum, one) => sum + one.bodyBytes + (one.framingBytes ?? 0), 0)
      expect(size.total).toMatchObject({ entries: EVENTS + 1, bodyBytes })
      expect(size.steps.reduce((sum, step) => sum + (step.bodyBytes ?? 0), 0)).toBe(bodyBytes)
      const change = await weir.json(`/api/streams/${id}/change`)
      // Every event differs from the one before but for the first, which has none.
      expect(change).toMatchObject({
        compared: EVENTS - 1,
        changed: EVENTS - 1,
        changeRate: 1,
        streamRank: { rank: 100 },
      })
      expect((await weir.get(`/api/streams/${id}/size?step=minute&from=2020-01-01`)).status).toBe(422)
      expect((await weir.get(`/api/streams/${id}/change?step=year`)).status).toBe(422)
    })

    test('a subscriber that reconnects gets what it missed, then live entries, once and in order', async () => {
      const source = new EventSource(`${weir.url}/api/streams/${id}/events?lastEventId=${EVENTS - 9}`)
      const got: number[] = []
      source.addEventListener('entry', (event) => {
        got.push(Number(event.lastEventId))
        expect(JSON.parse(event.data).seq).toBe(Number(event.lastEventId))
      })
      await until('the missed ones have come', () => got.length >= 10)
      feed.send('data: live\n\n')
      await until('the live one has come', () => got.length >= 11)
      source.close()
      expect(got).toEqual(range(EVENTS - 8, EVENTS + 2))
    })

    test('an unknown ID gets a gap', async () => {
      for (const lastEventId of ['999999999', 'what']) {
        const source = new EventSource(`${weir.url}/api/streams/${id}/events?lastEventId=${lastEventId}`)
        const gap = await new Promise<MessageEvent>((resolve) => source.addEventListener('gap', resolve))
        source.close()
        expect(JSON.parse(gap.data)).toMatchObject({ from: lastEventId, reason: 'unknown_id' })
      }
    })
  })
})
