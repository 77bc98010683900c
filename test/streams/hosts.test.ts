import { expect, test } from 'bun:test'
import { Hosts } from '../../src/streams/ingest/hosts.ts'
import { settle } from '../support/clock.ts'

const URL_A = 'http://a.test/x'
const never = new AbortController().signal

test('a hundred requests to a host may run; the next one starts when a slot is free, in order', async () => {
  const hosts = new Hosts()
  const leaves = await Promise.all(Array.from({ length: 100 }, () => hosts.enter(URL_A, never)))
  const order: string[] = []
  const first = hosts.enter('http://a.test/y', never).then((leave) => {
    order.push('first')
    return leave
  })
  const second = hosts.enter(URL_A, never).then(() => order.push('second'))
  ;(await hosts.enter('http://b.test/', never))()
  expect(order).toEqual([])
  leaves[0]?.()
  ;(await first)()
  await second
  expect(order).toEqual(['first', 'second'])
})

test('a request that gives up while waiting leaves the queue', async () => {
  const hosts = new Hosts()
  const leaves = await Promise.all(Array.from({ length: 100 }, () => hosts.enter(URL_A, never)))
  const impatient = new AbortController()
  const gone = hosts.enter(URL_A, impatient.signal)
  const patient = hosts.enter(URL_A, never)
  // Both are in line by then.
  await settle()
  impatient.abort(new Error('enough'))
  expect(gone).rejects.toThrow('enough')
  leaves[0]?.()
  expect(await patient).toBeFunction()
})

test('a pause applies to every request to the host, and then ends', async () => {
  let now = 1_000
  const hosts = new Hosts(
    () => now,
    () => 0,
  )
  hosts.pause(URL_A, 50)
  const entered = hosts.enter('http://a.test/other', never)
  expect(await Promise.race([entered, hosts.enter('http://b.test/', never).then(() => 'b first')])).toBe(
    'b first',
  )
  now = 1_050
  expect(await entered).toBeFunction()
})

test('aborting ends the wait for a pause', async () => {
  const hosts = new Hosts()
  hosts.pause(URL_A, 3_600_000)
  const signal = AbortSignal.timeout(5)
  expect(hosts.enter(URL_A, signal)).rejects.toThrow()
})
