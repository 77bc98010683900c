import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface Report {
  total: number
  done: number
  changed: number
  unchanged: number
  failed: number
  failures: { id: string; problem: { code: string } }[]
}
interface Listed {
  items: { id: string; name: string; desired: string; tags: string[] }[]
}

const NOBODY = '01900000-0000-7000-8000-000000000000'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let weir: TestWeir
    let ids: string[]

    beforeAll(async () => {
      services = await setup.open()
      weir = await startTestWeir(services.environment)
      const lines = Array.from({ length: 700 }, (_, index) =>
        JSON.stringify({
          url: `http://127.0.0.1:1/${index}`,
          kind: 'poll',
          name: `Many ${index}`,
          start: false,
        }),
      )
      await weir.send('POST', '/api/streams/import?format=ndjson', lines.join('\n'))
      const { items } = await weir.json<Listed>('/api/streams?limit=500')
      // Those that no test deletes.
      ids = items.filter(({ name }) => !name.includes('Many 1')).map(({ id }) => id)
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await services.close()
    })

    const send = (body: unknown) => weir.send('POST', '/api/streams/bulk', body)
    const done = async (body: unknown) => (await send(body)).json() as Promise<Report>

    test('sets when the streams with a tag are dead, and restores the default', async () => {
      const [one = '', two = '', other = ''] = ids.slice(2)
      await done({ action: 'tag', tag: 'strict', ids: [one, two] })
      const set = { action: 'deadAfter', filter: { tag: 'strict' }, deadAfterFailures: 2, deadAfterMs: 5_000 }
      const read = async (id: string) => {
        const { deadAfterFailures, deadAfterMs } = await weir.json<Record<string, unknown>>(
          `/api/streams/${id}`,
        )
        return [deadAfterFailures, deadAfterMs]
      }
      expect(await done(set)).toMatchObject({ changed: 2, unchanged: 0, failed: 0 })
      expect(await done(set)).toMatchObject({ changed: 0, unchanged: 2, failed: 0 })
      expect([await read(one), await read(two), await read(other)]).toEqual([
        [2, 5_000],
        [2, 5_000],
        [null, null],
      ])
      await done({ action: 'deadAfter', ids: [one], deadAfterMs: null })
      expect(await read(one)).toEqual([2, null])
      for (const wrong of [{}, { deadAfterMs: -1 }, { deadAfterFailures: 0 }]) {
        expect((await send({ action: 'deadAfter', ids: [one], ...wrong })).status).toBe(422)
      }
      expect((await send({ action: 'stop', ids: [one], deadAfterMs: 1 })).status).toBe(422)
    })

    test('tags the named streams, reports failures, and does nothing the second time', async () => {
      const body = { action: 'tag', tag: 'few', ids: [ids[0], ids[1], NOBODY, ids[1]] }
      expect(await done(body)).toMatchObject({ total: 3, done: 3, changed: 2, unchanged: 0, failed: 1 })
      const again = await done(body)
      expect(again).toMatchObject({ changed: 0, unchanged: 2 })
      expect(again.failures).toMatchObject([{ id: NOBODY, problem: { code: 'not_found' } }])
      expect((await weir.json<Listed>('/api/streams?tag=few')).items).toHaveLength(2)
      expect(await done({ action: 'untag', tag: 'few', filter: { tag: 'few' } })).toMatchObject({
        changed: 2,
      })
      expect((await weir.json<Listed>('/api/streams?tag=few')).items).toEqual([])
    })

    test('a stream with the maximum of tags keeps them, and the others get theirs', async () => {
      const tags = Array.from({ length: 20 }, (_, index) => `t${index}`)
      await weir.send('PATCH', `/api/streams/${ids[2]}`, { tags })
      const report = await done({ action: 'tag', tag: 'more', ids: [ids[2], ids[3]] })
      expect(report).toMatchObject({ changed: 1, failed: 1 })
      expect(report.failures).toMatchObject([{ id: ids[2], problem: { code: 'conflict' } }])
    })

    test('starts and stops all matching streams in batches, and reports progress', async () => {
      const response = await fetch(`${weir.url}/api/streams/bulk`, {
        method: 'POST',
        headers: { Accept: 'application/x-ndjson' },
        body: JSON.stringify({ action: 'start', filter: { q: 'Many' } }),
      })
      const lines = (await response.text()).trim().split('\n')
      const reports = lines.map((line) => JSON.parse(line) as Report)
      expect(reports.map(({ total, done }) => [total, done])).toEqual([
        [700, 500],
        [700, 700],
      ])
      expect(reports.at(-1)).toMatchObject({ changed: 700 })
      expect(await done({ action: 'stop', filter: { q: 'Many' } })).toMatchObject({
        total: 700,
        changed: 700,
      })
      expect(await done({ action: 'stop', filter: {} })).toMatchObject({ changed: 0, unchanged: 700 })
    })

    test('deletes matching streams, unless more match than expected', async () => {
      const filter = { q: 'Many 1' }
      const refused = await send({ action: 'delete', filter, atMost: 110 })
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([409, 'conflict'])
      expect(await done({ action: 'delete', filter, atMost: 111 })).toMatchObject({
        total: 111,
        changed: 111,
      })
      expect((await weir.json<Listed>('/api/streams?q=Many%201')).items).toEqual([])
      expect((await weir.json<{ streams: number }>('/api/status')).streams).toBe(589)
      expect(await done({ action: 'delete', filter })).toMatchObject({ total: 0, done: 0 })
    })

    test.each<[string, unknown, string | undefined]>([
      ['no action', { ids: [NOBODY] }, 'action'],
      ['another action', { action: 'explode', ids: [NOBODY] }, 'action'],
      ['no streams', { action: 'stop' }, 'ids'],
      ['streams and a filter', { action: 'stop', ids: [NOBODY], filter: {} }, 'ids'],
      ['an empty list', { action: 'stop', ids: [] }, 'ids'],
      ['what is no id', { action: 'stop', ids: ['x'] }, 'ids'],
      ['a tag for nothing', { action: 'stop', ids: [NOBODY], tag: 'x' }, 'tag'],
      ['no tag', { action: 'tag', ids: [NOBODY] }, 'tag'],
      ['a tag with a comma', { action: 'tag', ids: [NOBODY], tag: 'a,b' }, 'tag'],
      ['an unknown filter', { action: 'stop', filter: { color: 'red' } }, 'filter.color'],
      ['an unknown status', { action: 'stop', filter: { status: 'great' } }, 'filter.status'],
      [
        'an unknown status by its former name',
        { action: 'stop', filter: { state: 'great' } },
        'filter.state',
      ],
      ['an unknown field', { action: 'stop', ids: [NOBODY], force: true }, 'force'],
    ])('%s is refused', async (_what, body, field) => {
      const response = await send(body)
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ code: 'invalid_field', field })
    })
  })
})
