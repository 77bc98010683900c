import { expect, test } from 'bun:test'
import { decodeFile } from '../../src/transfer/decode.ts'

const TEXT = 'url\tname\r\nhttp://a\tÄ 😀\r\n'
const utf16 = (text: string) => Buffer.from(text, 'utf16le')
const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16()

test.each([
  ['UTF-8', Buffer.from(TEXT)],
  ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${TEXT}`)],
  ['UTF-16, little-endian', utf16(`\uFEFF${TEXT}`)],
  ['UTF-16, big-endian', swapped(utf16(`\uFEFF${TEXT}`))],
  ['nothing', Buffer.alloc(0)],
])('%s is read', (name, bytes) => {
  expect(decodeFile(bytes)).toBe(name === 'nothing' ? '' : TEXT)
})

test.each([
  ['Windows-1252', Buffer.from('url;name\r\nhttp://a;M\xfcller', 'latin1')],
  ['UTF-16 without a byte order mark', utf16('ä\ud800')],
  ['UTF-16 that was cut off', utf16(`\uFEFF${TEXT}`).subarray(0, -1)],
])('%s is refused, and not stored broken', (_name, bytes) => {
  expect(() => decodeFile(bytes)).toThrow(/UTF-8/)
})
