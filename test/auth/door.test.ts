import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { ADMIN_ROUTES } from '../../src/auth/access.ts'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
const PAGE = { Accept: 'text/html' }
const NOBODY = crypto.randomUUID()

let weir: TestWeir

beforeAll(async () => {
  // Each test that guesses has an address of its own.
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN, TRUST_PROXY: '127.0.0.1' })
})

afterAll(async () => {
  await weir.close()
})

interface Asked extends RequestInit {
  headers?: Record<string, string>
}

const ask = (path: string, init: Asked = {}) => fetch(weir.url + path, { redirect: 'manual', ...init })
const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` })
const owner = (path: string, method = 'GET', body?: unknown) =>
  ask(path, { method, headers: bearer(TOKEN), body: body === undefined ? undefined : JSON.stringify(body) })

async function makeKey(scope: string, more: Record<string, unknown> = {}) {
  const response = await owner('/api/keys', 'POST', { name: `To ${scope}`, scope, ...more })
  expect(response.status).toBe(201)
  return (await response.json()) as { id: string; secret: string; prefix: string }
}

async function logIn(secret: string, address = '192.0.2.1', next?: string) {
  const body = new URLSearchParams({ secret, ...(next !== undefined && { next }) })
  const response = await ask('/login', { method: 'POST', body, headers: { 'X-Forwarded-For': address } })
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  return { response, cookie }
}

const BEHIND: readonly [path: string, method?: string][] = [
  ['/'],
  ['/streams'],
  ['/settings'],
  ['/audit'],
  ['/jobs'],
  ['/jobs/api/queues'],
  ['/jobs/static/js/main.js'],
  ['/openapi'],
  ['/openapi/json'],
  ['/metrics'],
  ['/pulse'],
  ['/api/streams'],
  ['/api/keys'],
  ['/api/keys', 'POST'],
  ['/api/audit'],
  [`/api/streams/${NOBODY}/events`],
  [`/streams/${NOBODY}/live`],
  ['/streams/live'],
  ['/channels/live'],
  ['/topology'],
  ['/diagram'],
  ['/events'],
  ['/api/topology/events'],
  ['/activate', 'POST'],
  ['/v1/traces', 'POST'],
  ['/assets/views/layout/client/console.ts'],
  ['/assets/htmx.js'],
  ['/logout', 'POST'],
  ['/nothing'],
  ['/login/..%2fstreams'],
]

test.each(BEHIND)('nobody gets %s %s without a secret', async (path, method = 'GET') => {
  const response = await ask(path, { method })
  expect(response.status).toBe(401)
  const wrong = { ...bearer('not-the-token-of-it'), 'X-Forwarded-For': '192.0.2.2' }
  expect((await ask(path, { method, headers: wrong })).status).toBe(401)
})

test.each(['/proxy/http://127.0.0.1:1/', '/http://127.0.0.1:1/'])(
  'subscribing to %s requires a secret',
  async (path) => {
    const response = await ask(path)
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"status":40101')])
  },
)

test('only health checks and sign-in are open', async () => {
  const page = await (await ask('/login')).text()
  const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '')
  expect(assets.length).toBeGreaterThan(2)
  expect(page).not.toContain('<script')
  for (const path of ['/healthz', '/healthz/', '/login', ...assets])
    expect([path, (await ask(path)).status]).toEqual([path, 200])
})

test('a browser is redirected to sign-in, and a program is told what to send', async () => {
  const page = await ask('/streams?tag=a&after=b', { headers: PAGE })
  expect([page.status, page.headers.get('location')]).toEqual([
    303,
    '/login?next=%2Fstreams%3Ftag%3Da%26after%3Db',
  ])
  // The page stays, with what is typed on it.
  const part = await ask('/streams/live', {
    headers: { ...PAGE, 'HX-Request': 'true', 'HX-Current-URL': `${weir.url}/streams?tag=a` },
  })
  expect(part.headers.get('hx-reswap')).toBe('none')
  expect([part.status, part.headers.get('hx-trigger')]).toEqual([
    401,
    expect.stringContaining("You're signed out"),
  ])
  const program = await ask('/api/streams')
  expect(program.headers.get('www-authenticate')).toStartWith('Basic ')
  expect(await program.json()).toMatchObject({
    code: 'unauthorized',
    detail: expect.stringContaining('API key'),
  })
  const script = await ask('/pulse', { headers: { 'Sec-Fetch-Mode': 'cors' } })
  expect(script.headers.get('www-authenticate')).toStartWith('Bearer ')
})

test('a key is shown once, stored as a hash, and accepted in every form', async () => {
  const { id, secret, prefix } = await makeKey('read')
  expect(secret).toMatch(/^weir_[\w-]{43}$/)
  expect(secret.startsWith(prefix.slice(0, -1))).toBe(true)
  for (const path of ['/api/keys', `/api/keys/${id}`, '/settings', '/audit', '/api/audit'])
    expect(await (await owner(path)).text()).not.toContain(secret)
  const basic = { Authorization: `Basic ${btoa(`anybody:${secret}`)}` }
  for (const headers of [bearer(secret), basic])
    expect((await ask('/api/streams', { headers })).status).toBe(200)
  const proxied = await ask(`/proxy/ftp://nowhere?X-Sd-Token=${secret}`)
  expect(await proxied.text()).not.toContain('"status":40101')
  const near = secret.slice(0, -1) + (secret.endsWith('A') ? 'E' : 'A')
  expect((await ask('/api/streams', { headers: bearer(near) })).status).toBe(401)
  await until('its use is written down', async () => {
    const { usedAt, usedFrom } = (await (await owner(`/api/keys/${id}`)).json()) as Record<string, string>
    return usedAt !== null && usedFrom === '127.0.0.1'
  })
})

