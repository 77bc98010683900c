import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'

interface Report {
  polling: Side
  streaming: Side
  measuredSaving: number
  polledSaving: number
}

interface Side {
  id: string
  requests: number
  versions: number
  headBytes: number
  wireBytes: number
  totalBytes: number
}

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
    })

    afterAll(async () => {
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const feed = (hit: number) =>
      Array.from({ length: 100 }, (_, at) => ({
        id: Math.floor(hit / 4) + 100 - at,
        title: `Item ${Math.floor(hit / 4) + 100 - at} of a feed with titles of some length`,
      }))

    test('an API is polled and followed through the proxy, and both are measured', async () => {
      const seen = { authorization: new Set<string | null>() }
      const url = upstream.on('/feed', ({ headers }, hit) => {
        seen.authorization.add(headers.get('authorization'))
        return Response.json(feed(hit))
      })
      const headers = { Authorization: 'Bearer of the API' }
      const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, headers, twin: true })
      const report = await until('both sides have seen changes', async () => {
        const report = await weir.json<Report>(`/api/streams/${id}/twin`)
        return report.polling.versions > 4 && report.streaming.versions > 3 && report
      })
      expect(report.polling.id).toBe(id)
      const streamed = await weir.logs(report.streaming.id)
      expect(streamed.map(({ kind }) => kind).slice(0, 3)).toEqual(['exchange', 'snapshot', 'patch'])
      const polled = await weir.logs(id)
      const wireBytes = (entries: { wireBytes: number }[]) =>
        entries.reduce((sum, entry) => sum + entry.wireBytes, 0)
      expect(report.polling.wireBytes).toBeLessThanOrEqual(wireBytes(polled))
      expect(report.streaming.wireBytes).toBeLessThanOrEqual(wireBytes(streamed))
      expect(report.polledSaving).toBeCloseTo(1 - report.streaming.totalBytes / report.polling.totalBytes, 10)
      expect(report.polledSaving).toBeGreaterThan(0.4)
      expect(report.measuredSaving).toBeLessThanOrEqual(report.polledSaving)
      expect(await weir.json(`/api/streams/${report.streaming.id}/twin`)).toMatchObject({
        polling: { id },
        streaming: { id: report.streaming.id },
      })
      expect([...seen.authorization]).toEqual(['Bearer of the API'])
      expect(JSON.stringify(streamed)).not.toContain('of the API')
    })

    test('twins are started, stopped, changed and removed together', async () => {
      const url = upstream.on('/pair', () => Response.json({ a: 1 }))
      const other = upstream.on('/other', () => Response.json({ b: 1 }))
      const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, twin: true })
      const { streaming } = await weir.json<Report>(`/api/streams/${id}/twin`)
      await weir.status(streaming.id, 'live')
      await weir.send('POST', `/api/streams/${id}/stop`)
      await weir.status(streaming.id, 'stopped')
      await weir.send('POST', `/api/streams/${id}/start`)
      await weir.send('PATCH', `/api/streams/${id}`, { url: other })
      await weir.entry(
        streaming.id,
        'the twin follows the other API',
        ({ kind, data }) => kind === 'snapshot' && JSON.stringify(data) === '{"b":1}',
      )
      const change = (of: string, body: object) => weir.send('PATCH', `/api/streams/${of}`, body)
      expect((await change(streaming.id, { intervalMs: 1_000 })).status).toBe(409)
      expect((await change(id, { kind: 'sse' })).status).toBe(409)
      expect((await weir.send('DELETE', `/api/streams/${id}`)).status).toBe(204)
      expect((await weir.get(`/api/streams/${streaming.id}`)).status).toBe(404)
    })

    test('a stream with nothing to compare can’t have a twin', async () => {
      const url = upstream.on('/alone', () => Response.json({ a: 1 }))
      const register = (more: object) => weir.send('POST', '/api/streams', { url, twin: true, ...more })
      expect((await register({ kind: 'sse' })).status).toBe(422)
      expect((await register({ kind: 'poll', method: 'POST' })).status).toBe(422)
      const { id } = await weir.register({ url, kind: 'poll' })
      expect((await weir.get(`/api/streams/${id}/twin`)).status).toBe(404)
    })

    test('no internal errors occurred', () => {
      expect(weir.warnings).toEqual([])
    })
  })
})

