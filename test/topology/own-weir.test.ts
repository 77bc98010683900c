import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Snapshot } from '../../src/topology/topology.ts'
import { Subscriber } from '../proxy/subscriber.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let other: Upstream
    let weir: TestWeir

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      other = startUpstream()
      weir = await startTestWeir(services.environment)
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await upstream.stop()
      await other.stop()
      await services.close()
    })

    const hostOf = ({ url }: Upstream) => new URL(url).host
    const graph = (query = '') => weir.json<Snapshot>(`/api/topology${query}`)
    const drawn = (what: string, fits: (graph: Snapshot) => boolean) =>
      until(what, async () => {
        const found = await graph()
        return fits(found) && found
      })

    test('Weir draws the hosts that it follows with their status; an empty Weir draws nothing', async () => {
      expect(await graph()).toMatchObject({ services: [], calls: [] })
      const fine = upstream.on('/fine', () => Response.json({ ok: true }))
      const broken = other.on('/broken', () => new Response('no', { status: 500 }))
      await weir.register({ url: fine, kind: 'poll', intervalMs: 500 })
      await weir.register({ url: broken, kind: 'poll', intervalMs: 500 })
      const id = (of: Upstream) => `weir:host:${hostOf(of)}`
      const { services, calls } = await drawn('both hosts are told apart', (found) => {
        const statuses = found.services.map((service) => service.status)
        const recentOf = (of: Upstream) => found.calls.find(({ to }) => to === id(of))?.recent
        // What was called recently is counted in the rollups, which follow the status.
        const isCounted = recentOf(upstream)?.p50Ms !== undefined && recentOf(other)?.errorShare !== undefined
        return statuses.includes('live') && statuses.includes('backing-off') && isCounted
      })
      expect(services.find((service) => service.id === id(other))).toMatchObject({
        kind: 'host',
        status: 'backing-off',
        reason: expect.stringMatching(/^1 of 1 stream is backing off: Failed .*500/),
      })
      expect(calls.find(({ to }) => to === id(other))).toMatchObject({ recent: { errorShare: 1 } })
      expect(calls.find(({ to }) => to === id(upstream))).toMatchObject({ recent: { errorShare: 0 } })
    })

    test('viewers see new subscribers', async () => {
      const url = upstream.on('/proxied', () => Response.json({ ok: true }))
      const abort = new AbortController()
      const response = await fetch(`${weir.url}/api/topology/events`, { signal: abort.signal })
      let told = ''
      const reading = (async () => {
        for await (const chunk of response.body ?? []) told += new TextDecoder().decode(chunk)
      })().catch(() => {})
      const subscriber = new Subscriber(`${weir.url}/proxy/${url}`, {})
      await subscriber.got('data')
      await until('the viewer is told', () => told.includes('1 subscriber connected'))
      subscriber.leave()
      abort.abort()
      await reading
    })

    test('a past instant is rebuilt with Weir’s parts as they were', async () => {
      const past = await graph(`?at=${Date.now() - 3_600_000}`)
      expect(past.services).toEqual([])
      const { services } = await drawn('there is something', (found) => found.services.length > 0)
      const now = await graph(`?at=${Date.now() - 1_000}`)
      expect(now.services.map(({ id }) => id)).toContain(services[0]?.id as string)
    })

    test.each(['/activate', '/api/topology'])('%s rejects IDs of Weir’s own parts', async (path) => {
      const ids = ['weir:streams', `weir:host:${hostOf(upstream)}`, 'weir:']
      for (const item of ids) {
        const body = path === '/activate' ? { item } : { calls: [{ from: 'shop', to: item, status: 200 }] }
        const response = await weir.send('POST', path, body)
        expect(response.status).toBe(422)
        expect(await response.json()).toMatchObject({ code: 'invalid_field' })
      }
      expect((await graph()).services.map(({ id }) => id)).not.toContain('shop')
    })

    test('a service at a followed host is its node, in the past too', async () => {
      const id = `weir:host:${hostOf(other)}`
      await weir.send('POST', '/api/topology', {
        services: [{ id: 'shop', url: new URL(other.on('/x', () => Response.json({}))).origin }],
      })
      const isShop = {
        id: 'shop',
        kind: 'service',
        status: 'backing-off',
        href: expect.stringContaining('host='),
      }
      const found = await drawn('the host is the service', ({ calls }) =>
        calls.some(({ to }) => to === 'shop'),
      )
      expect(found.services.find((service) => service.id === 'shop')).toMatchObject(isShop)
      expect(found.services.map((service) => service.id)).not.toContain(id)
      expect(found.calls.map(({ to }) => to)).not.toContain(id)
      await weir.send('POST', '/activate', { item: 'shop', color: 'red' })
      const painted = (await graph()).services.find((service) => service.id === 'shop')
      expect(painted).toMatchObject({ color: 'red', status: 'backing-off' })
      const past = await until('it is stored', async () => {
        const then = await graph(`?at=${Date.now()}`)
        return then.services.some((service) => service.id === 'shop') && then
      })
      expect(past.calls.map(({ to }) => to)).toContain('shop')
      expect(past.services.map((service) => service.id)).not.toContain(id)
    })

    test('the streams of a host are listed, in the API and in the console', async () => {
      const listed = async (host: string) => {
        const { items } = await weir.json<{ items: { url: string }[] }>(`/api/streams?host=${host}`)
        return items.map(({ url }) => new URL(url).pathname)
      }
      expect(await listed(hostOf(other))).toEqual(['/broken'])
      expect(await listed(hostOf(upstream))).toEqual(['/fine', '/proxied'])
      expect(await listed('127.0.0.1')).toEqual([])
      expect(await listed('%25')).toEqual([])
      const page = await (await weir.get(`/streams?host=${encodeURIComponent(hostOf(other))}`)).text()
      expect(page).toContain('/broken')
      expect(page).not.toContain('/fine')
      expect(page).toContain(`name="host" value="${hostOf(other)}"`)
    })
  })
})
