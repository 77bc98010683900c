import { expect, test } from 'bun:test'
import { deadUrl, hurriedWorld, recordingServer, spec, start, stubWeir, until } from './support.ts'

const posts = (weir: { requests: { method: string; path: string; body: string }[] }) =>
  weir.requests
    .filter(({ method, path }) => method === 'POST' && path === '/api/streams')
    .map(({ body }) => JSON.parse(body))

test('a service is registered as two streams: its state is polled, its events are followed', async () => {
  await using weir = stubWeir()
  const world = hurriedWorld()
  await using sim = await start({ services: [spec('T')], web: weir.url, register: true }, world)
  await until(() => world.lines.length === 1)
  const { url } = sim.first
  expect(posts(weir)).toEqual([
    { url: `${url}/state`, kind: 'poll', name: 'T state', intervalMs: 1_000, tags: ['sim', 'T'] },
    { url: `${url}/events`, kind: 'sse', name: 'T events', tags: ['sim', 'T'] },
  ])
  expect(weir.requests.some(({ search }) => search === '?tag=sim&limit=500')).toBe(true)
  expect(world.lines).toEqual([`2 streams registered with ${weir.url}`])
})

test('only what is missing is registered', async () => {
  const url = (await deadUrl()) as `http://${string}`
  const port = Number(new URL(url).port)
  await using weir = stubWeir({ registered: [`${url}/state`, 'http://127.0.0.1:9/other'] })
  const world = hurriedWorld()
  await using _ = await start({ services: [spec('T', { port })], web: weir.url, register: true }, world)
  await until(() => world.lines.length === 1)
  expect(posts(weir).map((stream) => stream.url)).toEqual([`${url}/events`])
  expect(world.lines).toEqual([`2 streams registered with ${weir.url} (1 already registered)`])
})

test('streams on later pages of the list count as present', async () => {
  const url = await deadUrl()
  const pages: Record<string, object> = {
    '': { items: [{ url: `${url}/state` }], next: 'a b&c' },
    'a b&c': { items: [{ url: `${url}/events` }], next: null },
  }
  await using weir = recordingServer(({ path, search }) =>
    Response.json(path === '/api/streams' ? pages[new URLSearchParams(search).get('after') ?? ''] : {}),
  )
  const world = hurriedWorld()
  const services = [spec('T', { port: Number(new URL(url).port) })]
  await using _ = await start({ services, web: weir.url, register: true }, world)
  await until(() => world.lines.length === 1)
  expect(posts(weir)).toEqual([])
})

test('registering retries until Weir is up, and logs once that it isn’t', async () => {
  const web = await deadUrl()
  const world = hurriedWorld()
  let tries = 0
  const counting = {
    ...world,
    fetch: (url: string, init?: RequestInit) => {
      if (url.includes('/api/streams')) tries++
      return world.fetch(url, init)
    },
  }
  await using _ = await start({ services: [spec('T')], web, register: true }, counting)
  await until(() => tries >= 4)
  await using weir = stubWeir({ port: Number(new URL(web).port) })
  await until(() => world.lines.some((line) => line.startsWith('2 streams registered')))
  expect(posts(weir)).toHaveLength(2)
  expect(world.lines.filter((line) => line.includes('is unreachable'))).toHaveLength(1)
})

test('registering waits for a Weir that is not ready', async () => {
  let asked = 0
  await using weir = recordingServer(({ method, path }) => {
    if (path !== '/api/streams') return Response.json({})
    if (++asked <= 3) return Response.json({ title: 'Starting' }, { status: 503 })
    return Response.json({ items: [], next: null }, { status: method === 'POST' ? 201 : 200 })
  })
  const world = hurriedWorld()
  await using _ = await start({ services: [spec('T')], web: weir.url, register: true }, world)
  await until(() => world.lines.length === 2)
  expect(world.lines).toEqual([
    `${weir.url} can't register the streams yet: Starting (status 503). Retrying.`,
    `2 streams registered with ${weir.url}`,
  ])
})

test.each([
  [
    'detail',
    { title: 'Forbidden', detail: 'Loopback is not allowed' },
    'Loopback is not allowed (status 403)',
  ],
  ['title', { title: 'Forbidden' }, 'Forbidden (status 403)'],
  ['status', 'no problem document', 'status 403'],
])('registering stops when it is rejected, and logs the %s', async (_, problem, words) => {
  await using weir = recordingServer(({ method, path }) => {
    if (path !== '/api/streams') return Response.json({})
    return method === 'GET' ? Response.json({ items: [] }) : Response.json(problem, { status: 403 })
  })
  const world = hurriedWorld()
  await using sim = await start({ services: [spec('T'), spec('U')], web: weir.url, register: true }, world)
  await until(() => world.lines.length === 1)
  expect(world.lines).toEqual([`${weir.url} rejected the streams: ${words}`])
  await sim.close()
  expect(posts(weir)).toHaveLength(1)
})

test('nothing is registered if that is disabled', async () => {
  await using weir = stubWeir()
  await using sim = await start({ services: [spec('T')], web: weir.url, register: false })
  await until(() => weir.reports().length > 0)
  await sim.close()
  expect(weir.requests.filter(({ path }) => path === '/api/streams')).toEqual([])
})

test('closing ends the attempts to register', async () => {
  const world = hurriedWorld()
  await using sim = await start({ services: [spec('T')], web: await deadUrl(), register: true }, world)
  await until(() => world.lines.length > 0)
  await sim.close()
})

test('what is registered stays, or is removed if asked, also while more is being registered', async () => {
  for (const remove of [false, true]) {
    let posted = 0
    await using weir = recordingServer(async ({ method, path }) => {
      if (method === 'GET') return Response.json({ items: [], next: null })
      if (path === '/api/streams/bulk') return Response.json({ ids: [] })
      if (path !== '/api/streams') return Response.json({}, { status: 202 })
      // The second is still being registered when the simulation ends.
      if (++posted === 2) await Bun.sleep(100)
      return Response.json({ id: `stream ${posted}` }, { status: 201 })
    })
    const world = hurriedWorld()
    const sim = await start({ services: [spec('T'), spec('U')], web: weir.url, register: true }, world)
    await until(() => posted === 2)
    await sim.close(remove)
    const removed = weir.requests.filter(({ path }) => path === '/api/streams/bulk')
    const ids = ['stream 1', 'stream 2']
    expect(removed.map(({ body }) => JSON.parse(body))).toEqual(remove ? [{ action: 'delete', ids }] : [])
    expect(world.lines.at(-1)).toContain(remove ? '2 streams removed' : '1 stream stays registered')
    expect(posted).toBe(2)
  }
})