test.each([
  [{ name: '', scope: 'read' }, 'name'],
  [{ name: 'A', scope: 'root' }, 'scope'],
  [{ name: 'A', scope: 'read', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  [{ name: 'A', scope: 'read', expiresAt: 'soon' }, 'expiresAt'],
  [{ name: 'A', scope: 'read', secret: 'mine' }, 'secret'],
])('%o isn’t a valid key request', async (body, field) => {
  const response = await owner('/api/keys', 'POST', body)
  expect([response.status, await response.json()]).toEqual([422, expect.objectContaining({ field })])
})

/** Far enough away for a loaded machine to use a key first. */
const soon = () => new Date(Date.now() + 4_000).toISOString()

test('a revoked or expired key is rejected, however it is sent', async () => {
  const { id, secret } = await makeKey('operate')
  const { cookie } = await logIn(secret)
  const carried = [bearer(secret), { Cookie: cookie }]
  for (const headers of carried) expect((await ask('/api/streams', { headers })).status).toBe(200)
  expect((await owner(`/api/keys/${id}`, 'DELETE')).status).toBe(204)
  for (const headers of carried) expect((await ask('/api/streams', { headers })).status).toBe(401)
  expect((await owner(`/api/keys/${id}`, 'DELETE')).status).toBe(204)
  expect((await owner(`/api/keys/${NOBODY}`, 'DELETE')).status).toBe(404)
  const expiring = await makeKey('read', { expiresAt: soon() })
  expect((await ask('/api/keys', { headers: bearer(expiring.secret) })).status).toBe(200)
  await until('it has expired', async () => {
    return (await ask('/api/keys', { headers: bearer(expiring.secret) })).status === 401
  })
})

const DEEDS: readonly [method: string, path: string, least: string, body?: unknown][] = [
  ['GET', '/api/streams', 'read'],
  ['GET', '/api/audit', 'read'],
  ['POST', `/api/streams/${NOBODY}/start`, 'operate'],
  ['PATCH', `/api/streams/${NOBODY}`, 'operate', {}],
  ['POST', `/api/streams/${NOBODY}/notify`, 'operate', { message: 'a' }],
  ['POST', `/api/incidents/${NOBODY}/acknowledge`, 'operate', {}],
  ['POST', '/api/silences', 'operate', {}],
  ['POST', `/streams/${NOBODY}/stop`, 'operate'],
  ['POST', '/api/streams/bulk', 'operate', { action: 'stop', ids: [NOBODY] }],
  ['POST', '/api/streams/bulk', 'admin', { action: 'delete', ids: [NOBODY] }],
  ['POST', '/api/channels', 'admin', {}],
  ['PATCH', `/api/channels/${NOBODY}`, 'admin', {}],
  ['POST', `/channels/${NOBODY}`, 'admin'],
  ['POST', '/api/backup', 'admin'],
  ['POST', '/api/keys', 'admin', {}],
  ['POST', '/api/keys/', 'admin', {}],
  ['DELETE', `/api/keys/${NOBODY}`, 'admin'],
  ['POST', '/settings/keys', 'admin'],
  ['PUT', '/jobs/api/queues/streams/pause', 'admin'],
]

/** Of the table of routes, with an id that nothing has. */
const ADMINS_BUT_BOARD = ADMIN_ROUTES.filter((name) => !name.includes('/jobs'))
const ADMINS = ADMINS_BUT_BOARD.map((name) => name.replace(':id', NOBODY).split(' ') as [string, string])

test('everything that only admins may do is refused to others, and documented', async () => {
  const { secret } = await makeKey('operate')
  for (const [method, path] of ADMINS) {
    const response = await ask(path, { method, headers: bearer(secret) })
    expect([method, path, response.status]).toEqual([method, path, 403])
  }
  const manual = await Bun.file(join(import.meta.dir, '../../docs/security.md')).text()
  expect(ADMINS_BUT_BOARD.filter((name) => !manual.includes(`\`${name}\``))).toEqual([])
})

test('each scope is allowed its routes, and told what it lacks for others', async () => {
  const secrets = new Map<string, string>()
  for (const scope of ['read', 'operate', 'admin']) secrets.set(scope, (await makeKey(scope)).secret)
  const scopes = [...secrets.keys()]
  for (const [method, path, least, body] of DEEDS) {
    for (const [scope, secret] of secrets) {
      const may = scopes.indexOf(scope) >= scopes.indexOf(least)
      const init = {
        method,
        headers: bearer(secret),
        body: body === undefined ? undefined : JSON.stringify(body),
      }
      // The queues are paused for nobody.
      if (may && /^\/(jobs|api\/backup)/.test(path)) continue
      const response = await ask(path, init)
      const told = await response.text()
      const refused = told.includes('"forbidden_scope"')
      expect([method, path, scope, refused, response.status === 403]).toEqual([
        method,
        path,
        scope,
        !may,
        !may,
      ])
      if (!may) expect(told).toMatch(/requires scope (operate|admin)/)
    }
  }
})

test('signing in lasts until signing out, with a cookie that scripts can’t read', async () => {
  const { response, cookie } = await logIn(TOKEN, '192.0.2.3', '/streams?tag=a#b')
  expect([response.status, response.headers.get('location')]).toEqual([303, '/streams?tag=a#b'])
  expect(response.headers.get('set-cookie')).toMatch(
    /^weir-session=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax$/,
  )
  const headers = { Cookie: cookie }
  const page = await (await ask('/streams', { headers: { ...headers, ...PAGE } })).text()
  expect(page).toMatch(/<div class="who">.*owner.*action="\/logout"/)
  expect((await ask('/login?next=/audit', { headers })).headers.get('location')).toBe('/audit')
  const out = await ask('/logout', { method: 'POST', headers: { ...headers, Origin: weir.url } })
  expect([out.status, out.headers.get('location')]).toEqual([303, '/login'])
  expect(out.headers.get('set-cookie')).toStartWith('weir-session=; Path=/; Max-Age=0;')
  expect((await ask('/streams', { headers })).status).toBe(401)
})

test('behind an https proxy, the cookie is for https only', async () => {
  const body = new URLSearchParams({ secret: TOKEN })
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '192.0.2.4' }
  const response = await ask('/login', { method: 'POST', body, headers })
  expect(response.headers.get('set-cookie')).toEndWith('; Secure')
})

test.each([
  'https://elsewhere.test/',
  '//elsewhere.test/',
  '/\\elsewhere.test/',
  '/.//elsewhere.test/',
  '/\t/elsewhere.test/',
  'javascript:alert(1)',
  '/logout',
  `/${'a'.repeat(3_000)}`,
])('no link redirects to %s', async (next) => {
  const { response } = await logIn(TOKEN, '192.0.2.5', next)
  expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
  const page = await (await ask(`/login?${new URLSearchParams({ next })}`)).text()
  expect(page).not.toContain('name="next"')
})

const FROM: readonly [headers: Record<string, string>, isRefused: boolean][] = [
  [{ Origin: 'http://elsewhere.test' }, true],
  [{ Origin: 'null' }, true],
  [{ 'Sec-Fetch-Site': 'cross-site' }, true],
  [{ 'Sec-Fetch-Site': 'same-site' }, true],
  [{}, true],
  [{ 'Sec-Fetch-Site': 'same-origin' }, false],
]

test('a page of another site can’t change anything for a signed-in user', async () => {
  const { cookie } = await logIn(TOKEN, '192.0.2.6')
  const send = (more: Record<string, string>) =>
    ask('/api/silences', { method: 'POST', body: '{}', headers: { Cookie: cookie, ...more } })
  for (const [more, isRefused] of [...FROM, [{ Origin: weir.url }, false] as const])
    expect([more, (await send(more)).status]).toEqual([more, isRefused ? 403 : 422])
  const login = (Origin: string) =>
    ask('/login', { method: 'POST', body: new URLSearchParams({ secret: TOKEN }), headers: { Origin } })
  expect((await login('http://elsewhere.test')).status).toBe(403)
  // To subscribe to the proxy makes Weir ask the target, which is more than reading.
  const subscribe = async (more: Record<string, string>) =>
    (await ask('/proxy/ftp://nowhere', { headers: { Cookie: cookie, ...more } })).text()
  for (const [more, isRefused] of [...FROM, [{ Origin: weir.url }, false] as const])
    expect([more, (await subscribe(more)).includes('forbidden_origin')]).toEqual([more, isRefused])
  const other = { Origin: weir.url.replace('http:', 'https:') }
  const refused = await send(other)
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('PUBLIC_URL')])
  expect((await send({ ...other, 'X-Forwarded-Proto': 'https' })).status).toBe(422)
  expect((await send({ Origin: weir.url, 'X-Forwarded-Proto': 'https' })).status).toBe(403)
  // A program's secret comes by no browser's own doing.
  const bare = await ask('/api/silences', { method: 'POST', body: '{}', headers: bearer(TOKEN) })
  expect(bare.status).toBe(422)
})

