import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { OAuth2Login } from '../../../src/core/sets/request-options.ts'
import { EgressError } from '../../../src/net/egress.ts'
import { askUpstream, UpstreamError, type UpstreamFetch } from '../../../src/streams/ingest/upstream.ts'
import { authorizerOf } from '../../../src/streams/requests/authorizer.ts'
import { Tokens } from '../../../src/streams/requests/tokens.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

let upstream: Upstream
let tokens: Tokens
let nowMs: number
/** Bodies and `Authorization` headers that the token endpoint was asked with. */
let renewals: { body: string; authorization: string | null }[]
/** Tokens that the API takes. */
let valid: Set<string>

beforeEach(() => {
  upstream = startUpstream()
  nowMs = 1_000_000
  tokens = new Tokens(() => nowMs)
  renewals = []
  valid = new Set()
  upstream.on('/token', async (request) => {
    renewals.push({ body: await request.text(), authorization: request.headers.get('authorization') })
    const token = `token-number-${renewals.length}`
    valid.add(token)
    return Response.json({ access_token: token, token_type: 'Bearer', expires_in: 600 })
  })
  upstream.on('/api', (request) => {
    const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    return valid.has(token)
      ? Response.json({}, { headers: { 'x-echo': token } })
      : new Response('', { status: 401 })
  })
})

afterEach(() => upstream.stop())

const login = (more: Partial<OAuth2Login> = {}): OAuth2Login => ({
  type: 'oauth2',
  tokenUrl: `${upstream.url}/token`,
  clientId: 'weir',
  clientSecret: 'client-secret-value',
  ...more,
})

function ask({
  path = '/api',
  as = login(),
  headers = {},
  fetch,
}: {
  path?: string
  as?: OAuth2Login
  headers?: Record<string, string>
  fetch?: UpstreamFetch
} = {}) {
  return askUpstream(
    { url: `${upstream.url}${path}`, method: 'GET', headers, body: null },
    {},
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
    fetch,
    { authorizer: authorizerOf(as, tokens) },
  )
}

test('a token is fetched once and used until it is about to end', async () => {
  for (let count = 0; count < 3; count++) expect((await ask()).response.status).toBe(200)
  expect(renewals).toHaveLength(1)
  nowMs += 539_000
  await ask()
  expect(renewals).toHaveLength(1)
  nowMs += 2_000
  await ask()
  expect(renewals).toHaveLength(2)
})

test('credentials go where the endpoint expects them', async () => {
  await ask({ as: login({ scope: 'read write', audience: 'api' }) })
  await ask({ as: login({ credentialsIn: 'body' }) })
  expect(renewals[0]?.authorization).toBe(`Basic ${btoa('weir:client%2Dsecret%2Dvalue')}`)
  expect(Object.fromEntries(new URLSearchParams(renewals[0]?.body))).toEqual({
    grant_type: 'client_credentials',
    scope: 'read write',
    audience: 'api',
  })
  expect(renewals[1]?.authorization).toBeNull()
  expect(renewals[1]?.body).toContain('client_secret=client-secret-value')
})

test('streams with the same credentials share one renewal', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask()))
  expect(answers.map(({ response }) => response.status)).toEqual(Array(10).fill(200))
  expect(renewals).toHaveLength(1)
})

test('a token that the API refuses is renewed once, however many streams it refuses', async () => {
  await ask()
  valid.clear()
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask()))
  expect(answers.map(({ response }) => response.status)).toEqual(Array(5).fill(200))
  expect(renewals).toHaveLength(2)
})

test('an API that refuses every token is asked twice', async () => {
  let asked = 0
  upstream.on('/closed', () => {
    asked++
    return new Response('', { status: 401 })
  })
  expect((await ask({ path: '/closed' })).response.status).toBe(401)
  expect([asked, renewals.length]).toEqual([2, 2])
})

test('the request counts the renewal, and the log shows neither secret nor token', async () => {
  const { exchange } = await ask()
  expect(exchange.request).toMatchObject({ count: 2 })
  const logged = JSON.stringify(exchange)
  expect(logged).toContain('x-echo')
  expect(logged).not.toContain('token-number')
  expect(logged).not.toContain('client-secret-value')
})

test('the owner’s own Authorization header is replaced', async () => {
  expect((await ask({ headers: { authorization: 'Bearer old' } })).response.status).toBe(200)
})

test.each<[string, () => Response, string]>([
  [
    'refuses',
    () => Response.json({ error: 'invalid_client' }, { status: 401 }),
    'returned 401 invalid_client',
  ],
  [
    'isn’t one',
    () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }),
    "Can't get a token",
  ],
  ['leads elsewhere', () => Response.redirect('http://127.0.0.1:1/'), "Can't get a token"],
  [
    'repeats the secret',
    () =>
      Response.json(
        { error: 'bad client-secret-value', error_description: 'client-secret-value' },
        { status: 400 },
      ),
    'returned 400.',
  ],
  ['never ends', () => new Response('x'.repeat(200_000)), "Can't get a token"],
])('a token endpoint that %s is an error of the stream', async (_what, answer, message) => {
  upstream.on('/token', answer)
  const failure = (await ask().catch((error: unknown) => error)) as UpstreamError
  expect(failure).toBeInstanceOf(UpstreamError)
  expect(failure.code).toBe('auth_failed')
  expect(failure.message).toContain(message)
  expect(failure.message).not.toContain('client-secret-value')
})

test('while a token is valid, an endpoint that fails to renew it early does no harm', async () => {
  await ask()
  upstream.on('/token', () => new Response('', { status: 503 }))
  nowMs += 550_000
  expect((await ask()).response.status).toBe(200)
  nowMs += 60_000
  const failure = (await ask().catch((error: unknown) => error)) as UpstreamError
  expect(failure.code).toBe('auth_failed')
})

test('a token endpoint that Weir must not connect to isn’t asked', async () => {
  const fetch: UpstreamFetch = async (url) => {
    throw new EgressError('not_allowed', `No: ${new URL(url).pathname}`)
  }
  const failure = (await ask({ fetch }).catch((error: unknown) => error)) as UpstreamError
  expect([failure.code, failure.message]).toEqual(['not_allowed', 'No: /token'])
})
