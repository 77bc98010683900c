import { describe, expect, test } from 'bun:test'
import type { OpenApiOptions } from '../../src/transfer/openapi/operations.ts'
import { one } from './operations.ts'

describe('secrets', () => {
  const schemes = {
    key: { type: 'apiKey', in: 'query', name: 'api_key' },
    cookie: { type: 'apiKey', in: 'cookie', name: 'sid' },
    basic: { type: 'http', scheme: 'basic' },
    cert: { type: 'mutualTLS' },
  }
  const asking = (security: unknown, options: Partial<OpenApiOptions> = {}) =>
    one({ security }, { components: { securitySchemes: schemes } }, options)

  test.each<[what: string, security: unknown, field: string]>([
    ['a key in the query', [{ key: [] }], 'api_key'],
    ['a cookie', [{ cookie: [] }], 'headers.Cookie'],
    ['a password', [{ basic: [] }], 'headers.Authorization'],
    ['both', [{ key: [], basic: [] }], 'api_key'],
    ['a certificate', [{ cert: [] }], 'cert'],
    ['what the document does not describe', [{ constructor: [] }], 'headers.Authorization'],
  ])('%s is required', (_what, security, field) => {
    expect(asking(security)).toMatchObject({ field, detail: expect.stringMatching(/the required secret/) })
  })

  test('a key in the query is sent as the caller gives it', () => {
    expect(asking([{ key: [] }], { params: new Map([['api_key', 'k']]) }).url).toBe('https://h/a?api_key=k')
  })

  test('a header or cookie of the caller replaces the parameters of its name', () => {
    const parameters = [
      { name: 'X-Key', in: 'header', required: true },
      { name: 'sid', in: 'cookie', required: true, example: 'none' },
    ]
    const headers = { 'x-key': 'k', cookie: 'sid=1' }
    expect(one({ parameters }, {}, { headers }).headers).toEqual(headers)
    expect(one({ parameters }).field).toBe('X-Key')
  })

  test.each<[what: string, security: unknown]>([
    ['none', []],
    ['one that may be left out', [{ basic: [] }, {}]],
  ])('%s isn’t required', (_what, security) => {
    expect(asking(security).detail).toBeUndefined()
  })
})
