import { expect, test } from 'bun:test'
import { Colours, MAX_WAITING_COLOURS } from '../../src/sim/service/colours.ts'
import { WeirClient } from '../../src/sim/weir/client.ts'
import { ANNOUNCE_EVERY_MS, MAX_WAITING_CALLS, Reports } from '../../src/sim/weir/reports.ts'
import type { World } from '../../src/sim/world.ts'
import {
  activate,
  deadUrl,
  hurriedWorld,
  recordingServer,
  spec,
  start,
  stubService,
  stubWeir,
  until,
} from './support.ts'

const callsOf = (weir: ReturnType<typeof stubWeir>) => weir.reports().flatMap(({ calls = [] }) => calls)

test('a service announces itself, and again later', async () => {
  await using weir = stubWeir()
  await using sim = await start({ services: [spec('T')], web: weir.url })
  await until(() => weir.reports().length >= 2)
  for (const report of weir.reports()) {
    expect(report).toEqual({ services: [{ id: 'T', url: sim.first.url }], calls: [] })
  }
})

test('a service announces itself to a Weir that comes later', async () => {
  const web = await deadUrl()
  const world = hurriedWorld()
  await using _ = await start({ services: [spec('T')], web }, world)
  await until(() => world.lines.length > 0)
  await using weir = stubWeir({ port: Number(new URL(web).port) })
  await until(() => weir.reports().some(({ services }) => services?.[0]?.id === 'T'))
  expect(world.lines.at(-1)).toBe(`${web} answers again`)
})

test('a node declares whom it calls as soon as it has learned the name from the address', async () => {
  await using weir = stubWeir()
  await using a = stubService('Alpha', () => Response.json({}))
  const world = hurriedWorld()
  const YEAR_MS = 31_536_000_000
  const later: World = {
    ...world,
    sleep: (ms, signal) => world.sleep(ms === ANNOUNCE_EVERY_MS ? YEAR_MS : ms, signal),
  }
  await using _ = await start({ services: [spec('N', { services: [a.address] })], web: weir.url }, later)
  await until(() => callsOf(weir).length > 0)
  expect(weir.reports()).toEqual([
    { services: [expect.objectContaining({ id: 'N' })], calls: [] },
    { calls: [{ from: 'N', to: 'Alpha' }] },
  ])
})

test('a node announces whom it calls again later', async () => {
  await using weir = stubWeir()
  await using a = stubService('Alpha', () => Response.json({}))
  await using _ = await start({ services: [spec('N', { services: [a.address] })], web: weir.url })
  await until(() => weir.reports().some(({ services, calls }) => services && calls?.[0]?.to === 'Alpha'))
})

test('a node reports each call with its outcome', async () => {
  await using weir = stubWeir()
  await using a = stubService('Alpha', () => Response.json({}))
  await using b = stubService('Beta', () => Response.json({}, { status: 503 }))
  await using sim = await start({
    services: [spec('N', { services: [a.address, b.address] })],
    web: weir.url,
  })
  await until(() => new Set(callsOf(weir).map(({ to }) => to)).size === 2)
  await activate(sim.first.url)
  const outcomes = () => callsOf(weir).filter(({ status }) => status !== undefined)
  await until(() => outcomes().length === 2)
  expect(outcomes().toSorted((x, y) => x.to.localeCompare(y.to))).toEqual([
    { from: 'N', to: 'Alpha', status: 200, durationMs: expect.any(Number) },
    { from: 'N', to: 'Beta', status: 503, durationMs: expect.any(Number) },
  ])
})

test('a call to a service whose name is not known is not reported, and the name is asked again', async () => {
  await using weir = stubWeir()
  let asked = 0
  let name: string | undefined
  await using a = recordingServer(({ path }) => {
    if (path === '/state') asked++
    return Response.json(path === '/state' ? { service: name } : {})
  })
  await using sim = await start({ services: [spec('N', { services: [a.address] })], web: weir.url })
  await until(() => asked >= 2)
  expect((await activate(sim.first.url)).status).toBe(200)
  name = 'Alpha'
  await until(() => callsOf(weir).length > 0)
  await activate(sim.first.url)
  await until(() => callsOf(weir).some(({ status }) => status !== undefined))
  expect(callsOf(weir).filter(({ status }) => status !== undefined)).toHaveLength(1)
})