test('a twin works with a token', async () => {
  const upstream = startUpstream()
  const weir = await startTestWeir({ WEIR_TOKEN: TOKEN })
  const url = upstream.on('/guarded', () => Response.json({ a: 1 }))
  const authorized = { Authorization: `Bearer ${TOKEN}` }
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(weir.url + path, { ...init, headers: authorized })
    return response.json() as Promise<Record<string, unknown>>
  }
  const body = JSON.stringify({ url, kind: 'poll', intervalMs: 500, twin: true })
  const { id } = await ask('/api/streams', { method: 'POST', body })
  const { streaming } = (await ask(`/api/streams/${id}/twin`)) as unknown as Report
  await until('the twin is live', async () => {
    const { status } = await ask(`/api/streams/${streaming.id}/status`)
    return status === 'live'
  })
  await weir.close()
  await upstream.stop()
})

test('a twin signs in as its polled stream does, and nobody else gets what it gets', async () => {
  const upstream = startUpstream()
  const weir = await startTestWeir({ WEIR_TOKEN: TOKEN, ALLOW_HOSTS: '127.0.0.1' })
  let good = 'the-first-token'
  upstream.on('/token', () => Response.json({ access_token: good, token_type: 'Bearer' }))
  const url = upstream.on('/signed', ({ headers }) =>
    headers.get('authorization') === `Bearer ${good}`
      ? Response.json({ secret: good })
      : new Response('', { status: 401 }),
  )
  const as = (token: string) => ({ Authorization: `Bearer ${token}` })
  const ask = async (path: string, init: RequestInit = {}, token = TOKEN) => {
    const response = await fetch(weir.url + path, { ...init, headers: { ...as(token), ...init.headers } })
    return response.json() as Promise<Record<string, unknown>>
  }
  const auth = (clientSecret: string) => ({
    ...{ type: 'oauth2', tokenUrl: `${upstream.url}/token`, clientId: 'weir', clientSecret },
  })
  const body = { url, kind: 'poll', intervalMs: 500, auth: auth('a-client-secret') }
  const { id } = await ask('/api/streams', { method: 'POST', body: JSON.stringify(body) })
  await ask(`/api/streams/${id}/twin`, { method: 'POST' })
  const { streaming } = (await ask(`/api/streams/${id}/twin`)) as unknown as Report
  const logged = async () => JSON.stringify(await ask(`/api/streams/${streaming.id}/logs?limit=100`))
  const snapshot = async (of: string) =>
    await until('the twin has the document', async () => {
      const { items } = (await ask(`/api/streams/${streaming.id}/logs?kind=snapshot`)) as {
        items: { data: unknown }[]
      }
      return items.some(({ data }) => Bun.deepEquals(data, { secret: of }))
    })
  await until('the twin is live', async () => {
    return (await ask(`/api/streams/${streaming.id}/status`)).status === 'live'
  })
  expect(await logged()).not.toContain('a-client-secret')

  const { secret: reader } = (await ask('/api/keys', {
    method: 'POST',
    body: JSON.stringify({ name: 'reader', scope: 'read' }),
  })) as { secret: string }
  const listed = async (token: string) => {
    const answer = (await ask(`/api/streams?tag=proxy`, {}, token)) as { items: { id: string }[] }
    return answer.items.length
  }
  expect(await listed(TOKEN)).toBe(1)
  expect(await listed(reader)).toBe(0)
  const subscribe = (token: string, twin: string | undefined, target = url) =>
    fetch(`${weir.url}/proxy/${target}?intervalMs=500`, {
      headers: { ...as(token), ...(twin !== undefined && { 'X-Weir-Twin': twin }) },
    })
  const refused = await subscribe(reader, streaming.id)
  expect(await refused.text()).toContain('requires scope admin')
  for (const twin of ['x', id as string, streaming.id.replace(/.$/, '0')].filter((t) => t !== streaming.id)) {
    expect(await (await subscribe(TOKEN, twin)).text()).toContain('not found')
  }
  expect(
    await (
      await subscribe(
        TOKEN,
        streaming.id,
        upstream.on('/else', () => Response.json(1)),
      )
    ).text(),
  ).toContain('not found')
  const plain = await subscribe(reader, undefined)
  const stream = plain.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('event: error')) text += (await stream?.read())?.value ?? ''
  expect(text).not.toContain(good)
  await stream?.cancel()

  good = 'the-second-token'
  const patch = { method: 'PATCH', body: JSON.stringify({ auth: auth('another-secret') }) }
  expect(await ask(`/api/streams/${id}`, patch)).toMatchObject({ id })
  await snapshot('the-second-token')
  await weir.close()
  await upstream.stop()
})
