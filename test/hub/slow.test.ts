import { afterEach, beforeEach, expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'
import { until } from '../support/until.ts'
import { type HubServer, openStuck, Reader, serveHub } from './support.ts'

let hub: Hub
let server: HubServer

beforeEach(() => {
  hub = new Hub(() => 0)
  server = serveHub(hub)
})

afterEach(async () => {
  hub.close()
  await server.stop()
})

const KIB = 'x'.repeat(1_024)

test('a browser that stops reading is dropped and the others keep receiving', async () => {
  const others = await Promise.all([Reader.open(`${server.url}/a`), Reader.open(`${server.url}/a`)])
  const stuck = await openStuck(`${server.url}/a`)
  expect(hub.counts.open).toBe(3)
  let position = 0
  const data = KIB.repeat(16)
  await until('the stuck one is dropped', async () => {
    // As much as the others can take at a time: what is in the way of the stuck one's bytes is the kernel's to say.
    for (let burst = 0; burst < 16; burst++) hub.publish('a', { data, position: ++position })
    for (const other of others) await other.has(`id: ${position}\n`)
    return hub.counts.slow === 1
  })
  hub.publish('a', { data: 'afterwards', position: ++position })
  for (const other of others) {
    await other.has('afterwards')
    expect(other.ids).toEqual(Array.from({ length: position }, (_, index) => index + 1))
  }
  expect(hub.counts).toEqual({ open: 2, left: 0, slow: 1, failed: 0, revoked: 0 })
  stuck.destroy()
})

test('a reader that doesn’t read has up to 1 MiB queued, released when it is dropped', async () => {
  const { body } = hub.subscribe('a', { signal: new AbortController().signal })
  const data = KIB.repeat(64)
  for (let position = 1; position <= 16; position++) hub.publish('a', { data, position })
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
  hub.publish('a', { data, position: 17 })
  expect(hub.counts).toMatchObject({ open: 0, slow: 1 })
  expect(hub.has('a')).toBe(false)
  await expect((body as ReadableStream).getReader().read()).rejects.toBeUndefined()
})

test('a dropped reader notices that its stream broke off', async () => {
  const stuck = await openStuck(`${server.url}/a`)
  const gone = new Promise<void>((resolve) => stuck.once('close', () => resolve()).on('error', () => {}))
  let position = 0
  await until('it is dropped', () => {
    for (let burst = 0; burst < 16; burst++) hub.publish('a', { data: KIB.repeat(16), position: ++position })
    return hub.counts.slow === 1
  })
  stuck.resume()
  await gone
})

test('one message may exceed the queue, for a reader that reads', async () => {
  const reader = await Reader.open(`${server.url}/a`)
  for (let position = 1; position <= 3; position++) {
    hub.publish('a', { data: KIB.repeat(3_000), position })
    await reader.has(`id: ${position}\ndata: ${KIB.repeat(3_000)}\n\n`)
  }
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
})
