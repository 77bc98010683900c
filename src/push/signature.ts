import { createHmac, timingSafeEqual } from 'node:crypto'
import type { PushScheme, PushSettings } from '../core/sets/push-schemes.ts'
import { MINUTE_MS, SECOND_MS } from '../core/time.ts'

/** How far a signed time may be from now, unless a stream sets it. As the senders document. */
const TOLERANCE_MS = 5 * MINUTE_MS
/** Signatures of one delivery that are compared: senders that rotate a secret send two. */
const MAX_SIGNATURES = 10
const STANDARD_PREFIX = 'whsec_'

/** What arrived. */
export interface Arrived {
  headers: Headers
  body: Uint8Array
  /** Milliseconds since the epoch. */
  at: number
}

/**
 * Why a delivery isn't its sender's; undefined if it is.
 * @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * @see https://docs.stripe.com/webhooks#verify-manually
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function refusalOf(settings: PushSettings, arrived: Arrived): string | undefined {
  return VERIFY[settings.scheme](settings, arrived)
}

type Verify = (settings: PushSettings, arrived: Arrived) => string | undefined

const VERIFY: Readonly<Record<PushScheme, Verify>> = {
  none: () => undefined,
  github: (settings, arrived) => inHeader(settings, arrived, 'x-hub-signature-256'),
  stripe: verifyStripe,
  'standard-webhooks': verifyStandard,
  'hmac-sha256-header': (settings, arrived) => inHeader(settings, arrived, settings.header ?? ''),
}

/** The HMAC of the body, in hex or base64, with or without `sha256=` before it. */
function inHeader({ secret }: PushSettings, { headers, body }: Arrived, name: string): string | undefined {
  const given = name === '' ? null : headers.get(name)
  if (given === null) return `The header ${name} is missing.`
  const text = given.trim().replace(/^sha256=/i, '')
  const right = hmac(secret ?? '', [body])
  return isOneOf([text], right) ? undefined : WRONG
}

/** `Stripe-Signature: t=…,v1=…`: the HMAC of the time, a dot and the body, in hex. */
function verifyStripe({ secret, toleranceMs }: PushSettings, { headers, body, at }: Arrived) {
  const given = headers.get('stripe-signature')
  if (given === null) return 'The header Stripe-Signature is missing.'
  const pairs = given.split(',').map((pair) => pair.trim().split('=', 2))
  const time = pairs.find(([name]) => name === 't')?.[1] ?? ''
  const untimely = untimelyOf(time, at, toleranceMs)
  if (untimely !== undefined) return untimely
  const signatures = pairs.flatMap(([name, value = '']) => (name === 'v1' ? [value] : []))
  return isOneOf(signatures, hmac(secret ?? '', [`${time}.`, body])) ? undefined : WRONG
}

/** `webhook-signature: v1,…`: the HMAC of ID, time and body, separated by dots, in base64. */
function verifyStandard({ secret = '', toleranceMs }: PushSettings, { headers, body, at }: Arrived) {
  const [id, time, given] = ['id', 'timestamp', 'signature'].map((name) => headers.get(`webhook-${name}`))
  if (id == null || time == null || given == null) return 'A header webhook-… is missing.'
  const untimely = untimelyOf(time, at, toleranceMs)
  if (untimely !== undefined) return untimely
  const key = Buffer.from(secret.replace(STANDARD_PREFIX, ''), 'base64')
  const signatures = given.split(' ').flatMap((each) => (each.startsWith('v1,') ? [each.slice(3)] : []))
  return isOneOf(signatures, hmac(key, [`${id}.${time}.`, body])) ? undefined : WRONG
}

const WRONG = "The signature doesn't match."

/** Seconds since the epoch that are too far from now could be replayed. */
function untimelyOf(text: string, nowMs: number, toleranceMs = TOLERANCE_MS): string | undefined {
  if (!/^\d{1,12}$/.test(text)) return 'The signature has no time.'
  const isTimely = Math.abs(nowMs - Number(text) * SECOND_MS) <= toleranceMs
  return isTimely ? undefined : 'The signed time is too far from now.'
}

function hmac(key: string | Buffer, parts: readonly (string | Uint8Array)[]): Buffer {
  const made = createHmac('sha256', key)
  for (const part of parts) made.update(part)
  return made.digest()
}

/** Whether one of the signatures is right, in constant time for each. */
function isOneOf(signatures: readonly string[], right: Buffer): boolean {
  return signatures
    .slice(0, MAX_SIGNATURES)
    .map((text) => Buffer.from(text, /^[\da-f]{64}$/i.test(text) ? 'hex' : 'base64'))
    .some((given) => given.length === right.length && timingSafeEqual(given, right))
}