test('an address that sends ten different wrong secrets is locked out, and no other is', async () => {
  const attacker = '198.51.100.7'
  const guess = (secret: string, address: string) =>
    ask('/api/streams', { headers: { ...bearer(secret), 'X-Forwarded-For': address } })
  // The same one again and again is a program that nobody told, no guess.
  for (let at = 0; at < 15; at++) expect((await guess('an-old-token-of-it', attacker)).status).toBe(401)
  for (let at = 0; at < 9; at++) expect((await guess(`guess-number-${at}`, attacker)).status).toBe(401)
  for (const secret of [TOKEN, 'another']) {
    const refused = await guess(secret, attacker)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 901)
    expect(await refused.json()).toMatchObject({
      code: 'too_many',
      detail: expect.stringMatching(/\d+ minutes/),
    })
  }
  const { response } = await logIn(TOKEN, attacker)
  expect([response.status, response.headers.has('retry-after')]).toEqual([429, true])
  expect(await response.text()).toContain('Try again in')
  expect((await guess(TOKEN, '198.51.100.8')).status).toBe(200)
  const { secret } = await makeKey('read')
  expect((await guess(secret, attacker)).status).toBe(200)
  // Of IPv6, one site has all addresses that begin alike.
  for (let at = 0; at < 10; at++) await guess(`six-${at}`, `2001:db8:0:1::${at + 1}`)
  expect((await guess(TOKEN, '2001:db8:0:1:ffff::1')).status).toBe(429)
  expect((await guess(TOKEN, '2001:db8:0:2::1')).status).toBe(200)
})

