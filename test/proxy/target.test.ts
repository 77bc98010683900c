import { expect, test } from 'bun:test'
import { isProxyPath, readAsked, tokenOf } from '../../src/proxy/target.ts'

const WEIR = 'http://localhost:3000'
const asked = (path: string, headers: Record<string, string> = {}) =>
  readAsked({ url: new URL(WEIR + path).href, headers: new Headers(headers) })

test.each([
  ['/proxy/https://api.test/prices', 'https://api.test/prices'],
  ['/https://api.test/prices', 'https://api.test/prices'],
  ['/http://api.test:8080/', 'http://api.test:8080/'],
  ['/http:/api.test/one-slash', 'http://api.test/one-slash'],
  ['/proxy/HTTPS://api.test/x', 'https://api.test/x'],
  ['/proxy/https%3A%2F%2Fapi.test%2Fa%3Fq%3D1%26r%3D2', 'https://api.test/a?q=1&r=2'],
  ['/proxy/https%3A%2F%2Fapi.test%2Fa%3Fq%3D1?page=2&mode=event', 'https://api.test/a?q=1&page=2'],
  ['/proxy/https://api.test/a?q=1&intervalMs=500&r=2', 'https://api.test/a?q=1&r=2'],
  ['/https://api.test/a?X-Sd-Token=secret', 'https://api.test/a'],
  ['/https://api.test/a?q=a%20b+c&X-Sd-Token=x&empty=&flag', 'https://api.test/a?q=a%20b+c&empty=&flag'],
  ['/https://api.test/a?x-sd-compress=true&x-sd-header=A%3A%20b', 'https://api.test/a'],
  ['/https://api.test/a?mode%20=1&models=2', 'https://api.test/a?mode%20=1&models=2'],
  ['/https://api.test/a?redirect=https://b.test/c?d', 'https://api.test/a?redirect=https://b.test/c?d'],
  ['/proxy/https://api.test/a?', 'https://api.test/a?'],
  ['/proxy/https://api.test/a?intervalMs=500', 'https://api.test/a'],
  ['/proxy/https%3A%2F%2Fapi.test%2Fa%3F', 'https://api.test/a?'],
  ['/proxy/https%3A%2F%2Fapi.test%2Fa%3F?intervalMs=500', 'https://api.test/a?'],
  ['/proxy/https://api.test//a//b', 'https://api.test//a//b'],
  ['/proxy/ftp://api.test/a', 'ftp://api.test/a'],
  ['/proxy/nonsense', 'nonsense'],
])('%s asks for %s', (path, url) => {
  expect(asked(path).url).toBe(url)
})

test('by default it polls every five seconds and sends the document, then patches', () => {
  expect(asked('/http://api.test/')).toEqual({
    url: 'http://api.test/',
    intervalMs: 5_000,
    headers: {},
    ...{ payloadPointer: undefined, select: undefined },
    ignorePaths: [],
    arrayKeys: [],
    mode: 'snapshot-patch',
    compress: false,
    lastEventId: undefined,
  })
})

test('everything can be set in the query, headers more than once', () => {
  const path =
    '/proxy/http://api.test/?intervalMs=750&mode=snapshot-only&X-Sd-Header=Authorization%3A%20Bearer%20a%3Ab' +
    '&X-Sd-Header=X-Other%3Atwo&X-Sd-Compress=true&payloadPointer=/data&ignorePaths=/a&ignorePaths=/b/*&arrayKeys=sku'
  expect(asked(path)).toEqual({
    url: 'http://api.test/',
    intervalMs: 750,
    headers: { authorization: 'Bearer a:b', 'x-other': 'two' },
    ...{ payloadPointer: '/data', select: undefined },
    ignorePaths: ['/a', '/b/*'],
    arrayKeys: ['sku'],
    mode: 'snapshot-only',
    compress: true,
    lastEventId: undefined,
  })
})

test('a header for the target may be sent as a header, and the subscriber’s own stay out', () => {
  const { headers } = asked('/http://api.test/', { 'X-Sd-Header': 'X-Key: 1', Authorization: 'Bearer weir' })
  expect(headers).toEqual({ 'x-key': '1' })
})

test('several of them are percent-encoded, so that commas are unambiguous', () => {
  const { headers } = asked('/http://api.test/', {
    'X-Sd-Header': `${encodeURIComponent('Accept: a, b')}, ${encodeURIComponent('X-Key: ż')}`,
  })
  expect(headers).toEqual({ accept: 'a, b', 'x-key': 'ż' })
})

test.each([
  ['mode=driving&x=1', {}],
  ['intervalMs=7&arrayKeys=a', {}],
  [
    'mode=event&X-Sd-Token=t&X-Sd-Header=A%3A%20b',
    { url: 'http://api.test/?mode=event', headers: { a: 'b' } },
  ],
  ['weir-mode=event', {}],
])('parameters inside a fully encoded target are the target’s: %s', (query, said) => {
  expect(asked(`/proxy/${encodeURIComponent(`http://api.test/?${query}`)}?intervalMs=900`)).toMatchObject({
    ...{ url: `http://api.test/?${query}`, intervalMs: 900, mode: 'snapshot-patch', arrayKeys: [] },
    ...said,
  })
})

test('with a prefix, a parameter is Weir’s own, and those without one are the target’s', () => {
  const path =
    '/proxy/http://api.test/?mode=driving&weir-intervalMs=900&payloadPointer=/x&Weir-PayloadPointer=/data'
  expect(asked(path)).toMatchObject({
    url: 'http://api.test/?mode=driving&payloadPointer=/x',
    ...{ intervalMs: 900, mode: 'snapshot-patch', payloadPointer: '/data' },
  })
})

test.each([
  ['intervalMs=soon', 'intervalMs'],
  ['intervalMs=-1', 'intervalMs'],
  ['mode=all', 'mode'],
  ['X-Sd-Header=nothing', 'X-Sd-Header'],
])('%s is refused', (query, field) => {
  expect(() => asked(`/http://api.test/?${query}`)).toThrow(expect.objectContaining({ field }))
})

test.each([
  ['/proxy/http://a.test/', true],
  ['/http://a.test/', true],
  ['/https:/a.test/', true],
  ['/https/', false],
  ['/streams', false],
  ['/proxy', false],
])('%s is a proxy path: %p', (path, is) => {
  expect(isProxyPath(path)).toBe(is)
})

test.each([
  ['/http://api.test/?a=1&lastEventId=0123abcd.12', '/?a=1', '0123abcd.12'],
  ['/http://api.test/?evs_last_event_id=0123abcd.12', '/', '0123abcd.12'],
  ['/http://api.test/?lastEventId=77', '/?lastEventId=77', undefined],
  ['/proxy/http%3A%2F%2Fapi.test%2F%3Fa%3D1?lastEventId=0123abcd.12', '/?a=1', '0123abcd.12'],
])('%s resumes where a polyfill says', (path, rest, lastEventId) => {
  expect(asked(path)).toMatchObject({ url: `http://api.test${rest}`, lastEventId })
  expect(asked(path, { 'Last-Event-ID': 'ffffffff.1' }).lastEventId).toBe('ffffffff.1')
})

test('a token is read from the proxy’s URLs alone', () => {
  expect(tokenOf(new URL(`${WEIR}/http://a.test/?X-Sd-Token=abc%20d`))).toBe('abc d')
  expect(tokenOf(new URL(`${WEIR}/http://a.test/`))).toBeUndefined()
  expect(tokenOf(new URL(`${WEIR}/api/streams?X-Sd-Token=abc`))).toBeUndefined()
})
