import { createHash, randomBytes } from 'node:crypto'
import type { DigestLogin } from '../../core/sets/request-options.ts'

/** Algorithms by their name in a challenge, the best first. */
const HASHES = { 'SHA-256': 'sha256', MD5: 'md5' } as const
type Algorithm = keyof typeof HASHES

export interface Challenge {
  realm: string
  nonce: string
  opaque: string | undefined
  algorithm: Algorithm
  /** Whether hashes are bound to the session's first nonces. */
  isSession: boolean
  /** Whether it asks for `qop=auth`; otherwise it is one of RFC 2069. */
  hasQop: boolean
  isUserHashed: boolean
  isStale: boolean
}

/** One request, as a response to a challenge covers it. */
export interface DigestRequest {
  method: string
  /** Path and query, as in the request line. */
  uri: string
  /** How often the nonce has been used, this request included. */
  count: number
  cnonce?: string
}

/**
 * The best challenge of a `WWW-Authenticate` header that can be answered.
 * @see https://www.rfc-editor.org/rfc/rfc7616#section-3.3
 */
export function challengeIn(header: string | null): Challenge | undefined {
  const challenges = challengesIn(header ?? '').flatMap(({ scheme, parameters }) =>
    scheme === 'digest' ? (parsed(parameters) ?? []) : [],
  )
  return challenges.sort((a, b) => rank(a) - rank(b))[0]
}

/** The `Authorization` header that answers a challenge. */
export function digestHeader(
  { username, password }: DigestLogin,
  challenge: Challenge,
  { method, uri, count, cnonce = randomBytes(16).toString('hex') }: DigestRequest,
): string {
  const { realm, nonce, opaque, algorithm, isSession, hasQop, isUserHashed } = challenge
  const hash = (text: string) => createHash(HASHES[algorithm]).update(text).digest('hex')
  const nc = count.toString(16).padStart(8, '0')
  const account = hash(`${username}:${realm}:${password}`)
  const secret = isSession ? hash(`${account}:${nonce}:${cnonce}`) : account
  const request = hash(`${method}:${uri}`)
  const response = hasQop
    ? hash(`${secret}:${nonce}:${nc}:${cnonce}:auth:${request}`)
    : hash(`${secret}:${nonce}:${request}`)
  const fields = [
    `username=${quoted(isUserHashed ? hash(`${username}:${realm}`) : username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}${isSession ? '-sess' : ''}`,
    ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ...(hasQop ? [`qop=auth`, `nc=${nc}`, `cnonce="${cnonce}"`] : []),
    ...(isUserHashed ? ['userhash=true'] : []),
  ]
  return `Digest ${fields.join(', ')}`
}

function rank({ algorithm }: Challenge): number {
  return Object.keys(HASHES).indexOf(algorithm)
}

function parsed(parameters: ReadonlyMap<string, string>): Challenge | undefined {
  const [realm, nonce] = [parameters.get('realm'), parameters.get('nonce')]
  const [, name = '', session] = /^(.*?)(-sess)?$/i.exec(parameters.get('algorithm') ?? 'MD5') ?? []
  const algorithm = (Object.keys(HASHES) as Algorithm[]).find((each) => each === name.toUpperCase())
  const qop = parameters
    .get('qop')
    ?.toLowerCase()
    .split(/[\s,]+/)
  if (realm === undefined || nonce === undefined || algorithm === undefined) return undefined
  if (qop !== undefined && !qop.includes('auth')) return undefined
  const is = (name: string) => parameters.get(name)?.toLowerCase() === 'true'
  return {
    ...{ realm, nonce, algorithm, opaque: parameters.get('opaque') },
    ...{ isSession: session !== undefined, hasQop: qop !== undefined },
    ...{ isUserHashed: is('userhash'), isStale: is('stale') },
  }
}

/** A parameter with its value, or a scheme. */
const PART = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)/g
/** A longer header is cut: no challenge needs it. */
const MAX_HEADER_CHARS = 8_192

/** The challenges in a header: a server may offer several. */
function challengesIn(header: string): { scheme: string; parameters: Map<string, string> }[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = []
  for (const [, name, quotedValue, value, scheme] of header.slice(0, MAX_HEADER_CHARS).matchAll(PART)) {
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
    else if (name !== undefined)
      found.at(-1)?.parameters.set(name.toLowerCase(), unescaped(quotedValue) ?? value ?? '')
  }
  return found
}

function unescaped(value: string | undefined): string | undefined {
  return value?.replace(/\\(.)/g, '$1')
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
