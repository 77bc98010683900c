import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { DigestLogin } from '../../../src/core/sets/request-options.ts'
import { askUpstream } from '../../../src/streams/ingest/upstream.ts'
import { authorizerOf } from '../../../src/streams/requests/authorizer.ts'
import { type Challenge, challengeIn, digestHeader } from '../../../src/streams/requests/digest.ts'
import { Tokens } from '../../../src/streams/requests/tokens.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

/** The example of RFC 7616, section 3.9.1. */
const MUFASA: DigestLogin = { type: 'digest', username: 'Mufasa', password: 'Circle of Life' }
const EXAMPLE =
  'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ' +
  'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
const REQUEST = {
  method: 'GET',
  uri: '/dir/index.html',
  count: 1,
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
}

test.each([
  ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
])('the example of RFC 7616 with %s', (algorithm, response) => {
  const challenge = challengeIn(`Digest ${EXAMPLE}, algorithm=${algorithm}`) as Challenge
  const header = digestHeader(MUFASA, challenge, REQUEST)
  expect(header).toContain(`response="${response}"`)
  expect(header).toContain('qop=auth, nc=00000001')
})

test('of several challenges, the strongest that is known is answered', () => {
  const header = `Basic realm="a", Digest ${EXAMPLE}, algorithm=MD5, Digest ${EXAMPLE}, algorithm=SHA-256, Digest ${EXAMPLE}, algorithm=SHA-512-256`
  expect(challengeIn(header)?.algorithm).toBe('SHA-256')
})

test.each([
  [null],
  ['Basic realm="a"'],
  ['Digest realm="a"'],
  [`Digest ${EXAMPLE}, algorithm=SHA-1`],
  ['Digest realm="a", nonce="b", qop="auth-int"'],
  ['"'.repeat(100_000)],
  ['a '.repeat(50_000)],
])('%p has no challenge that can be answered', (header) => {
  expect(challengeIn(header)).toBeUndefined()
})

let upstream: Upstream
beforeAll(() => {
  upstream = startUpstream()
})
afterAll(() => upstream.stop())

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A server that checks digests, and whose nonces may be used so often. */
function guard(path: string, uses: number) {
  let nonce = 0
  let left = uses
  const challenge = (isStale: boolean) =>
    new Response('', {
      status: 401,
      headers: {
        'www-authenticate': `Digest realm="r", nonce="n${++nonce}", qop="auth"${isStale ? ', stale=true' : ''}`,
      },
    })
  const seen: string[] = []
  upstream.on(path, (request) => {
    const header = request.headers.get('authorization') ?? ''
    seen.push(header)
    const field = (name: string) => new RegExp(`\\b${name}="?([^",]+)`).exec(header)?.[1] ?? ''
    if (header === '') return challenge(false)
    if (field('nonce') !== `n${nonce}` || left-- <= 0) {
      left = uses
      return challenge(true)
    }
    const [a1, a2] = [md5('me:r:pass-word'), md5(`GET:${path}`)]
    const right = md5(`${a1}:n${nonce}:${field('nc')}:${field('cnonce')}:auth:${a2}`)
    return field('response') === right ? Response.json({}) : new Response('', { status: 403 })
  })
  return seen
}

const authorizer = () => authorizerOf({ type: 'digest', username: 'me', password: 'pass-word' }, new Tokens())

async function ask(path: string, signer = authorizer(), url = upstream.url) {
  const answer = await askUpstream(
    { url: url + path, method: 'GET', headers: {}, body: null },
    {},
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
    undefined,
    { authorizer: signer },
  )
  await answer.response.text()
  return answer
}

test('a challenge is answered once, and later requests sign in at once', async () => {
  const seen = guard('/guarded', 100)
  const signer = authorizer()
  const first = await ask('/guarded', signer)
  expect(first.response.status).toBe(200)
  expect(first.exchange.request).toMatchObject({ count: 2 })
  expect(first.headBytes).toBeGreaterThan(100)
  expect((await ask('/guarded', signer)).response.status).toBe(200)
  expect(seen).toHaveLength(3)
  expect(seen[2]).toContain('nc=00000002')
})

test('a stale nonce is replaced', async () => {
  const seen = guard('/stale', 1)
  const signer = authorizer()
  await ask('/stale', signer)
  expect((await ask('/stale', signer)).response.status).toBe(200)
  expect(seen).toHaveLength(4)
})

test('credentials that are refused are sent once', async () => {
  let asked = 0
  upstream.on('/refuses', () => {
    asked++
    return new Response('', { status: 401, headers: { 'www-authenticate': 'Digest realm="r", nonce="n"' } })
  })
  expect((await ask('/refuses')).response.status).toBe(401)
  expect(asked).toBe(2)
})

test('another origin isn’t signed in to', async () => {
  const other = startUpstream()
  const seen: (string | null)[] = []
  other.on('/there', (request) => {
    seen.push(request.headers.get('authorization'))
    return new Response('', { status: 401, headers: { 'www-authenticate': 'Digest realm="r", nonce="n"' } })
  })
  upstream.on('/leads-away', () => Response.redirect(`${other.url}/there`))
  expect((await ask('/leads-away')).response.status).toBe(401)
  expect(seen).toEqual([null])
  await other.stop()
})
