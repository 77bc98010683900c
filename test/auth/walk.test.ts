import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ACCESS, accessOf, checkDecided } from '../../src/auth/access.ts'
import { bodyOf } from '../support/raw.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import {
  type Asked,
  allRoutes,
  askRaw,
  each,
  expected,
  HOSTS,
  judged,
  NO_HOSTS,
  OPEN_PATHS,
  SCOPES,
  WHO,
  type Who,
} from './walk.ts'

const TOKEN = 'a-secret-of-sixteen'
const ROUTES = allRoutes()
/** An admin who is let in there would back up and pause what the other tests use. */
const LEFT_ALONE = new Set(['POST /api/backup', 'ALL /jobs', 'ALL /jobs/*'])

let weir: TestWeir
const secrets = new Map<Who, string | undefined>([['nobody', undefined]])

beforeAll(async () => {
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN, RATE_LIMIT: '0', MAX_SUBSCRIBERS_PER_CLIENT: '100000' })
  for (const scope of SCOPES) {
    const response = await fetch(`${weir.url}/api/keys`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ name: scope, scope }),
    })
    secrets.set(scope, ((await response.json()) as { secret: string }).secret)
  }
})

afterAll(() => weir?.close())

const own = () => new URL(weir.url).host

async function faults(
  routes: readonly Asked[],
  whos: readonly Who[],
  how: (route: Asked) => { target: string; hosts: readonly string[] },
  wanted: (route: Asked, who: Who) => string,
): Promise<string[]> {
  const found: string[] = []
  const cases = routes.flatMap((route) => whos.map((who) => ({ route, who })))
  await each(cases, async ({ route, who }) => {
    const { target, hosts } = how(route)
    const answer = await askRaw(weir.url, { method: route.method, target, hosts, secret: secrets.get(who) })
    const [got, want] = [judged(answer), wanted(route, who)]
    if (got !== want)
      found.push(`${route.name} as ${who}, ${target} of ${hosts}: ${got} (${answer.status}), not ${want}`)
  })
  return found
}

test('a route without an access decision keeps Weir from starting, and is refused', () => {
  const added = [
    { method: 'GET', path: '/healthz' },
    { method: 'GET', path: '/added' },
  ]
  expect(() => checkDecided(added)).toThrow('No access decision for GET /added')
  expect(accessOf('GET', '/added')).toBeUndefined()
  expect(accessOf('BREW', '/api/streams')).toBeUndefined()
  expect(accessOf('HEAD', '/api/streams')).toBe('read')
})

test('only these routes are open', () => {
  const open = [...ACCESS].filter(([, access]) => access === 'open').map(([name]) => name)
  expect(open.filter((name) => !name.startsWith('GET /assets/')).sort()).toEqual([
    'GET /healthz',
    'GET /login',
    'GET /readyz',
    'POST /login',
  ])
})

test('only what is pushed is let in by a token in its path', () => {
  expect([...ACCESS].filter(([, access]) => access === 'token').map(([name]) => name)).toEqual([
    'POST /in/:token',
  ])
  expect(accessOf('GET', '/in/:token')).toBeUndefined()
})

test('each route admits whoever is allowed, under every name of Weir', async () => {
  // POST /login is told apart by what it answers: that the secret is wrong.
  const routes = ROUTES.filter(({ name }) => name !== 'POST /login')
  const refused = (who: Who) => routes.filter(({ access }) => expected(who, access) !== 'let in')
  const asked = routes.filter(({ name }) => !LEFT_ALONE.has(name))
  const plain = ({ path }: Asked) => ({ target: path, hosts: [own()] })
  const wanted = ({ access }: Asked, who: Who) => expected(who, access)
  expect(await faults(asked, WHO, plain, wanted)).toEqual([])
  for (const who of WHO)
    for (const host of HOSTS) {
      const called = ({ path }: Asked) => ({ target: path, hosts: [host] })
      expect(await faults(refused(who), [who], called, wanted)).toEqual([])
    }
}, 300_000)

test('no route is reachable through the path of an open one', async () => {
  const hidden = ROUTES.filter(({ access, method }) => access !== 'open' && method !== 'DELETE')
  const plain = new Map<string, string>()
  const ask = async (method: string, target: string, host: string) => {
    const answer = await askRaw(weir.url, { method, target, hosts: [host], secret: undefined })
    return `${answer.status} ${bodyOf(answer).replace(/"requestId":"[^"]*"/, '')}`
  }
  for (const method of ['GET', 'POST', 'PUT', 'PATCH'])
    for (const open of OPEN_PATHS) plain.set(`${method} ${open}`, await ask(method, open, own()))
  const found: string[] = []
  await each(hidden, async ({ name, method, path }) => {
    for (const open of OPEN_PATHS)
      for (const host of ['a', 'a:1', '1.2']) {
        const got = await ask(method, `${open}?${path}`, host)
        if (got !== plain.get(`${method} ${open}`))
          found.push(`${name} behind ${open} of ${host}: ${got.slice(0, 200)}`)
      }
  })
  expect(found).toEqual([])
}, 300_000)

test('fragments and absolute-form targets reach nothing more', async () => {
  const routes = ROUTES.filter(({ access }) => access !== 'open' && access !== 'token')
  const unknown = () => 'unknown'
  for (const open of OPEN_PATHS)
    for (const mark of ['#', '#?', ';'])
      expect(
        await faults(
          routes,
          ['nobody'],
          ({ path }) => ({ target: `${open}${mark}${path}`, hosts: ['a'] }),
          unknown,
        ),
      ).toEqual([])
  for (const before of ['http://a', 'http://localhost', 'HTTP://[::1]:80'])
    expect(
      await faults(routes, ['nobody'], ({ path }) => ({ target: before + path, hosts: ['a'] }), unknown),
    ).toEqual([])
}, 300_000)

test('a request with two hosts, or an invalid one, is rejected', async () => {
  const bad = () => 'bad request'
  const whos: Who[] = ['nobody', 'admin']
  for (const host of NO_HOSTS)
    expect(await faults(ROUTES, whos, ({ path }) => ({ target: path, hosts: [host] }), bad)).toEqual([])
  const doubled = ({ path }: Asked) => ({ target: path, hosts: [own(), 'a'] })
  expect(await faults(ROUTES, whos, doubled, bad)).toEqual([])
}, 300_000)

test('no warnings were logged', () => {
  expect(weir.warnings).toEqual([])
})