test('the colours of a service arrive in order even when the web program answers out of it', async () => {
  let arrived = 0
  const colors: string[] = []
  await using weir = recordingServer(async ({ path, body }) => {
    if (path !== '/activate') return Response.json({})
    // The earlier a report arrives, the longer its answer takes.
    await Bun.sleep(Math.max(0, 30 - 10 * arrived++))
    colors.push(JSON.parse(body).color)
    return Response.json({})
  })
  await using a = stubService('A', () => Response.json({}))
  await using sim = await start({ services: [spec('N', { services: [a.address] })], web: weir.url })
  await activate(sim.first.url, { color: 'one' })
  await activate(sim.first.url, { color: 'two' })
  await until(() => colors.length === 6)
  expect(colors).toEqual(['one', '#00ffcc', 'white', 'two', '#00ffcc', 'white'])
})

test('a web program that never answers holds up neither the service nor its end', async () => {
  const hanging = new Promise<Response>(() => {})
  await using weir = recordingServer(() => hanging)
  await using a = stubService('A', () => Response.json({}))
  await using sim = await start({
    services: [spec('N', { services: [a.address] })],
    web: weir.url,
    register: true,
  })
  const first = activate(sim.first.url)
  await until(() => weir.requests.some(({ path }) => path === '/activate'))
  expect((await first).status).toBe(200)
  expect((await activate(sim.first.url)).status).toBe(200)
  await sim.close()
})

test('a web program that refuses reports is named once', async () => {
  await using weir = recordingServer(() => Response.json({ detail: 'Token missing' }, { status: 401 }))
  const world = hurriedWorld()
  await using sim = await start({ services: [spec('T')], web: weir.url }, world)
  const colors = () => weir.requests.filter(({ path }) => path === '/activate')
  await activate(sim.first.url)
  await activate(sim.first.url)
  await until(() => colors().length === 4 && world.lines.length === 2)
  expect(world.lines.toSorted()).toEqual([
    `${weir.url}/activate refuses reports: Token missing (status 401)`,
    `${weir.url}/api/topology refuses reports: Token missing (status 401)`,
  ])
})

test('every request to the web program carries the token, and none to a service does', async () => {
  await using weir = stubWeir()
  await using a = stubService('A', () => Response.json({}))
  const services = [spec('N', { services: [a.address] })]
  await using sim = await start({ services, web: weir.url, token: 'secret', register: true })
  await activate(sim.first.url)
  await until(() => weir.streams.length === 2 && weir.colorsOf('N').length === 3)
  await until(() => callsOf(weir).some(({ status }) => status === 200))
  expect(new Set(weir.requests.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']))
  expect(new Set(a.requests.map(({ authorization }) => authorization))).toEqual(new Set([null]))
})

test('of a service whose colours wait only the newest are kept, and services take turns', async () => {
  const sent: string[] = []
  const leave = Promise.withResolvers<void>()
  const send = async (name: string, color: string) => {
    sent.push(`${name} ${color}`)
    await leave.promise
  }
  const colours = new Colours({ send, world: hurriedWorld(), closing: new AbortController().signal })
  for (let color = 0; color <= MAX_WAITING_COLOURS + 3; color++) colours.push('a', String(color))
  colours.push('b', 'gold')
  await until(() => sent.length === 1)
  leave.resolve()
  await until(() => sent.length === MAX_WAITING_COLOURS + 2)
  expect(sent.slice(0, 4)).toEqual(['a 0', 'a 4', 'b gold', 'a 5'])
  expect(sent.at(-1)).toBe(`a ${MAX_WAITING_COLOURS + 3}`)
})

test('more colours than a picture needs are held to a rate', async () => {
  let now = 0
  const sent: string[] = []
  const world: World = {
    ...hurriedWorld(),
    now: () => now,
    sleep: async (ms) => {
      now += ms
    },
  }
  const send = async (name: string) => void sent.push(name)
  const colours = new Colours({ send, world, closing: new AbortController().signal })
  for (let service = 0; service < 300; service++) colours.push(`s${service}`, 'red')
  await until(() => sent.length === 300)
  // A hundred at once, then a hundred a second.
  expect(now).toBeGreaterThanOrEqual(1_900)
  expect(now).toBeLessThanOrEqual(2_100)
})

test('calls that wait for Weir are bounded, and go out in lists that it takes', async () => {
  const lists: number[] = []
  await using weir = recordingServer(({ body }) => {
    lists.push(JSON.parse(body).calls.length)
    return Response.json({})
  })
  const world = hurriedWorld()
  const closing = new AbortController().signal
  const client = new WeirClient({ web: weir.url, token: undefined, world, closing })
  const reports = new Reports({ client, world, closing })
  for (let call = 0; call < MAX_WAITING_CALLS + 700; call++) {
    reports.call({ from: 'a', to: 'b', status: 200, durationMs: 1 })
  }
  await until(() => lists.length === MAX_WAITING_CALLS / 500)
  expect(new Set(lists)).toEqual(new Set([500]))
})
