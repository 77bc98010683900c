import { afterAll, beforeAll, expect, test } from 'bun:test'
import { HIDDEN } from '../../../src/core/hidden.ts'
import { checkRegistration } from '../../../src/streams/registry/registration.ts'
import { makeCertificate, type TestCertificate } from '../../support/tls.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../../support/weir.ts'

let upstream: Upstream
let weir: TestWeir
let own: TestCertificate
let other: TestCertificate

beforeAll(async () => {
  upstream = startUpstream()
  ;[weir, own, other] = await Promise.all([startTestWeir(), makeCertificate(90, 'Own'), makeCertificate(90)])
  upstream.on('/token', () => Response.json({ access_token: 'a-secret-token', token_type: 'Bearer' }))
  upstream.on('/api', (request) =>
    request.headers.get('authorization') === 'Bearer a-secret-token'
      ? Response.json({ ok: true })
      : new Response('', { status: 401 }),
  )
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const oauth2 = () => ({
  type: 'oauth2',
  tokenUrl: `${upstream.url}/token`,
  clientId: 'weir',
  clientSecret: 'the-client-secret',
})
const tls = () => ({ certificate: own.cert, key: own.key, ca: other.cert })

const add = async (more: Record<string, unknown>) => {
  const response = await weir.send('POST', '/api/streams', {
    url: `${upstream.url}/api`,
    kind: 'poll',
    start: false,
    ...more,
  })
  return { status: response.status, text: await response.text() }
}
const idOf = ({ text }: { text: string }): string => JSON.parse(text).id

test('options are shown without secrets, and by default there are none', async () => {
  const plain = JSON.parse((await add({})).text)
  expect(plain).toMatchObject({ cookies: 'request', repeatable: false, auth: null, tls: null })
  const { text } = await add({
    cookies: 'stream',
    repeatable: true,
    auth: oauth2(),
    tls: tls(),
    url: 'https://a.test/',
  })
  expect(JSON.parse(text)).toMatchObject({
    cookies: 'stream',
    repeatable: true,
    auth: { type: 'oauth2', clientId: 'weir', clientSecret: HIDDEN },
    tls: { certificate: { subject: 'CN=Own' }, ca: [{ subject: 'CN=Weir test' }] },
  })
  for (const secret of ['the-client-secret', 'PRIVATE KEY', 'BEGIN']) expect(text).not.toContain(secret)
})

test('a stream that signs in is followed, and its kind is detected', async () => {
  const { id, kind } = await weir.register({ url: `${upstream.url}/api`, auth: oauth2(), intervalMs: 500 })
  expect(kind).toBe('poll')
  await weir.entry(id, 'the document is logged', (entry) => entry.kind === 'snapshot')
  expect(JSON.stringify(await weir.logs(id))).not.toContain('a-secret-token')
})

test('an event stream signs in, too, and keeps its cookies', async () => {
  const seen: (string | null)[] = []
  upstream.on('/events', (request) => {
    const { headers } = request
    if (!headers.has('authorization')) {
      const challenge = 'Digest realm="r", nonce="n", qop="auth"'
      return new Response('', {
        status: 401,
        headers: { 'www-authenticate': challenge, 'set-cookie': 'seen=1' },
      })
    }
    seen.push(headers.get('cookie'))
    return new Response('data: 1\n\n', { headers: { 'content-type': 'text/event-stream' } })
  })
  const auth = { type: 'digest', username: 'me', password: 'a-password' }
  const { id, kind } = await weir.register({ url: `${upstream.url}/events`, auth, cookies: 'stream' })
  expect(kind).toBe('sse')
  await weir.entry(id, 'an event is logged', (entry) => entry.kind === 'event')
  expect(seen.every((cookie) => cookie === 'seen=1')).toBe(true)
  await weir.send('POST', `/api/streams/${id}/stop`)
})

test('a change keeps what it leaves out, and hidden secrets stay', async () => {
  const id = idOf(await add({ auth: oauth2(), cookies: 'stream' }))
  const change = async (body: object) => (await weir.send('PATCH', `/api/streams/${id}`, body)).json()
  expect(await change({ repeatable: true })).toMatchObject({ cookies: 'stream', auth: { clientId: 'weir' } })
  await change({ auth: { ...oauth2(), clientSecret: HIDDEN, scope: 'read' } })
  const [line] = (await (await weir.get(`/api/streams/export?secrets=true`)).json()).filter(
    (each: { id: string }) => each.id === id,
  )
  expect(line).toMatchObject({
    auth: { scope: 'read', clientSecret: 'the-client-secret' },
    cookies: 'stream',
  })
  expect(await change({ auth: null, cookies: 'request' })).toMatchObject({ auth: null, cookies: 'request' })
  expect(await change({ auth: { ...oauth2(), clientSecret: HIDDEN } })).toMatchObject({
    code: 'invalid_field',
  })
})

test('credentials aren’t sent to another origin unless they are given again', async () => {
  const id = idOf(await add({ auth: oauth2() }))
  const change = (body: object) => weir.send('PATCH', `/api/streams/${id}`, body)
  const refused = await change({ url: 'http://localhost:1/' })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ code: 'invalid_field', field: 'auth' })
  const elsewhere = { ...oauth2(), clientSecret: HIDDEN, tokenUrl: 'http://localhost:1/token' }
  expect((await change({ auth: elsewhere })).status).toBe(422)
  expect(
    (await change({ url: 'http://localhost:1/', auth: { ...elsewhere, clientSecret: 'new' } })).status,
  ).toBe(200)
  expect((await change({ url: 'http://localhost:2/', auth: null })).status).toBe(200)
})

