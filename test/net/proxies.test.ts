import { expect, test } from 'bun:test'
import { proxyFor } from '../../src/net/proxies.ts'

const HTTP = 'http://proxy.test:3128'
const HTTPS = 'http://tunnel.test:3129'

const proxyOf = (url: string, ...bypass: string[]) =>
  proxyFor(new URL(url), { http: HTTP, https: HTTPS, bypass })

test('each scheme has its proxy, or none', () => {
  expect([proxyOf('http://api.test/'), proxyOf('https://api.test/')]).toEqual([HTTP, HTTPS])
  expect(proxyFor(new URL('http://api.test/'), { https: HTTPS, bypass: [] })).toBeUndefined()
})

test.each([
  'http://localhost:3000/',
  'http://a.localhost/',
  'http://127.0.0.1/',
  'http://127.9.9.9/',
  'http://2130706433/',
  'http://[::1]:3000/',
  'http://[::ffff:127.0.0.1]/',
  'http://0.0.0.0:3000/',
  'http://[::]/',
  'https://localhost./',
])('%s is this machine, and never uses a proxy', (url) => {
  expect(proxyOf(url)).toBeUndefined()
})

test.each<[url: string, entry: string, isBypassed: boolean]>([
  ['http://api.test/', '*', true],
  ['http://api.test/', 'api.test', true],
  ['http://api.test/', 'API.test', true],
  ['http://a.api.test/', 'api.test', true],
  ['http://a.api.test/', '.api.test', true],
  ['http://a.api.test/', '*.api.test', true],
  ['http://api.test./', 'api.test', true],
  ['http://myapi.test/', 'api.test', false],
  ['http://api.test.evil.test/', 'api.test', false],
  ['http://api.test/', 'api.test:80', true],
  ['https://api.test/', 'api.test:443', true],
  ['http://api.test:8080/', 'api.test:80', false],
  ['http://10.1.2.3/', '10.0.0.0/8', true],
  ['http://11.1.2.3/', '10.0.0.0/8', false],
  ['http://10.1.2.3/', '10.1.2.3', true],
  ['http://10.1.2.30/', '10.1.2.3', false],
  ['http://[2001:db8::1]/', '2001:db8::/32', true],
  ['http://[2001:db8::1]/', '2001:db8:0:0::1', true],
  ['http://[2001:db8::1]:80/', '[2001:db8::1]:80', true],
  ['http://api.test/', '.', false],
  ['http://api.test/', '10.0.0.0/33', false],
])('%s is connected to directly for %s: %p', (url, entry, isBypassed) => {
  expect(proxyOf(url, 'other.test', entry) === undefined).toBe(isBypassed)
})