test('changes are recorded with their caller; refusals and reads aren’t', async () => {
  const { id: keyId, secret } = await makeKey('operate', { name: 'Ada <of> shift 2' })
  const body = {
    reason: 'Nobody may read this',
    tag: 'a',
    endsAt: new Date(Date.now() + 60_000).toISOString(),
  }
  const headers = { ...bearer(secret), 'X-Forwarded-For': '203.0.113.9' }
  const made = await ask('/api/silences', { method: 'POST', headers, body: JSON.stringify(body) })
  const { id } = (await made.json()) as { id: string }
  expect(made.status).toBe(201)
  await ask('/api/silences', { headers })
  await ask('/api/silences', { method: 'POST', headers, body: '{}' })
  await ask('/api/keys', { method: 'POST', headers, body: '{}' })
  await ask(`/api/silences/${id}`, { method: 'DELETE', headers })
  for (let at = 0; at < 3; at++)
    await ask('/activate', { method: 'POST', headers, body: JSON.stringify({ item: 'A', color: 'red' }) })
  type Audit = { items: Record<string, unknown>[]; next: string | null }
  const read = async (query: string) => (await (await owner(`/api/audit?${query}`)).json()) as Audit
  const { items } = await until('all is written down', async () => {
    const page = await read(`caller=key:${keyId}`)
    const isComplete = page.items.every(({ status }) => status !== 0)
    return isComplete && page.items.some(({ route }) => route === '/activate') && page
  })
  const common = { caller: `key:${keyId}`, name: 'Ada <of> shift 2', address: '203.0.113.9' }
  expect(items.map(({ id: _, at: __, status: ___, ...deed }) => deed)).toEqual([
    { ...common, method: 'POST', route: '/activate', subject: null },
    { ...common, method: 'DELETE', route: '/api/silences/:id', subject: id },
    { ...common, method: 'POST', route: '/api/silences', subject: id },
  ])
  const first = await read('limit=1&q=203.0.113.9')
  const rest = await read(`limit=50&q=203.0.113.9&after=${first.next}`)
  expect([...first.items, ...rest.items]).toEqual(items)
  expect((await read('q=%25of%25')).items).toEqual([])
  const page = await (await owner('/audit?q=shift+2')).text()
  expect(page).toContain('Ada &lt;of&gt; shift 2')
  expect(page).not.toContain(body.reason)
  const all = await read('limit=200')
  expect(all.items).toContainEqual(
    expect.objectContaining({ name: 'owner', route: '/api/keys', subject: keyId, status: 201 }),
  )
})

