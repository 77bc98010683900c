import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { Subscriber } from './subscriber.ts'

interface Listed {
  id: string
  url: string
  kind: string
  intervalMs: number
  desired: string
  tags: string[]
  proxied: boolean
  alwaysOn: boolean
}

describe.each(SETUPS)('on $name', (setup) => {
  describe.concurrent.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir
    const subscribers: Subscriber[] = []

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir({ ...services.environment, MAX_BODY_BYTES: '65536' })
    })

    afterAll(async () => {
      for (const subscriber of subscribers) subscriber.leave()
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const subscribe = (url: string, query = '', headers: Record<string, string> = {}) => {
      const separator = url.includes('?') ? '&' : '?'
      const all = `intervalMs=500${query && `&${query}`}`
      const subscriber = new Subscriber(`${weir.url}/proxy/${url}${separator}${all}`, headers)
      subscribers.push(subscriber)
      return subscriber
    }
    const streamOf = async (url: string) => {
      const { items } = await weir.json<{ items: Listed[] }>(
        `/api/streams?limit=500&q=${encodeURIComponent(url)}`,
      )
      return items
    }
    const hits = (path: string) => upstream.requests.get(path)?.length ?? 0
    /** An API of twenty rows, of which a new one comes first with every change, and one changes its state. */
    const rows = (version: number) => ({
      version,
      rows: Array.from({ length: 20 }, (_, at) => ({
        id: version + 20 - at,
        name: `row ${version + 20 - at}`,
      })),
    })

    test('a subscriber gets the document, then patches that produce the upstream’s document', async () => {
      let version = 0
      const url = upstream.on('/rows', () => Response.json(rows(version)))
      const subscriber = subscribe(url)
      const first = await subscriber.got('data')
      expect(first.data).toEqual(rows(0))
      while (version < 3) {
        version++
        await until('the change arrives', () => Bun.deepEquals(subscriber.document, rows(version)))
      }
      expect(subscriber.events).toEqual(['data', 'patch', 'patch', 'patch'])
      const ids = subscriber.messages.map(({ id }) => Number(id.split('.')[1]))
      expect(ids).toEqual(ids.toSorted((a, b) => a - b))
      expect(JSON.stringify(subscriber.messages[1]?.data).length).toBeLessThan(
        JSON.stringify(rows(1)).length / 3,
      )
    })

    test('it is a stream like any other: listed, logged, measured, with a status', async () => {
      const url = upstream.on('/one', (_request, hit) => Response.json({ hit }))
      await subscribe(url).got('data')
      const [stream] = await streamOf(url)
      expect(stream).toMatchObject({
        kind: 'poll',
        intervalMs: 500,
        desired: 'running',
        tags: ['proxy'],
        proxied: true,
        alwaysOn: false,
      })
      const id = stream?.id ?? ''
      await weir.status(id, 'live')
      expect((await weir.logs(id))[0]).toMatchObject({ seq: 1, kind: 'snapshot', data: { hit: 1 } })
    })

    test('identical requests share one poll, and a new subscriber starts with the current document', async () => {
      const url = upstream.on('/shared?q=1', (_request, hit) => Response.json({ list: [1, 2, 3], hit }))
      upstream.on('/shared', (_request, hit) => Response.json({ list: 'x'.repeat(200), hit }))
      const early = await Promise.all(Array.from({ length: 20 }, () => subscribe(url)))
      for (const subscriber of early) await subscriber.got('patch')
      const late = subscribe(url)
      const { data } = await late.got('data')
      expect((data as { hit: number }).hit).toBeGreaterThan(1)
      await until('all know the same', () =>
        [...early, late].every(({ document }) => Bun.deepEquals(document, early[0]?.document)),
      )
      expect(await streamOf(url)).toHaveLength(1)
      const [stream] = await streamOf(url)
      // An entry is stored a little after its poll; polls that aren't shared would leave entries ever further behind.
      const behind = await until('all polls but one are entries', async () => {
        const polled = hits('/shared')
        const path = `/api/streams/${stream?.id}/status`
        const { counts } = await weir.json<{ counts: { entries: number } }>(path)
        return polled - counts.entries <= 1 && { entries: polled - counts.entries }
      })
      expect(behind.entries).toBeLessThanOrEqual(1)
    })

    test('different headers get their own response', async () => {
      const url = upstream.on('/mine', ({ headers }) =>
        Response.json({ you: headers.get('authorization') ?? 'nobody' }),
      )
      const header = (value: string) => `X-Sd-Header=${encodeURIComponent(`Authorization: ${value}`)}`
      const [ann, bob, nobody] = [
        subscribe(url, header('ann')),
        subscribe(url, header('bob')),
        subscribe(url, '', { Authorization: 'Bearer of the subscriber' }),
      ]
      expect((await ann.got('data')).data).toEqual({ you: 'ann' })
      expect((await bob.got('data')).data).toEqual({ you: 'bob' })
      expect((await nobody.got('data')).data).toEqual({ you: 'nobody' })
      const secrets = JSON.stringify(await streamOf(url))
      expect(secrets).not.toContain('ann')
    })

    test('the target gets its own query, without Weir’s parameters', async () => {
      const url = upstream.on('/query', (request) => Response.json({ url: request.url }))
      const { data } = await subscribe(`${url}?b=2&a=%20x&X-Sd-Token=t`).got('data')
      expect(data).toEqual({ url: `${url}?b=2&a=%20x` })
    })

    test('snapshot-only sends the whole document on each change, event only from the next change on', async () => {
      let version = 1
      const url = upstream.on('/modes', () => Response.json({ ...rows(0), version }))
      const whole = subscribe(url, 'mode=snapshot-only')
      await whole.got('data')
      const event = subscribe(url, 'mode=event')
      await until('the stream is polled on', () => hits('/modes') > 2)
      version = 2
      await event.got('data', (data) => (data as { version: number }).version === 2)
      await whole.got('data', (data) => (data as { version: number }).version === 2)
      expect(event.messages.map(({ data }) => data)).toEqual([{ ...rows(0), version: 2 }])
      expect(whole.events).toEqual(['data', 'data'])
    })

    test('a client that resumes gets exactly what it missed', async () => {
      let version = 0
      const url = upstream.on('/resume', () => Response.json(rows(version)))
      const first = subscribe(url)
      await first.got('data')
      first.leave()
      const [stream] = await streamOf(url)
      for (version = 1; version < 4; version++) {
        await weir.entry(stream?.id ?? '', 'a change is logged', (entry) =>
          JSON.stringify(entry.data ?? '').includes(`"value":${version}}`),
        )
      }
      version = 3
      const again = subscribe(url, '', { 'Last-Event-ID': first.lastId })
      again.document = first.document
      await until('it has caught up', () => Bun.deepEquals(again.document, rows(3)))
      expect(again.events).toEqual(['patch', 'patch', 'patch'])
      version = 4
      await until('it is live', () => Bun.deepEquals(again.document, rows(4)))
    })

    test('an ID from another stream gets a gap and the document', async () => {
      const url = upstream.on('/unknown', () => Response.json({ a: 1 }))
      await subscribe(url).got('data')
      for (const id of ['7', 'ffffffff.1', 'nonsense']) {
        const subscriber = subscribe(url, '', { 'Last-Event-ID': id })
        await subscriber.got('data')
        expect(subscriber.messages.map(({ event, data }) => [event, data])).toEqual([
          ['gap', expect.objectContaining({ from: id, reason: 'unknown_id' })],
          ['data', { a: 1 }],
        ])
      }
    })

    test('a failing API is an error event on an open stream, and so is its recovery', async () => {
      let broken = true
      const url = upstream.on('/broken', () =>
        broken ? new Response('no', { status: 503 }) : Response.json({ fine: true }),
      )
      const subscriber = subscribe(url)
      const { data } = await subscriber.got('error')
      expect(data).toMatchObject({ family: 'source', cause: 'bad_status', status: 70_503 })
      expect(data).toMatchObject({ message: expect.stringContaining('503'), timestamp: expect.any(String) })
      const late = subscribe(url)
      expect((await late.got('error')).data).toMatchObject({ status: 70_503 })
      broken = false
      await subscriber.got('monitor')
      expect((await subscriber.got('data')).data).toEqual({ fine: true })
      expect(subscriber.events.indexOf('monitor')).toBeLessThan(subscriber.events.indexOf('data'))
    })

    test.each<[what: string, status: number, path: string, behavior: () => Response]>([
      ['no JSON', 70_016, '/html', () => new Response('<p>', { headers: { 'Content-Type': 'text/html' } })],
      [
        'broken JSON',
        70_017,
        '/half',
        () => new Response('{"a":', { headers: { 'Content-Type': 'application/json' } }),
      ],
      ['too much', 70_015, '/large', () => Response.json('x'.repeat(70_000))],
      ['a circle of redirects', 70_310, '/circle', () => Response.redirect('/circle')],
      [
        'an event stream',
        70_016,
        '/sse',
        () => new Response('data: x\n\n', { headers: { 'Content-Type': 'text/event-stream' } }),
      ],
      ['nothing there', 70_404, '/gone', () => new Response('', { status: 404 })],
    ])('%s is one typed error, %i', async (_what, status, path, behavior) => {
      const subscriber = subscribe(upstream.on(path, behavior))
      expect((await subscriber.got('error')).data).toMatchObject({ family: 'source', status })
      // Ten redirects, and by chance one or two attempts more: nothing that goes on without end.
      expect(hits(path)).toBeLessThanOrEqual(33)
    })

    test('an unreachable host is a source error', async () => {
      const subscriber = subscribe('http://127.0.0.1:9/')
      expect((await subscriber.got('error')).data).toMatchObject({ status: 70_013 })
    })

    test.each([
      ['ftp://example.test/', 40_001],
      ['http://user:password@example.test/', 40_001],
      ['http://example.test/?intervalMs=1', 40_001],
      ['http://example.test/?mode=all', 40_001],
      ['nonsense', 40_001],
    ])('%s is refused by an error event with a long retry', async (target, status) => {
      const response = await weir.get(`/proxy/${target}`)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toStartWith('text/event-stream')
      const [retry, event, , data] = (await response.text()).split(/\n+/)
      expect([retry, event]).toEqual(['retry: 3600000', 'event: error'])
      expect(JSON.parse(data?.slice(6) ?? '')).toMatchObject({ family: 'subscription', status })
    })

    test('the request of a proxied stream can’t be changed under its subscribers', async () => {
      const url = upstream.on('/fixed', () => Response.json({ a: 1 }))
      await subscribe(url).got('data')
      const [stream] = await streamOf(url)
      const change = (body: object) => weir.send('PATCH', `/api/streams/${stream?.id}`, body)
      expect((await change({ url: 'http://example.test/' })).status).toBe(409)
      expect((await change({ intervalMs: 5_000 })).status).toBe(409)
      const renamed = await change({ name: 'kept', alwaysOn: true })
      expect(await renamed.json()).toMatchObject({ name: 'kept', alwaysOn: true })
      const { id } = await weir.register({ url, kind: 'poll' })
      expect((await weir.send('PATCH', `/api/streams/${id}`, { alwaysOn: false })).status).toBe(409)
    })

    test('when the stream is stopped, subscribers are told and their streams end', async () => {
      const url = upstream.on('/stopped', () => Response.json({ a: 1 }))
      const subscriber = subscribe(url)
      await subscriber.got('data')
      const [stream] = await streamOf(url)
      await weir.send('POST', `/api/streams/${stream?.id}/stop`)
      expect((await subscriber.got('error')).data).toMatchObject({ family: 'subscription', status: 40_901 })
      const response = await weir.get(`/proxy/${url}?intervalMs=500`)
      expect(await response.text()).toContain('"status":40901')
    })

    test.serial('no internal errors occurred', () => {
      expect(weir.warnings).toEqual([])
    })
  })
})
