import { afterAll, beforeAll, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config/config.ts'
import { startWeir } from '../../src/weir.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir({ PUBLIC_URL: 'https://weir.test/' })
})

afterAll(async () => {
  await weir.close()
})

test.each(['0.0.0.0', '::', '192.0.2.1', 'weir.test'])(
  'without a token, Weir does not listen on %s',
  (host) => {
    const start = async () => startWeir(parseConfig({ PORT: '0', HOST: host }), () => {})
    expect(start()).rejects.toThrow(
      `HOST: ${host} is reachable from other machines; set WEIR_TOKEN, or listen on 127.0.0.1`,
    )
  },
)

/** A site may have its own name lead here once its page is loaded: the name is all that tells. */
test.each([
  ['rebound.test', 403],
  ['127.0.0.1.rebound.test', 403],
  ['localhost.rebound.test:3000', 403],
  ['weir.test', 200],
  ['localhost', 200],
  ['weir.localhost:8080', 200],
  ['127.0.0.1:3000', 200],
  ['[::1]:3000', 200],
])('without a token, a request for %s gets %d', async (host, status) => {
  const response = await fetch(`${weir.url}/api/settings`, { headers: { Host: host } })
  expect(response.status).toBe(status)
  if (status === 403)
    expect(await response.json()).toMatchObject({
      code: 'forbidden_origin',
      detail: expect.stringContaining('Set PUBLIC_URL'),
    })
})

test('without a token, anyone on the machine may do everything; a key restricts that', async () => {
  const made = await weir.send('POST', '/api/keys', { name: 'Script', scope: 'read' })
  const { secret, createdBy } = (await made.json()) as { secret: string; createdBy: string }
  expect([made.status, createdBy]).toEqual([201, 'local'])
  const headers = { Authorization: `Bearer ${secret}` }
  const refused = await fetch(`${weir.url}/api/keys`, { method: 'POST', headers, body: '{}' })
  expect([refused.status, await refused.json()]).toEqual([
    403,
    expect.objectContaining({ code: 'forbidden_scope' }),
  ])
  const page = await weir.get('/settings')
  expect(await page.text()).not.toContain('Sign out')
})

test('the settings page creates a key, shows it once, and revokes it, without script', async () => {
  const form = { name: 'From a <form>', scope: 'operate', expiresIn: '10080' }
  const headers = { 'Accept-Encoding': 'gzip' }
  const send = (path: string, body: URLSearchParams) =>
    fetch(weir.url + path, { method: 'POST', headers, body, redirect: 'manual' })
  const made = await send('/settings/keys', new URLSearchParams(form))
  const page = await made.text()
  const secret = /id="made-secret">\s*(weir_[\w-]{43})/.exec(page)?.[1]
  expect([made.status, secret]).toEqual([200, expect.any(String)])
  // How small it gets could tell what else is on it.
  expect([made.headers.get('content-encoding'), made.headers.get('cache-control')]).toEqual([
    null,
    'no-store, no-transform',
  ])
  expect(page).toContain('From a &lt;form&gt;')
  const { items } = await weir.json<{ items: { id: string; scope: string; expiresAt: string }[] }>(
    '/api/keys',
  )
  const key = items[0]
  expect([key?.scope, Date.parse(key?.expiresAt ?? '') > Date.now()]).toEqual(['operate', true])
  const { items: deeds } = await until('it is in the audit', async () => {
    const page = await weir.json<{ items: { subject: string }[] }>('/api/audit?q=/settings/keys')
    return page.items.length > 0 && page
  })
  expect(deeds[0]?.subject).toBe(key?.id as string)
  const again = await (await weir.get('/settings')).text()
  expect([again.includes(secret ?? ''), again.includes(`/settings/keys/${key?.id}/revoke`)]).toEqual([
    false,
    true,
  ])
  const wrong = await send('/settings/keys', new URLSearchParams({ ...form, scope: 'root' }))
  expect([wrong.status, await wrong.text()]).toEqual([
    422,
    expect.stringContaining('scope: expected read or'),
  ])
  const revoked = await send(`/settings/keys/${key?.id}/revoke`, new URLSearchParams())
  expect([revoked.status, revoked.headers.get('location')]).toEqual([303, '/settings#keys'])
  const bearer = { Authorization: `Bearer ${secret}` }
  const use = await fetch(`${weir.url}/api/keys`, { method: 'POST', headers: bearer, body: '{}' })
  expect(use.status).toBe(401)
})

test('over https, the cookie is for this host only, and browsers stay on https', async () => {
  const token = 'a-secret-of-sixteen'
  const safe = await startTestWeir({ PUBLIC_URL: 'https://weir.test/', WEIR_TOKEN: token })
  const body = new URLSearchParams({ secret: token })
  const login = await fetch(`${safe.url}/login`, {
    ...{ method: 'POST', body, redirect: 'manual' as const },
    headers: { Origin: 'https://weir.test' },
  })
  const set = login.headers.get('set-cookie') ?? ''
  expect(set).toMatch(
    /^__Host-weir-session=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure$/,
  )
  expect(login.headers.get('strict-transport-security')).toBe('max-age=31536000')
  const [cookie = ''] = set.split(';')
  const statusOf = async (Cookie: string) =>
    (await fetch(`${safe.url}/api/streams`, { headers: { Cookie } })).status
  expect(await statusOf(cookie)).toBe(200)
  // A site beside this one can set a cookie for the domain, but none of that name.
  expect(await statusOf(cookie.replace('__Host-', ''))).toBe(401)
  expect((await weir.get('/login')).headers.get('strict-transport-security')).toBe('max-age=31536000')
  await safe.close()
})