test('an export without secrets changes nothing when it is imported, and one with secrets moves them', async () => {
  await add({ auth: oauth2(), tls: tls(), url: 'https://b.test/' })
  const text = async (query: string) => (await weir.get(`/api/streams/export?format=${query}`)).text()
  const importInto = async (body: string, type: string, target = weir) => {
    const response = await fetch(`${target.url}/api/streams/import`, {
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    })
    return (await response.json()).totals
  }
  const hidden = await text('ndjson')
  expect(hidden).not.toContain('the-client-secret')
  expect(hidden).not.toContain('PRIVATE KEY')
  const lines = hidden.trim().split('\n').length
  for (const query of ['ndjson', 'csv', 'ndjson&secrets=true', 'csv&secrets=true']) {
    const type = query.startsWith('csv') ? 'text/csv' : 'application/x-ndjson'
    expect(await importInto(await text(query), type)).toMatchObject({ lines, unchanged: lines })
  }
  const copy = await startTestWeir()
  const whole = (await text('ndjson&secrets=true')).replaceAll('"start":true', '"start":false')
  expect(await importInto(whole, 'application/x-ndjson', copy)).toMatchObject({ created: lines, failed: 0 })
  expect(await (await copy.get('/api/streams/export?format=ndjson&secrets=true')).text()).toBe(whole)
  expect((await importInto(hidden, 'application/x-ndjson', copy)).unchanged).toBeGreaterThan(0)
  await copy.close()
})

test.each<[string, () => Record<string, unknown>, string]>([
  ['a key of another certificate', () => ({ tls: { ...tls(), key: other.key } }), "isn't the private key"],
  ['a certificate without key', () => ({ tls: { certificate: own.cert } }), 'needs both'],
  ['a key that is none', () => ({ tls: { ...tls(), key: 'x' } }), "isn't a private key in PEM"],
  [
    'a certificate that is none',
    () => ({ tls: { certificate: 'x', key: own.key } }),
    "isn't a certificate in PEM",
  ],
  ['an authority that is none', () => ({ tls: { ca: 'x' } }), "isn't a certificate in PEM"],
  ['nothing of TLS', () => ({ tls: {} }), 'tls'],
  [
    'a token URL with credentials',
    () => ({ auth: { ...oauth2(), tokenUrl: 'https://a:b@c.test/' } }),
    'credentials',
  ],
  [
    'a token URL of another scheme',
    () => ({ auth: { ...oauth2(), tokenUrl: 'file:///etc/passwd' } }),
    'http or https',
  ],
  ['a hidden secret', () => ({ auth: { ...oauth2(), clientSecret: HIDDEN } }), 'hidden'],
  ['another way to sign in', () => ({ auth: { type: 'magic' } }), 'auth'],
  ['a hidden key', () => ({ tls: { ...tls(), key: HIDDEN } }), "isn't a private key in PEM"],
])('a registration with %s is refused', (_what, more, detail) => {
  expect(() => checkRegistration({ url: 'https://a.test/', ...more() })).toThrow(detail)
})

test('the form edits them without retyping secrets, and shows none', async () => {
  const id = idOf(await add({ auth: oauth2(), tls: tls(), url: 'https://form.test/' }))
  const path = `${weir.url}/streams/${id}/edit`
  const page = await (await fetch(path)).text()
  expect(page).toContain('CN=Own')
  expect(page).toContain('placeholder="unchanged"')
  for (const secret of ['the-client-secret', 'PRIVATE KEY', 'BEGIN CERT']) expect(page).not.toContain(secret)
  const shown = await (await fetch(`${weir.url}/streams/${id}`)).text()
  for (const text of ['OAuth 2.0 client credentials', 'CN=Own']) expect(shown).toContain(text)
  for (const secret of ['the-client-secret', 'BEGIN']) expect(shown).not.toContain(secret)
  const save = async (more: Record<string, string>) => {
    const stored = await weir.json<Record<string, string>>(`/api/streams/${id}`)
    const body = new URLSearchParams({
      ...{
        name: stored.name ?? '',
        url: stored.url ?? '',
        kind: 'poll',
        method: 'GET',
        intervalSeconds: '60',
      },
      ...{
        'auth.type': 'oauth2',
        'auth.tokenUrl': `${upstream.url}/token`,
        'auth.clientId': 'weir',
        cookies: 'request',
      },
      ...more,
    })
    const response = await fetch(path, {
      method: 'POST',
      body,
      headers: { origin: weir.url },
      redirect: 'manual',
    })
    return { status: response.status, text: await response.text() }
  }
  const exported = async () => {
    const all = await (await weir.get('/api/streams/export?secrets=true')).json()
    return all.find((each: { id: string }) => each.id === id)
  }
  expect((await save({ 'auth.scope': 'read', cookies: 'stream' })).status).toBe(303)
  expect(await exported()).toMatchObject({
    cookies: 'stream',
    auth: { scope: 'read', clientSecret: 'the-client-secret' },
    tls: { key: own.key },
  })
  const refused = await save({ 'tls.key': other.key })
  expect(refused.text).toContain('isn’t the private key'.replace('’', '&#39;'))
  expect(refused.text).not.toContain('PRIVATE KEY')
  await save({ 'auth.type': 'digest', 'auth.username': 'me', 'auth.secret': 'pass', 'tls.remove': 'yes' })
  expect(await exported()).toMatchObject({
    auth: { type: 'digest', username: 'me', password: 'pass' },
    tls: null,
  })
  await save({ 'auth.type': '' })
  expect(await exported()).toMatchObject({ auth: null })
})
