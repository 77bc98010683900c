import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir
    let jsonUrl: string

    interface Problem {
      status: number
      code: string
      field?: string
      detail: string
    }
    interface Page {
      items: { id: string; name: string; url: string }[]
      next: string | null
    }

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      jsonUrl = upstream.on('/json', () => Response.json({ ok: true }))
      weir = await startTestWeir(services.environment)
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    describe('registering', () => {
      test('detects the kind with a request, and names the stream after its URL', async () => {
        const feed = upstream.on('/feed', () => new Feed().response())
        const polled = await weir.register({ url: jsonUrl, start: false })
        const streamed = await weir.register({ url: feed, start: false })
        expect(polled).toMatchObject({ kind: 'poll', name: `${new URL(jsonUrl).host}/json` })
        expect(streamed.kind).toBe('sse')
      })

      test('text that can’t be stored is rejected, in any field', async () => {
        const { id } = await weir.register({ url: jsonUrl, kind: 'poll', start: false })
        for (const [path, body] of [
          [`/api/streams/${id}/notify`, { message: 'a\0b' }],
          ['/api/silences', { tag: '\0', reason: 'a', endsAt: '2099-01-01T00:00:00Z' }],
          ['/api/streams/bulk', { action: 'tag', ids: [id], tag: 'a\0' }],
        ] as const) {
          const refused = await weir.send('POST', path, body)
          const { detail } = (await refused.json()) as Problem
          expect([path, refused.status, detail]).toEqual([
            path,
            422,
            expect.stringContaining("NUL characters aren't allowed"),
          ])
        }
      })

      test('returns 201 with the location of the new stream', async () => {
        const response = await weir.send('POST', '/api/streams', { url: jsonUrl, kind: 'poll', start: false })
        const { id } = (await response.json()) as { id: string }
        expect(response.status).toBe(201)
        expect(response.headers.get('location')).toBe(`/api/streams/${id}`)
        expect(await weir.json(`/api/streams/${id}`)).toMatchObject({
          id,
          url: jsonUrl,
          desired: 'stopped',
          intervalMs: 60_000,
        })
      })

      test.each<[string, unknown, number, string, string | undefined]>([
        ['an unknown field', { url: 'http://a.test', shade: 'red' }, 422, 'invalid_field', 'shade'],
        ['no URL', {}, 422, 'invalid_field', 'url'],
        ['a text that is no URL', { url: 'prices' }, 422, 'invalid_field', 'url'],
        ['another scheme', { url: 'ftp://a.test' }, 422, 'invalid_field', 'url'],
        ['a port out of range', { url: 'http://a.test:70000' }, 422, 'invalid_field', 'url'],
        [
          'an interval under 500 ms',
          { url: 'http://a.test', intervalMs: 499 },
          422,
          'invalid_field',
          'intervalMs',
        ],
        [
          'a bad pointer',
          { url: 'http://a.test', payloadPointer: 'a/b' },
          422,
          'invalid_field',
          'payloadPointer',
        ],
        ['JSON that is none', '{"url":', 400, 'invalid_json', undefined],
        [
          'a body over 1 MiB',
          { url: 'http://a.test', body: 'x'.repeat(1_048_577) },
          413,
          'body_too_large',
          undefined,
        ],
      ])('%s is rejected, and nothing is stored', async (_what, body, status, code, field) => {
        const before = (await weir.json<Page>('/api/streams?limit=500')).items.length
        const response = await weir.send('POST', '/api/streams', body)
        const problem = (await response.json()) as Problem
        expect(response.headers.get('content-type')).toContain('application/problem+json')
        expect({ status: response.status, code: problem.code, field: problem.field }).toEqual({
          status,
          code,
          field,
        })
        expect((await weir.json<Page>('/api/streams?limit=500')).items.length).toBe(before)
      })

      test('an API with an unexpected response needs an explicit kind', async () => {
        const url = upstream.on('/broken', () => new Response('', { status: 503 }))
        const response = await weir.send('POST', '/api/streams', { url })
        expect(response.status).toBe(422)
        expect(await response.json()).toMatchObject({ code: 'unreachable', field: 'url' })
        await weir.register({ url, kind: 'poll', start: false })
      })
    })

    describe('listing', () => {
      test('pages follow one another without a hole, and filters narrow them', async () => {
        const made: string[] = []
        for (let index = 0; index < 5; index++) {
          const name = `paged ${index}`
          made.push(
            (await weir.register({ url: jsonUrl, kind: 'poll', start: false, name, tags: ['paged'] })).id,
          )
        }
        const seen: string[] = []
        let after = ''
        do {
          const page: Page = await weir.json(`/api/streams?tag=paged&limit=2&after=${after}`)
          seen.push(...page.items.map((item) => item.id))
          after = page.next ?? ''
        } while (after !== '')
        expect(seen).toEqual(made)
        expect((await weir.json<Page>('/api/streams?q=PAGED%203')).items.map((item) => item.name)).toEqual([
          'paged 3',
        ])
        expect((await weir.json<Page>('/api/streams?q=%25&limit=500')).items).toEqual([])
        for (const name of ['status', 'state']) {
          const having = (status: string) => weir.json<Page>(`/api/streams?${name}=${status}&tag=paged`)
          expect((await having('live')).items).toEqual([])
          expect((await having('stopped')).items.length).toBe(5)
        }
        const sorted = ['status', 'verdict'].map((sort) =>
          weir.json<Page>(`/api/streams?sort=${sort}&tag=paged`),
        )
        const [first, second] = await Promise.all(sorted)
        expect(first?.items.length).toBe(5)
        expect(second?.items).toEqual(first?.items as Page['items'])
      })

      test.each(['limit=0', 'limit=501', 'state=fine', 'shade=red', 'after=x'])(
        '%s is refused',
        async (query) => {
          expect((await weir.get(`/api/streams?${query}`)).status).toBeOneOf([404, 422])
        },
      )
    })

    describe('changing', () => {
      test('a running stream continues with its new definition, from a snapshot', async () => {
        const first = upstream.on('/first', (_request, hit) => Response.json({ from: 'first', hit }))
        const second = upstream.on('/second', () => Response.json({ from: 'second' }))
        const { id } = await weir.register({ url: first, kind: 'poll', intervalMs: 500 })
        await weir.entry(id, 'the first API was polled', (entry) => entry.kind === 'snapshot')
        const response = await weir.send('PATCH', `/api/streams/${id}`, { url: second })
        expect(await response.json()).toMatchObject({ url: second })
        const entry = await weir.entry(
          id,
          'the second API was polled',
          (entry) => entry.request?.url === second,
        )
        expect(entry).toMatchObject({ kind: 'snapshot', data: { from: 'second' } })
        const entries = await weir.logs(id)
        expect(entries.map((one) => one.seq)).toEqual(entries.map((_, index) => index + 1))
      })

      test('invalid changes are rejected', async () => {
        const { id } = await weir.register({ url: jsonUrl, kind: 'poll', start: false })
        for (const change of [{}, { start: true }, { url: 'gopher://x' }, { intervalMs: 1 }]) {
          expect((await weir.send('PATCH', `/api/streams/${id}`, change)).status).toBe(422)
        }
      })

      test('a removed stream is gone with its log, and is no longer followed', async () => {
        const feed = new Feed()
        const { id } = await weir.register({
          url: upstream.on('/removed', () => feed.response()),
          kind: 'sse',
        })
        await until('it is connected', () => feed.readers > 0)
        expect((await weir.send('DELETE', `/api/streams/${id}`)).status).toBe(204)
        expect((await weir.get(`/api/streams/${id}`)).status).toBe(404)
        await until('the connection is closed', () => feed.readers === 0)
      })

      test('start and stop are idempotent, for one and by tag', async () => {
        const { id } = await weir.register({
          url: jsonUrl,
          kind: 'poll',
          intervalMs: 500,
          start: false,
          tags: ['group'],
        })
        for (const action of ['start', 'start', 'stop', 'stop']) {
          const response = await weir.send('POST', `/api/streams/${id}/${action}`)
          const desired = action === 'start' ? 'running' : 'stopped'
          expect({ status: response.status, body: await response.json() }).toMatchObject({
            status: 200,
            body: { desired },
          })
        }
        const act = async (action: string) =>
          (await weir.send('POST', `/api/streams/${action}?tag=group`)).json()
        expect(await act('start')).toEqual({ matched: 1, changed: 1 })
        expect(await act('start')).toEqual({ matched: 1, changed: 0 })
        await weir.status(id, 'live')
        expect(await act('stop')).toEqual({ matched: 1, changed: 1 })
        await weir.status(id, 'stopped')
      })
    })

    describe('what does not exist', () => {
      const id = '01a20200-1921-70a6-bb27-dd1b93130b54'
      test.each([
        ['GET', `/api/streams/${id}`],
        ['PATCH', `/api/streams/${id}`],
        ['DELETE', `/api/streams/${id}`],
        ['POST', `/api/streams/${id}/start`],
        ['GET', `/api/streams/${id}/status`],
        ['GET', `/api/streams/${id}/logs`],
        ['GET', `/api/streams/${id}/events`],
        ['GET', `/api/streams/${id}/size`],
        ['GET', '/api/streams/not-an-id'],
        ['GET', '/api/nothing'],
      ])('%s %s is 404 with a code', async (method, path) => {
        const response = await weir.send(method, path, method === 'PATCH' ? { name: 'x' } : undefined)
        expect(response.status).toBe(404)
        expect(await response.json()).toMatchObject({ code: 'not_found' })
      })
    })

    test('a page of another origin may not change anything', async () => {
      const response = await fetch(`${weir.url}/api/streams/stop?tag=x`, {
        method: 'POST',
        headers: { Origin: 'http://evil.test' },
      })
      expect(response.status).toBe(403)
    })

    test('the OpenAPI document contains every route of the API, and its page loads nothing from elsewhere', async () => {
      const { paths } = await weir.json<{ paths: Record<string, unknown> }>('/openapi/json')
      expect(Object.keys(paths)).toEqual(
        expect.arrayContaining([
          '/api/streams',
          '/api/streams/{id}/logs',
          '/api/streams/{id}/size',
          '/api/status',
          '/activate',
        ]),
      )
      expect(
        Object.keys(paths).filter((path) => path.startsWith('/jobs') || path.startsWith('/assets')),
      ).toEqual([])
      const page = await (await weir.get('/openapi')).text()
      expect(page).not.toMatch(/(src|href|action)="(https?:)?\/\//)
    })

    test('the board lists every queue, and the job of every stream', async () => {
      const { id } = await weir.register({ url: jsonUrl, kind: 'poll' })
      const jobs = await until('the job is listed', async () => {
        const board = await weir.json<{ queues: { name: string; jobs: { id: string }[] }[] }>(
          '/jobs/api/queues?activeQueue=streams&status=active',
        )
        const streams = board.queues.find(({ name }) => name === 'streams')
        return streams?.jobs.some((job) => job.id === id) && board
      })
      const names = jobs.queues.map(({ name }) => name).toSorted()
      expect(names).toEqual(['archive', 'deliveries', 'schedules', 'streams'])
    })
  })
})
