import { expect, test } from 'bun:test'
import { networkInterfaces } from 'node:os'
import { type InterfaceAddress, OwnAddresses } from '../../src/net/own-addresses.ts'

const at = (cidr: string): InterfaceAddress => ({ address: cidr.replace(/\/.*/, ''), cidr })
const own = (...cidrs: string[]) => new OwnAddresses({ read: () => cidrs.map(at) })

test.each<[cidr: string, address: string, isOwn: boolean]>([
  ['93.184.215.14/24', '93.184.215.14', true],
  ['93.184.215.14/24', '93.184.215.200', true],
  ['93.184.215.14/24', '93.184.216.14', false],
  ['93.184.215.14/24', '::ffff:93.184.215.14', true],
  ['93.184.215.14/24', '64:ff9b::5db8:d70e', true],
  ['93.184.215.14/32', '93.184.215.15', false],
  ['2a01:4f8:1:2::5/64', '2a01:4f8:1:2:ffff::1', true],
  ['2a01:4f8:1:2::5/64', '2a01:4f8:1:3::1', false],
  ['2a01:4f8:1:2::5/64', '2a01:4f8:1:2::5%eth0', true],
  // A link that claims the whole Internet isn't believed; its own address is.
  ['93.184.215.14/0', '8.8.8.8', false],
  ['93.184.215.14/0', '93.184.215.14', true],
  ['93.184.215.14/24', 'not an address', false],
])('with %s, %s is own: %p', (cidr, address, isOwn) => {
  expect(own(cidr).has(address)).toBe(isOwn)
})

test('a new interface is noticed soon, without listing them for every request', () => {
  const interfaces = ['93.184.215.14/24']
  let now = 0
  let reads = 0
  const addresses = new OwnAddresses({
    now: () => now,
    read: () => {
      reads++
      return interfaces.map(at)
    },
  })
  interfaces.push('8.8.8.8/32')
  for (let asked = 0; asked < 100; asked++) addresses.has('8.8.8.8')
  expect([reads, addresses.has('8.8.8.8')]).toEqual([1, false])
  now = 5_000
  expect(addresses.has('8.8.8.8')).toBe(true)
  expect(reads).toBe(2)
})

test('if listing fails, the last known addresses stay; if it never worked, Weir says what to do', () => {
  let now = 0
  let isTold = true
  const read = () => {
    if (!isTold) throw new Error('EAFNOSUPPORT')
    return [at('93.184.215.14/24')]
  }
  const addresses = new OwnAddresses({ read, now: () => now })
  isTold = false
  now = 5_000
  expect(addresses.has('93.184.215.14')).toBe(true)
  expect(() => new OwnAddresses({ read })).toThrow(/AF_NETLINK/)
})

test('this machine’s own interfaces are listed', () => {
  const [first] = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  expect(new OwnAddresses().has((first as InterfaceAddress).address)).toBe(true)
})
