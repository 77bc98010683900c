import { expect, test } from 'bun:test'
import { hideValues } from '../../src/streams/registry/own-secrets.ts'

const BASIC = Buffer.from('user:pass"word').toString('base64')

test.each([
  [{ Authorization: 'Bearer a-long-token' }, 'Bearer a-long-token, a-long-token', '•••, •••'],
  [{ 'X-Key': 'quoted"secret' }, JSON.stringify({ sent: 'quoted"secret' }), '{"sent":"•••"}'],
  [{ Authorization: `Basic ${BASIC}` }, `${BASIC} is user:pass"word, pass"word`, '••• is •••, •••'],
  [{ Accept: 'json' }, 'json', 'json'],
])('of %p, %p shows %p', (headers, text, shown) => {
  expect(hideValues(headers as Record<string, string>)(text)).toBe(shown)
})
