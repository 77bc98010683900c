import { expect, test } from 'bun:test'
import type { SimWorld } from '../../src/sim/world.ts'
import {
  activate,
  deadUrl,
  hurriedWorld,
  seedFor,
  spec,
  start,
  stubService,
  stubWeir,
  until,
} from './support.ts'

const good = () => Response.json({ status: 200 })

test('a leaf that picks 200 shows green, then white, and returns it', async () => {
  await using weir = stubWeir()
  await using sim = await start({ services: [spec('T')], web: weir.url, seed: seedFor('T', 200) })
  const response = await activate(sim.first.url)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ status: 200 })
  await until(() => weir.colorsOf('T').length === 2)
  expect(weir.colorsOf('T')).toEqual(['green', 'white'])
})

test.each([500, 502])('a leaf that picks %i shows red, then white, and returns it', async (status) => {
  await using weir = stubWeir()
  await using sim = await start({ services: [spec('T')], web: weir.url, seed: seedFor('T', status) })
  const response = await activate(sim.first.url)
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ status })
  await until(() => weir.colorsOf('T').length === 2)
  expect(weir.colorsOf('T')).toEqual(['red', 'white'])
})

test('a leaf shows its color before it waits, and white only after', async () => {
  await using weir = stubWeir()
  const leave = Promise.withResolvers<void>()
  const world = hurriedWorld()
  const held: SimWorld = {
    ...world,
    sleep: (ms, signal) => (ms === 777 ? leave.promise : world.sleep(ms, signal)),
  }
  await using sim = await start({ services: [spec('T', { timeoutMs: 777 })], web: weir.url }, held)
  const answer = activate(sim.first.url)
  await until(() => weir.colorsOf('T').length === 1)
  expect(weir.colorsOf('T')).not.toContain('white')
  leave.resolve()
  await answer
  await until(() => weir.colorsOf('T')[1] === 'white')
})

test('the same seed repeats the statuses of a leaf', async () => {
  await using weir = stubWeir()
  const statuses = async () => {
    await using sim = await start({ services: [spec('T', { timeoutMs: 1 })], web: weir.url, seed: 99 })
    const answers: number[] = []
    for (let request = 0; request < 20; request++) answers.push((await activate(sim.first.url)).status)
    return answers
  }
  const first = await statuses()
  expect(new Set(first).size).toBeGreaterThan(1)
  expect(await statuses()).toEqual(first)
})

test('a node with healthy services shows the given color, then its own, and returns 200', async () => {
  await using weir = stubWeir()
  await using a = stubService('A', good)
  await using b = stubService('B', good)
  const node = spec('N', { services: [a.address, b.address] })
  await using sim = await start({ services: [node], web: weir.url })
  const response = await activate(sim.first.url, { item: 'N', color: 'gold' })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ message: 'All services responded successfully' })
  await until(() => weir.colorsOf('N').length === 3)
  expect(weir.colorsOf('N')).toEqual(['gold', '#00ffcc', 'white'])
})

test('a node with one failing service shows red, returns 500 and lists every service', async () => {
  await using weir = stubWeir()
  await using a = stubService('A', good)
  await using b = stubService('B', () => Response.json({}, { status: 418 }))
  const gone = (await deadUrl()).replace('http://', '')
  const node = spec('N', { services: [a.address, b.address, gone] })
  await using sim = await start({ services: [node], web: weir.url })
  const response = await activate(sim.first.url, {})
  expect(response.status).toBe(500)
  expect(await response.json()).toMatchObject({
    error: 'One or more services failed',
    responses: { [a.address]: 200, [b.address]: 418, [gone]: 500 },
  })
  await until(() => weir.colorsOf('N').length === 3)
  expect(weir.colorsOf('N')).toEqual(['white', 'red', 'white'])
})

test('a slow service counts as 502 and is listed with the others', async () => {
  await using weir = stubWeir()
  await using a = stubService('A', good)
  await using late = stubService('L', () => new Promise<Response>(() => {}))
  const node = spec('N', { services: [a.address, late.address], timeoutMs: 150 })
  await using sim = await start({ services: [node], web: weir.url })
  const response = await activate(sim.first.url)
  expect(response.status).toBe(500)
  expect((await response.json()).responses).toEqual({ [a.address]: 200, [late.address]: 502 })
})

test('a node calls all its services at once, with the body it was given', async () => {
  await using weir = stubWeir()
  // Each answers only once both are asked: one after the other would never come to an end.
  const bothAsked = Promise.withResolvers<Response>()
  const asked: string[] = []
  const answer = (name: string) => () => {
    asked.push(name)
    if (asked.length === 2) bothAsked.resolve(good())
    return bothAsked.promise.then((response) => response.clone())
  }
  await using a = stubService('A', answer('A'))
  await using b = stubService('B', answer('B'))
  await using sim = await start({
    services: [spec('N', { services: [a.address, b.address] })],
    web: weir.url,
  })
  const body = '{ "item": "UI",  "color": "gold", "more": [1] }'
  expect((await activate(sim.first.url, body)).status).toBe(200)
  for (const service of [a, b]) {
    const posts = service.requests.filter(({ method }) => method === 'POST')
    expect(posts.map(({ path, body }) => ({ path, body }))).toEqual([{ path: '/activate', body }])
  }
})

test('a node keeps working while Weir is down, and logs it once', async () => {
  await using a = stubService('A', good)
  const world = hurriedWorld()
  const services = [spec('N', { services: [a.address] })]
  await using sim = await start({ services, web: await deadUrl() }, world)
  for (let request = 0; request < 3; request++) expect((await activate(sim.first.url)).status).toBe(200)
  await until(() => world.lines.length > 0)
  expect(world.lines).toHaveLength(1)
  expect(world.lines[0]).toContain('is unreachable')
})
