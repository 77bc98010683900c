import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import type { PushSettings } from '../../src/core/sets/push-schemes.ts'
import { deliveryOf } from '../../src/push/delivery.ts'
import { refusalOf } from '../../src/push/signature.ts'

const AT = Date.parse('2026-11-30T12:00:00Z')
const SECONDS = AT / 1_000
const bytes = (text: string) => new TextEncoder().encode(text)
const refused = (settings: PushSettings, headers: Record<string, string>, body: string, at = AT) =>
  refusalOf(settings, { headers: new Headers(headers), body: bytes(body), at })
const hex = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest('hex')

describe('GitHub', () => {
  // The values of its documentation: "Testing the webhook payload validation".
  const settings: PushSettings = { scheme: 'github', secret: "It's a Secret to Everybody" }
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'

  test('is verified with the example that it documents', () => {
    expect(refused(settings, { 'X-Hub-Signature-256': signature }, 'Hello, World!')).toBeUndefined()
  })

  test.each([
    ['another body', { 'X-Hub-Signature-256': signature }, 'Hello, World?'],
    ['no signature', {}, 'Hello, World!'],
    ['a shorter one', { 'X-Hub-Signature-256': signature.slice(0, -2) }, 'Hello, World!'],
    ['the older SHA-1', { 'X-Hub-Signature': `sha1=${'0'.repeat(40)}` }, 'Hello, World!'],
    ['an empty one', { 'X-Hub-Signature-256': 'sha256=' }, 'Hello, World!'],
  ])('with %s is refused', (_what, headers, body) => {
    expect(refused(settings, headers, body)).toBeString()
  })
})

describe('Stripe', () => {
  const settings: PushSettings = { scheme: 'stripe', secret: 'whsec_test_secret' }
  const body = '{"id": "evt_1", "type": "invoice.paid"}'
  const signed = (at: number, secret = 'whsec_test_secret') => `t=${at},v1=${hex(secret, `${at}.${body}`)}`

  test('is verified by time and body, also while its secret is rotated', () => {
    expect(refused(settings, { 'Stripe-Signature': signed(SECONDS) }, body)).toBeUndefined()
    const rotated = `t=${SECONDS},v1=${hex('old', `${SECONDS}.${body}`)},${signed(SECONDS).split(',')[1]},v0=ab`
    expect(refused(settings, { 'Stripe-Signature': rotated }, body)).toBeUndefined()
  })

  test('is refused with another secret, another time, or none', () => {
    expect(refused(settings, { 'Stripe-Signature': signed(SECONDS, 'other') }, body)).toMatch(/doesn't match/)
    const moved = signed(SECONDS - 10).replace(`t=${SECONDS - 10}`, `t=${SECONDS}`)
    expect(refused(settings, { 'Stripe-Signature': moved }, body)).toMatch(/doesn't match/)
    expect(refused(settings, { 'Stripe-Signature': signed(SECONDS).replace(/^t=\d+,/, '') }, body)).toMatch(
      /no time/,
    )
    expect(refused(settings, {}, body)).toMatch(/missing/)
  })

  test('is refused five minutes later, or as its stream tolerates', () => {
    const headers = { 'Stripe-Signature': signed(SECONDS) }
    expect(refused(settings, headers, body, AT + 300_000)).toBeUndefined()
    expect(refused(settings, headers, body, AT + 300_001)).toMatch(/too far from now/)
    expect(refused(settings, headers, body, AT - 300_001)).toMatch(/too far from now/)
    expect(refused({ ...settings, toleranceMs: 600_000 }, headers, body, AT + 300_001)).toBeUndefined()
  })
})

describe('Standard Webhooks', () => {
  // The secret and values of its specification's reference libraries.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const settings: PushSettings = { scheme: 'standard-webhooks', secret }
  const body = '{"test": 2432232314}'
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
  const headersAt = (seconds: number, signature: string) => ({
    ...{ 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signature },
  })

  test('is verified with the example of its libraries', () => {
    const seconds = 1614265330
    const headers = headersAt(seconds, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
    expect(refused(settings, headers, body, seconds * 1_000)).toBeUndefined()
    expect(refused(settings, { ...headers, 'webhook-id': 'msg_other' }, body, seconds * 1_000)).toMatch(
      /match/,
    )
  })

  test('is verified as its library signs, among several signatures', () => {
    const signature = new Webhook(secret).sign(id, new Date(AT), body)
    expect(refused(settings, headersAt(SECONDS, `v1a,x v1,AAAA ${signature}`), body)).toBeUndefined()
    expect(refused(settings, headersAt(SECONDS, `v2,${signature.slice(3)}`), body)).toMatch(/match/)
    expect(refused(settings, headersAt(SECONDS - 301, signature), body)).toMatch(/too far/)
  })
})

test('an HMAC in a header of any name is verified in hex and base64', () => {
  const settings: PushSettings = { scheme: 'hmac-sha256-header', secret: 's', header: 'X-Signature' }
  const base64 = createHmac('sha256', 's').update('{}').digest('base64')
  expect(refused(settings, { 'x-signature': hex('s', '{}') }, '{}')).toBeUndefined()
  expect(refused(settings, { 'x-signature': base64 }, '{}')).toBeUndefined()
  expect(refused(settings, { 'x-signature': hex('t', '{}') }, '{}')).toMatch(/match/)
})

test.each([
  [{ scheme: 'github' }, { 'X-GitHub-Delivery': 'g-1', 'X-GitHub-Event': 'push' }, '{}', 'g-1', 'push'],
  [{ scheme: 'stripe' }, {}, '{"id": "evt_1", "type": "paid"}', 'evt_1', 'paid'],
  [{ scheme: 'standard-webhooks' }, { 'webhook-id': 'm-1' }, '{"type": "a.b"}', 'm-1', 'a.b'],
  [{ scheme: 'none', idFrom: '/order/no' }, {}, '{"order": {"no": 7}}', '7', undefined],
  [{ scheme: 'none', idFrom: 'X-Id' }, { 'x-id': 'x\u00e9' }, 'text', 'x\u00e9', undefined],
  [{ scheme: 'none', idFrom: '/a' }, {}, '{"a": "b\\u0000"}', 'b\uFFFD', undefined],
  [{ scheme: 'none' }, {}, '{"id": "1"}', undefined, undefined],
  [{ scheme: 'stripe' }, {}, 'no JSON', undefined, undefined],
] as const)('%j with %j and %s is identified', (settings, headers, body, id, event) => {
  const arrived = { headers: new Headers(headers), body: bytes(body), at: AT }
  const found = deliveryOf('s', settings as PushSettings, arrived)
  expect([found.id, found.event]).toEqual([id, event])
})

test('a body that isn’t text is refused', () => {
  const arrived = { headers: new Headers(), body: new Uint8Array([0xff, 0xfe, 0x00]), at: AT }
  expect(() => deliveryOf('s', { scheme: 'none' }, arrived)).toThrow(/UTF-8/)
})