test('the audit log has the status and the ID of what was registered', async () => {
  const registration = { url: 'http://93.184.215.14/prices', kind: 'poll', start: false }
  const answer = await ask('/api/streams', {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(registration),
  })
  expect(answer.status).toBe(201)
  const { id } = (await answer.json()) as { id: string }
  const deed = await until('it is written down', async () => {
    const page = (await (await owner('/api/audit?limit=200')).json()) as { items: Record<string, unknown>[] }
    return page.items.find(({ route, status }) => route === '/api/streams' && status !== 0)
  })
  expect(deed).toMatchObject({ status: 201, subject: id })
})

test('an event stream ends when its key is revoked or expires, and when its reader signs out', async () => {
  const revoked = await makeKey('read')
  const { cookie } = await logIn(TOKEN, '192.0.2.30')
  const closed = async () => {
    const metrics = await (await owner('/metrics')).text()
    return Number(/^weir_fanout_closed_total\{reason="revoked"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
  }
  const before = await closed()
  const expiring = await makeKey('read', { expiresAt: soon() })
  const paths = ['/events', '/api/topology/events', '/streams/live?ids=']
  const open = async (headers: Record<string, string>) => {
    const answers = await Promise.all(paths.map((path) => ask(path, { headers })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    return answers
  }
  const readers = [bearer(expiring.secret), bearer(revoked.secret), { Cookie: cookie }]
  const streams = await Promise.all(readers.map(open))
  const ended = await Promise.all([
    ...streams.map((answers) => Promise.all(answers.map((answer) => answer.text()))),
    owner(`/api/keys/${revoked.id}`, 'DELETE'),
    ask('/logout', { method: 'POST', headers: { Cookie: cookie, Origin: weir.url } }),
  ])
  expect(ended).toHaveLength(5)
  expect((await closed()) - before).toBe(9)
})

test('choosing a theme isn’t recorded, but signing in is', async () => {
  const { secret, id } = await makeKey('read')
  const { cookie } = await logIn(secret, '192.0.2.31')
  const theme = { method: 'POST', body: new URLSearchParams({ theme: 'dark' }) }
  const chosen = await ask('/settings/preferences', {
    ...theme,
    headers: { Cookie: cookie, Origin: weir.url },
  })
  expect(chosen.status).toBe(303)
  const { items } = await until('it is written down', async () => {
    const page = await (await owner(`/api/audit?caller=key:${id}`)).json()
    const { items } = page as { items: { route: string; status: number }[] }
    return items[0]?.status === 303 && { items }
  })
  expect(items.map(({ route }) => route)).toEqual(['/login'])
})

test('unknown paths of the board are not found, with any method', async () => {
  for (const [path, method, status] of [
    ['/jobs', 'GET', 200],
    ['/jobs/nothing', 'GET', 404],
    ['/jobs/api/nothing', 'GET', 404],
    ['/jobs/api/queues', 'OPTIONS', 404],
    ['/jobs', 'POST', 404],
  ] as const)
    expect([path, method, (await owner(path, method)).status]).toEqual([path, method, status])
})

describeInBrowser('in a browser', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
  })

  test.each([true, false])('signing in and out works on a phone (with script: %p)', async (script) => {
    const { page, faults, close } = await openPage(browser, {
      ...{ viewport: PHONE, javaScriptEnabled: script },
      extraHTTPHeaders: { 'X-Forwarded-For': '192.0.2.20' },
    })
    await page.goto(`${weir.url}/streams?tag=a`)
    expect(new URL(page.url()).pathname).toBe('/login')
    expect(await sidewaysScroll(page)).toBe(0)
    const field = page.getByLabel('API key or WEIR_TOKEN')
    await field.fill('not-the-token-of-it')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').getByText('Wrong token, or the API key is invalid').waitFor()
    await field.fill(TOKEN)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Streams', level: 1 }).waitFor()
    expect(page.url()).toBe(`${weir.url}/streams?tag=a`)
    expect(await sidewaysScroll(page)).toBe(0)
    expect(await page.evaluate(() => document.cookie)).not.toContain('weir-session')
    if (script) await loggedOutElsewhere(page)
    else await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in to Weir' }).waitFor()
    await page.goto(`${weir.url}/settings`)
    expect(new URL(page.url()).pathname).toBe('/login')
    expect(faults.filter((fault) => !fault.includes('401'))).toEqual([])
    await close()
  })

  /** A page that is open says that its reader is logged out, and where to log in again. */
  async function loggedOutElsewhere(page: Page): Promise<void> {
    const [cookie] = await page.context().cookies()
    await ask('/logout', {
      method: 'POST',
      headers: { Cookie: `weir-session=${cookie?.value}`, Origin: weir.url },
    })
    const link = page.locator('#connection').getByRole('link', { name: 'Sign in' })
    await link.waitFor()
    expect(await link.getAttribute('href')).toBe('/login?next=%2Fstreams%3Ftag%3Da')
    await link.click()
  }
})

test('no warnings were logged', () => {
  expect(weir.warnings).toEqual([])
})
