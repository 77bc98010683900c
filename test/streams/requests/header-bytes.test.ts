import { afterEach, expect, test } from 'bun:test'
import { locationIn } from '../../../src/net/header-bytes.ts'
import { askUpstream } from '../../../src/streams/ingest/upstream.ts'
import { hideValues } from '../../../src/streams/registry/own-secrets.ts'
import { checkRegistration } from '../../../src/streams/registry/registration.ts'
import { type CountingServer, responseOf, startCountingServer } from '../../support/socket-server.ts'

let server: CountingServer | undefined

afterEach(() => server?.stop())

/** The paths that are asked for, and the head of the last request. */
async function follow(location: Buffer, headers: Record<string, string> = {}, path = '/') {
  const paths: string[] = []
  let head = ''
  server = await startCountingServer((request) => {
    paths.push(request.path)
    head = request.head
    if (paths.length > 1 || location.length === 0)
      return responseOf('200 OK', { 'Content-Type': 'text/html', 'content-type': 'application/json' }, '{}')
    return Buffer.concat([
      Buffer.from('HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: '),
      location,
      Buffer.from('\r\n\r\n'),
    ])
  })
  const { response } = await askUpstream(
    { url: `${server.url}${path}`, method: 'GET', headers, body: null },
    {},
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
  )
  await response.text()
  return { paths, head, response }
}

test.each([
  ['in UTF-8', Buffer.from('/café/日本?q=ü'), '/caf%C3%A9/%E6%97%A5%E6%9C%AC?q=%C3%BC'],
  ['in Latin-1', Buffer.from('/caf\xe9', 'latin1'), '/caf%E9'],
  ['with spaces', Buffer.from('/a b/c'), '/a%20b/c'],
  ['relative', Buffer.from('caf\xc3\xa9?x', 'latin1'), '/sub/caf%C3%A9?x'],
  ['escaped already', Buffer.from('/caf%E9'), '/caf%E9'],
])('a redirect’s target may be %s', async (_name, location, path) => {
  expect((await follow(location, {}, '/sub/')).paths).toEqual(['/sub/', path])
})

test('text in a header is sent in UTF-8, whatever its characters', async () => {
  const { head } = await follow(Buffer.alloc(0), { 'X-Name': 'Zoë 日本 😀' })
  const [, value = ''] = /x-name: (.*)/i.exec(head) ?? []
  expect(Buffer.from(value, 'latin1').toString('utf8')).toBe('Zoë 日本 😀')
})

test('a header may have any text, but no control characters', () => {
  const url = 'https://a.test/'
  expect(checkRegistration({ url, headers: { 'X-Name': '日本' } }).headers).toEqual({ 'X-Name': '日本' })
  expect(() => checkRegistration({ url, headers: { 'X-Name': 'a\r\nb' } })).toThrow('invalid characters')
  expect(() => checkRegistration({ url, headers: { 日本: 'a' } })).toThrow('invalid characters')
})

test('an upstream that repeats such a value doesn’t show it', () => {
  const hide = hideValues({ 'X-Key': 'schlüssel-geheim' })
  expect(hide(`echo ${Buffer.from('schlüssel-geheim').toString('latin1')}`)).toBe('echo •••')
})

test('locations are read as bytes', () => {
  expect(locationIn('/plain')).toBe('/plain')
  expect(locationIn('/\xff\xe9')).toBe('/%FF%E9')
})
