import { expect, test } from 'bun:test'
import { clientAddressOf, noteAddress, siteOf } from '../../src/limits/address.ts'

/** What a request is taken to come from. */
function from(peer: string, forwarded: string | undefined, proxies: string[]): string | undefined {
  const headers = forwarded === undefined ? undefined : { 'X-Forwarded-For': forwarded }
  const request = new Request('http://localhost/', { headers })
  const requestIP = () => ({ address: peer, port: 1, family: 'IPv4' as const })
  noteAddress(request, { requestIP }, proxies)
  return clientAddressOf(request)
}

test.each([
  ['10.0.0.1', '198.51.100.7', ['10.0.0.0/8'], '198.51.100.7'],
  ['::ffff:10.0.0.1', '198.51.100.7', ['10.0.0.1'], '198.51.100.7'],
  ['10.0.0.1', '203.0.113.9, 198.51.100.7', ['10.0.0.1'], '198.51.100.7'],
  ['10.0.0.1', '203.0.113.9, 198.51.100.7, 10.2.2.2', ['10.0.0.0/8'], '198.51.100.7'],
  ['fd00::1', '2001:db8::5', ['fd00::/8'], '2001:db8::5'],
  ['10.0.0.1', '198.51.100.7', [], '10.0.0.1'],
  ['192.0.2.1', '198.51.100.7', ['10.0.0.0/8'], '192.0.2.1'],
  ['10.0.0.1', undefined, ['10.0.0.1'], '10.0.0.1'],
  ['10.0.0.1', 'unknown', ['10.0.0.1'], '10.0.0.1'],
  ['10.0.0.1', '198.51.100.7, garbage', ['10.0.0.1'], '10.0.0.1'],
  ['10.0.0.1', '10.0.0.9, 10.0.0.8', ['10.0.0.0/8'], '10.0.0.9'],
  ['::ffff:198.51.100.7', undefined, [], '198.51.100.7'],
])('from %p with X-Forwarded-For %p behind %p the address is %p', (peer, forwarded, proxies, address) => {
  expect(from(peer, forwarded, proxies)).toBe(address)
})

test('addresses of one IPv6 site are one client, those of IPv4 aren’t', () => {
  expect(siteOf('2001:db8:1:2:3:4:5:6')).toBe(siteOf('2001:db8:1:2:ffff::1'))
  expect(siteOf('2001:db8:1:2::1')).not.toBe(siteOf('2001:db8:1:3::1'))
  expect(siteOf('198.51.100.7')).toBe('198.51.100.7')
})
