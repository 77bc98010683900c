import { expect, test } from 'bun:test'
import { changedHeaders, hasSameOrigin } from '../../src/streams/registry/changed-headers.ts'

const STREAM = { url: 'https://a.test/x', headers: { Authorization: 'secret', 'X-Plain': '1' } }
const KEPT = '•••'

test.each([
  ['https://a.test/other', true],
  ['https://a.test:443/', true],
  ['https://a.test:8443/x', false],
  ['http://a.test/x', false],
  ['https://b.test/x', false],
  ['https://a.test.evil/x', false],
])('%s has the same origin: %p; headers stay only there', (url, isSame) => {
  expect(hasSameOrigin(STREAM.url, url)).toBe(isSame)
  const dropped = isSame
    ? { droppedHeaders: [] }
    : { headers: {}, droppedHeaders: ['Authorization', 'X-Plain'] }
  expect(changedHeaders(STREAM, { url })).toEqual(dropped)
  const headers = { authorization: KEPT, 'X-New': '2' }
  expect(changedHeaders(STREAM, { url, headers })).toEqual(
    isSame
      ? { headers: { authorization: 'secret', 'X-New': '2' }, droppedHeaders: [] }
      : { headers: { 'X-New': '2' }, droppedHeaders: ['Authorization', 'X-Plain'] },
  )
})

test('there is no value to keep of a header that the stream doesn’t have', () => {
  expect(() => changedHeaders(STREAM, { headers: { 'X-Other': KEPT } })).toThrow('no stored value')
})
